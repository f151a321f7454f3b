"""A counter that several threads raise without a lock."""

from __future__ import annotations

import itertools


class Tally:
    """A counter that several threads raise without a lock and lose no count.

    ``itertools.count`` steps in one C call (about 30 ns); its repr is the one
    way to read it that every Python has (copying it went with 3.14).
    """

    __slots__ = ("_count", "add")

    def __init__(self) -> None:
        self._count = itertools.count()
        self.add = self._count.__next__

    @property
    def value(self) -> int:
        """How often `add` was called."""
        return int(repr(self._count)[len("count(") : -1])
