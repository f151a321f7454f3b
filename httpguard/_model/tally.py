"""Counters and queues without a lock, and when a count is said."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Iterator

T = TypeVar("T")
_SECONDS: Final = 60.0


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


class Rhythm:
    """Decides when a count is said: at 1, 10, 100 …, at most once a minute."""

    # The least count of which it is time. Here, since most are never told of another.
    next = 1
    _last: float | None = None

    def due(self, count: int, now: float) -> bool:
        """Whether to report a count now; if so, the next time is set.

        True at the first, then when the count has reached 10, 100, 1000 … and the last
        report is a minute old.
        """
        if count < self.next:
            return False
        if self._last is not None and now - self._last < _SECONDS:
            return False
        while self.next <= count:
            self.next *= 10
        self._last = now
        return True


def drain(queue: deque[T]) -> Iterator[T]:
    """Take what is in a queue, from which other threads may take too."""
    while queue:
        try:
            item = queue.popleft()
        except IndexError:  # Another thread took the last one.
            return
        yield item
