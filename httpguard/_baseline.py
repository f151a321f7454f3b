"""A baseline: the leaks of an old code base that are known and tolerated.

A file of JSON to keep under version control, one entry a line, sorted. An entry
is a kind of leak and a place that survives moved lines: file, function and the
text of the line, without its number. How often a line leaks depends on the run
and is not in it.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Generic, TypeVar

from ._errors import BaselineError
from ._leak import Frame, Leak, LeakKind

VERSION: Final = 1
_FIELDS: Final = ("kind", "file", "function", "source")
_KINDS: Final = tuple(str(kind) for kind in LeakKind)
_ACCEPTED: Final = (
    f'{{"version": {VERSION}, "leaks": [{{"kind": …, "file": …, "function": …,'
    ' "source": …}, …]}'
)
# Longer lines are generated code; both sides of a comparison are cut alike.
_MOST_SOURCE: Final = 200
_SITE_TEXT: Final = re.compile(
    r"(?P<file>.+):(?P<line>\d+) in (?P<function>.+)", re.DOTALL
)
# Wherever an environment lies, its packages have these names.
_INSTALLED: Final = re.compile(r".*/((?:site|dist)-packages/.+)")
_ANYWHERE: Final = ("<", "site-packages/", "dist-packages/", "python/")
_LIBRARY: Final = re.compile(r".*/lib/python3\.\d+/(.+)")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Place:
    """What a baseline knows a leak by.

    Args:
        kind: The word for how it leaked.
        filename: As Python names it: absolute, or relative to the working
            directory.
        function: The function's name.
        source: The text of the line, stripped; empty: not known.
    """

    kind: str
    filename: str
    function: str
    source: str


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """One line of a baseline.

    Args:
        file: With slashes; relative to the baseline's own directory where it is
            below that.
        function: The function's name.
        source: The text of the line, stripped; empty: any line of the function.
        kind: The word for how it leaked.
        note: What a person wrote about it; kept.
    """

    file: str
    function: str
    source: str
    kind: str
    note: str = field(default="", compare=False)

    def to_dict(self) -> dict[str, str]:
        """The fields in the order of the file."""
        fields = {name: getattr(self, name) for name in _FIELDS}
        return {**fields, "note": self.note} if self.note else fields


@dataclass(frozen=True, slots=True)
class Comparison(Generic[T]):
    """Leaks beside a baseline.

    Args:
        new: Leaks that it does not tolerate.
        known: Leaks that it tolerates.
        fixed: Its entries that no leak needed: they can go.
    """

    new: tuple[T, ...]
    known: tuple[T, ...]
    fixed: tuple[Entry, ...]


def place_of(leak: object) -> Place:
    """What a baseline knows a leak by.

    Args:
        leak: A `Place`, a `Leak`, or a leak as JSON: ``site`` is an object or the
            text ``file:line in function``; ``source``, in the leak or in its
            site, is the text of the line, which is else read from the file.

    Raises:
        ValueError: It is none of these.
    """
    if isinstance(leak, Place):
        return leak
    if isinstance(leak, Leak):
        return _place(str(leak.kind), leak.site, None)
    if isinstance(leak, Mapping):
        site = leak.get("site")
        parts = site if isinstance(site, Mapping) else _split_site(site)
        source = leak.get("source", parts.get("source"))
        frame = Frame(
            str(parts["filename"]), int(parts["lineno"]), str(parts["function"])
        )
        return _place(
            str(leak.get("kind")), frame, source if isinstance(source, str) else None
        )
    raise ValueError(f"{leak!r} is no leak")


def _split_site(site: object) -> Mapping[str, Any]:
    """The parts of ``file:line in function``."""
    match = _SITE_TEXT.fullmatch(site) if isinstance(site, str) else None
    if match is None:
        raise ValueError(f"{site!r} is no site: file:line in function")
    return {
        "filename": match["file"],
        "lineno": match["line"],
        "function": match["function"],
    }


def _place(kind: str, site: Frame, source: str | None) -> Place:
    """A place, its source read from the file where the leak does not carry it."""
    from ._stack import source_line

    text = source_line(site) if source is None else source.strip()
    return Place(kind, site.filename, site.function, text[:_MOST_SOURCE])


class Baseline:
    """Known leaks.

    Args:
        entries: What is tolerated.
        root: The directory that files are relative to: the baseline's own.
    """

    def __init__(self, entries: Iterable[Entry] = (), root: str = "") -> None:
        """Keep each entry once, a note if any has one."""
        self.root = os.path.abspath(root)
        known: dict[Entry, Entry] = {}
        for entry in entries:
            if entry not in known or not known[entry].note:
                known[entry] = entry
        self.entries: tuple[Entry, ...] = tuple(sorted(known.values()))
        self._by_name: dict[tuple[str, str], list[Entry]] = {}
        for entry in self.entries:
            self._by_name.setdefault((entry.kind, entry.function), []).append(entry)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Baseline:
        """Read a baseline.

        Args:
            path: The file; what it names is relative to its directory.

        Raises:
            BaselineError: It cannot be read, or is not what it should be.
        """
        name = os.fspath(path)
        try:
            with open(name, encoding="utf-8") as file:
                text = file.read()
        except (OSError, UnicodeDecodeError) as error:
            raise BaselineError(f"cannot read the baseline {name}: {error}") from error
        return cls(_parse(text, name), os.path.dirname(os.path.abspath(name)))

    @classmethod
    def of(cls, leaks: Iterable[object], root: str | os.PathLike[str] = "") -> Baseline:
        """A baseline that tolerates just these leaks.

        Args:
            leaks: Whatever `place_of` takes.
            root: The directory that it will be saved in; the current one if empty.
        """
        base = os.path.abspath(os.fspath(root))
        return cls((_entry(place_of(leak), base) for leak in leaks), base)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the file, whole or not at all.

        Args:
            path: Where; files are written relative to its directory.

        Raises:
            BaselineError: It cannot be written.
        """
        name = os.fspath(path)
        root = os.path.dirname(os.path.abspath(name))
        entries = Baseline((self._rebased(entry, root) for entry in self.entries), root)
        # A link stays one.
        target = os.path.realpath(name)
        draft = f"{target}.{os.getpid()}.tmp"
        try:
            with open(draft, "w", encoding="utf-8", newline="\n") as file:
                file.write(entries.dumps())
            os.replace(draft, target)
        except OSError as error:
            raise BaselineError(f"cannot write the baseline {name}: {error}") from error

    def dumps(self) -> str:
        """The text of the file, one entry a line."""
        lines = ",\n".join(
            f"    {json.dumps(entry.to_dict(), ensure_ascii=False)}"
            for entry in self.entries
        )
        leaks = f"[\n{lines}\n  ]" if lines else "[]"
        return f'{{\n  "version": {VERSION},\n  "leaks": {leaks}\n}}\n'

    def split(
        self, leaks: Iterable[T], place: Callable[[T], Place] = place_of
    ) -> Comparison[T]:
        """Tell new leaks from known ones, and what is fixed.

        Args:
            leaks: Whatever `place` takes.
            place: Says what the baseline knows a leak by.
        """
        new: list[T] = []
        known: list[T] = []
        needed: set[Entry] = set()
        for leak in leaks:
            matches = self.matches(place(leak))
            needed.update(matches)
            (known if matches else new).append(leak)
        fixed = tuple(entry for entry in self.entries if entry not in needed)
        return Comparison(tuple(new), tuple(known), fixed)

    def matches(self, place: Place) -> tuple[Entry, ...]:
        """The entries that tolerate a leak.

        A file below the baseline's directory has to be the very one. One that
        lies elsewhere, as on the machine a log comes from, has to end like the
        entry's.

        Args:
            place: Of the leak.
        """
        path = os.path.abspath(place.filename)
        file = _shorten(place.filename, self.root)
        return tuple(
            entry
            for entry in self._by_name.get((place.kind, place.function), ())
            if (entry.source == place.source or not (entry.source and place.source))
            and (
                entry.file == file
                or self.path_of(entry) == path
                or (os.path.isabs(file) and _ends_alike(file, entry.file))
            )
        )

    def merged(self, other: Baseline) -> Baseline:
        """What either tolerates, relative to this one's directory."""
        added = (other._rebased(entry, self.root) for entry in other.entries)
        return Baseline((*self.entries, *added), self.root)

    def without(self, entries: Iterable[Entry]) -> Baseline:
        """All but some entries."""
        gone = set(entries)
        return Baseline((e for e in self.entries if e not in gone), self.root)

    def path_of(self, entry: Entry) -> str:
        """The file of an entry on this machine; installed ones are not looked for."""
        return os.path.normpath(os.path.join(self.root, entry.file))

    def _rebased(self, entry: Entry, root: str) -> Entry:
        """The entry as a baseline in another directory has it."""
        if root == self.root or entry.file.startswith(_ANYWHERE):
            return entry
        return replace(entry, file=_shorten(self.path_of(entry), root))


def _entry(place: Place, root: str) -> Entry:
    """The entry that tolerates a leak at a place."""
    file = _shorten(place.filename, root)
    return Entry(file, place.function, place.source[:_MOST_SOURCE], place.kind)


def _shorten(filename: str, root: str) -> str:
    """The name of a file that is the same on every machine, if there is one.

    Args:
        filename: As Python names it.
        root: An absolute directory.
    """
    if filename.startswith("<"):
        return filename
    path = os.path.abspath(filename)
    posix = path.replace(os.sep, "/")
    for pattern, prefix in ((_INSTALLED, ""), (_LIBRARY, "python/")):
        match = pattern.fullmatch(posix)
        if match is not None:
            return prefix + match[1]
    for base in (root, os.path.realpath(root)):
        for candidate in (path, os.path.realpath(path)):
            if _is_below(candidate, base):
                return _relative(candidate, base)
    # A baseline in a directory of its own, ``ci/`` beside ``src/``.
    here = os.getcwd()
    if _is_below(root, here) and _is_below(path, here):
        return _relative(path, root)
    return posix


def _is_below(path: str, directory: str) -> bool:
    """Whether a path lies in a directory, at whatever depth."""
    return path.startswith(os.path.join(directory, ""))


def _relative(path: str, directory: str) -> str:
    """A path from a directory, with slashes."""
    return os.path.relpath(path, directory).replace(os.sep, "/")


def _ends_alike(path: str, file: str) -> bool:
    """Whether a path elsewhere ends with an entry's."""
    while file.startswith("../"):
        file = file[len("../") :]
    return path.endswith(f"/{file.lstrip('/')}")


def _parse(text: str, name: str) -> list[Entry]:
    """The entries of a file's text."""
    try:
        data = json.loads(text)
    except ValueError as error:
        line = getattr(error, "lineno", 1)
        raise BaselineError(
            f"{name}, line {line}: no JSON ({error}); a baseline is {_ACCEPTED}"
        ) from error
    if not isinstance(data, dict) or not isinstance(data.get("leaks"), list):
        raise BaselineError(f"{name}: no baseline, which is {_ACCEPTED}")
    if data.get("version") != VERSION:
        raise BaselineError(
            f"{name}: version {data.get('version')!r} is not known;"
            f" this httpguard reads version {VERSION}"
        )
    entries = []
    for number, fields in enumerate(data["leaks"]):
        wrong = _wrong(fields)
        if wrong is not None:
            line = _line_of_entry(text, number)
            raise BaselineError(f"{name}, line {line}: {wrong}")
        entries.append(Entry(**fields))
    return entries


def _wrong(fields: object) -> str | None:
    """What is wrong with an entry, None if nothing is."""
    names = ", ".join(_FIELDS)
    if not isinstance(fields, dict):
        return f"{fields!r} is no entry; accepted: an object with {names}"
    for name in _FIELDS:
        if name not in fields:
            return f"an entry without {name!r}; it needs {names}, and may have a note"
    for name, value in fields.items():
        if name not in (*_FIELDS, "note"):
            return f"unknown field {name!r}; an entry has {names}, and may have a note"
        if not isinstance(value, str):
            return f"{name} is {value!r}; accepted: text"
    if fields["kind"] not in _KINDS:
        return f"kind is {fields['kind']!r}; accepted: {', '.join(_KINDS)}"
    return None


def _line_of_entry(text: str, number: int) -> int:
    """The line on which an entry begins, in text that is known to be JSON."""
    decoder = json.JSONDecoder()
    position = text.index("[", text.index('"leaks"')) + 1
    for _ in range(number + 1):
        while text[position] in " \t\r\n,":
            position += 1
        begin = position
        _, position = decoder.raw_decode(text, position)
    return text.count("\n", 0, begin) + 1
