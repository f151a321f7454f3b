"""A baseline: the leaks of an old code base that are known and tolerated.

A file of JSON to keep under version control, one entry a line, sorted. An entry
is a kind of leak and a place that survives moved lines: file, function and the
text of the line, without its number. How often a line leaks depends on the run
and is not in it.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Generic, TypeVar

from .._model.errors import BaselineError
from .file import (
    ANYWHERE,
    Entry,
    dump,
    ends_alike,
    is_same_source,
    parse,
    place_of,
    portable_name,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .._model.leak import Leak
    from .file import Place

T = TypeVar("T")


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


def load_known(path: str) -> Baseline:
    """A baseline that is there already; says how to write one where it is not."""
    try:
        return Baseline.load(path)
    except BaselineError as error:
        if os.path.exists(path):
            raise
        hint = f"`httpguard baseline update {path} LOG` writes it"
        raise BaselineError(f"{error}; {hint}") from error


class Baseline:
    """Known leaks, their files relative to `root`: the baseline's own directory."""

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
        """Read a baseline. Raises `BaselineError`."""
        name = os.fspath(path)
        try:
            with open(name, encoding="utf-8") as file:
                text = file.read()
        except (OSError, UnicodeDecodeError) as error:
            raise BaselineError(f"cannot read the baseline {name}: {error}") from error
        return cls(parse(text, name), os.path.dirname(os.path.abspath(name)))

    @classmethod
    def of(
        cls, leaks: Iterable[Place | Leak], root: str | os.PathLike[str] = ""
    ) -> Baseline:
        base = os.path.abspath(os.fspath(root))
        places = map(place_of, leaks)
        entries = (
            Entry(portable_name(it.filename, base), it.function, it.source, it.kind)
            for it in places
        )
        return cls(entries, base)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the file, whole or not at all. Raises `BaselineError`."""
        name = os.fspath(path)
        root = os.path.dirname(os.path.abspath(name))
        entries = Baseline((self._rebased(entry, root) for entry in self.entries), root)
        # A link stays one.
        target = os.path.realpath(name)
        draft = f"{target}.{os.getpid()}.tmp"
        try:
            with open(draft, "w", encoding="utf-8", newline="\n") as file:
                file.write(dump(entries.entries))
            os.replace(draft, target)
        except (OSError, UnicodeEncodeError) as error:
            with contextlib.suppress(OSError):
                os.remove(draft)
            raise BaselineError(f"cannot write the baseline {name}: {error}") from error

    def split(self, leaks: Iterable[T]) -> Comparison[T]:
        """Leaks, places, or the sites of a report: what `place_of` takes."""
        new: list[T] = []
        known: list[T] = []
        needed: set[Entry] = set()
        for leak in leaks:
            matches = self.matches(place_of(leak))
            needed.update(matches)
            (known if matches else new).append(leak)
        fixed = tuple(entry for entry in self.entries if entry not in needed)
        return Comparison(tuple(new), tuple(known), fixed)

    def matches(self, place: Place) -> tuple[Entry, ...]:
        """The entries that tolerate a leak.

        A file below the baseline's directory has to be the very one. One that
        lies elsewhere, as on the machine a log comes from, has to end like the
        entry's.
        """
        path = os.path.abspath(place.filename)
        file = portable_name(place.filename, self.root)
        return tuple(
            entry
            for entry in self._by_name.get((place.kind, place.function), ())
            if is_same_source(entry.source, place.source)
            and (
                entry.file == file
                or self.path_of(entry) == path
                or (os.path.isabs(file) and ends_alike(file, entry.file))
            )
        )

    def merged(self, other: Baseline) -> Baseline:
        """What either tolerates, relative to this one's directory."""
        added = (other._rebased(entry, self.root) for entry in other.entries)
        return Baseline((*self.entries, *added), self.root)

    def without(self, entries: Iterable[Entry]) -> Baseline:
        gone = set(entries)
        return Baseline((e for e in self.entries if e not in gone), self.root)

    def path_of(self, entry: Entry) -> str:
        """The file of an entry on this machine; installed ones are not looked for."""
        return os.path.normpath(os.path.join(self.root, entry.file))

    def _rebased(self, entry: Entry, root: str) -> Entry:
        if root == self.root or entry.file.startswith(ANYWHERE):
            return entry
        return replace(entry, file=portable_name(self.path_of(entry), root))
