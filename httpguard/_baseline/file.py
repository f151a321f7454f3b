"""The file of a baseline: JSON, versioned, one entry a line.

An entry names a place, by what is the same on every machine.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from .._model.errors import BaselineError
from .._model.leak import LeakKind
from .._model.redaction import MOST_SOURCE, redact_within
from .._stacks.sites import source_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .._model.leak import Frame

VERSION: Final = 1
_FIELDS: Final = ("kind", "file", "function", "source")
_KINDS: Final = tuple(str(kind) for kind in LeakKind)
_ACCEPTED: Final = (
    f'{{"version": {VERSION}, "leaks": [{{"kind": …, "file": …, "function": …,'
    ' "source": …}, …]}'
)
# Wherever an environment lies, its packages have these names.
_INSTALLED: Final = re.compile(r".*/((?:site|dist)-packages/.+)")
_LIBRARY: Final = re.compile(r".*/lib/python3\.\d+/(.+)")
ANYWHERE: Final = ("<", "site-packages/", "dist-packages/", "python/")


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """One line of a baseline.

    Args:
        file: With slashes; relative to the baseline's own directory where it is
            below that.
        source: The text of the line, stripped; empty: any line of the function.
        note: What a person wrote about it; kept.
    """

    file: str
    function: str
    source: str
    kind: str
    note: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"{self.kind} {self.file} in {self.function}: {self.source}"

    def to_dict(self) -> dict[str, str]:
        fields = {name: getattr(self, name) for name in _FIELDS}
        return {**fields, "note": self.note} if self.note else fields


def dump(entries: Iterable[Entry]) -> str:
    lines = ",\n".join(
        f"    {json.dumps(entry.to_dict(), ensure_ascii=False)}" for entry in entries
    )
    leaks = f"[\n{lines}\n  ]" if lines else "[]"
    return f'{{\n  "version": {VERSION},\n  "leaks": {leaks}\n}}\n'


def parse(text: str, name: str) -> list[Entry]:
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
    for number, fields in enumerate(data["leaks"], 1):
        wrong = _wrong(fields)
        if wrong is not None:
            raise BaselineError(f"{name}, entry {number}: {wrong}")
        entries.append(Entry(**fields))
    return entries


def _wrong(fields: object) -> str | None:
    if (
        not isinstance(fields, dict)
        or not {*_FIELDS} <= {*fields} <= {*_FIELDS, "note"}
        or not all(isinstance(value, str) for value in fields.values())
    ):
        names = ", ".join(_FIELDS)
        return f"{fields!r} is no entry; accepted: texts called {names}, and a note"
    if fields["kind"] not in _KINDS:
        return f"kind is {fields['kind']!r}; accepted: {', '.join(_KINDS)}"
    return None


@dataclass(frozen=True, slots=True)
class Place:
    """What a baseline knows a leak by.

    The file is as Python names it: absolute, or relative to the working directory. The
    text of the line is stripped; empty: not known.
    """

    kind: str
    filename: str
    function: str
    source: str


def place_of(leak: Any) -> Place:
    """Of a `Leak` or a site of a report; a `Place` as it is."""
    if isinstance(leak, Place):
        return leak
    return place_at(str(leak.kind), leak.site, getattr(leak, "source", None))


def place_at(kind: str, site: Frame, source: str | None = None) -> Place:
    """A place, its source read from the file where the leak does not carry it."""
    text = source_line(site) if source is None else source.strip()
    return Place(kind, site.filename, site.function, redact_within(text)[:MOST_SOURCE])


def portable_name(filename: str, root: str) -> str:
    """The name of a file that is the same on every machine, if there is one."""
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
    return path.startswith(os.path.join(directory, ""))


def _relative(path: str, directory: str) -> str:
    return os.path.relpath(path, directory).replace(os.sep, "/")


def is_same_source(one: str, other: str) -> bool:
    """Whether two texts are those of one line, stripped and as far as they are known.

    Reports put a mark in place of the last character they keep.
    """
    one, other = (redact_within(text)[: MOST_SOURCE - 1] for text in (one, other))
    return not (one and other) or one == other


def ends_alike(path: str, file: str) -> bool:
    """Whether a path elsewhere ends with an entry's."""
    while file.startswith("../"):
        file = file[len("../") :]
    return path.endswith(f"/{file.lstrip('/')}")
