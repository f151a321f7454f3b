"""The slots of a pool: its connections, who has them, and which are lost."""

from __future__ import annotations

import threading
import weakref
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from .._model.leak import Frame, LeakKind

    _ConnectionRef = weakref.ref[Any]
else:
    _ConnectionRef = weakref.ref

# Programs can leak at lines without end.
_MOST_LOSSES: Final = 100

GIVEN_UP: Final = -1


class Slot(_ConnectionRef):
    """A weak reference to a connection of a pool.

    Made once for each connection, not for each request.
    """

    __slots__ = ("key", "lost", "open", "turn")

    # id() of the connection.
    key: int
    # Whether it had a socket when it was last seen.
    open: bool
    # Raised as the connection comes back to a pool that blocks: who knows the turn in
    # which it left can tell whether it has come back since. `GIVEN_UP` where the pool
    # got another one instead.
    turn: int
    # Its slot of a pool that blocks is counted as lost.
    lost: bool


class Taker(Protocol):
    """Whoever has a connection of a pool: a lease."""

    kind: LeakKind | None
    slot: Slot | None
    turn: int
    lost: bool


def is_out(taker: Taker) -> bool:
    """Whether the slot that a lease took is still missing in its pool.

    False where that is not known: the connection was taken before `install`.
    """
    return taker.slot is not None and taker.slot.turn == taker.turn


class Losses:
    """The slots of a blocking pool that leaks have taken.

    One thread finds them, another gives them back.
    """

    __slots__ = ("_by_site", "_lock", "count")

    def __init__(self) -> None:
        self.count = 0
        self._by_site: Counter[tuple[LeakKind, Frame]] = Counter()
        # Reentrant: a finalizer that runs in the middle may call `check`.
        self._lock = threading.RLock()

    @property
    def by_site(self) -> Counter[tuple[LeakKind, Frame]]:
        """How many are lost by kind and line, as of now."""
        with self._lock:
            return self._by_site.copy()

    def add(self, taker: Taker, site: Frame) -> None:
        """Count the slot of a leak once."""
        if taker.kind is None:
            return
        line = taker.kind, site
        with self._lock:
            if taker.lost:
                return
            taker.lost = True
            if len(self._by_site) < _MOST_LOSSES or line in self._by_site:
                self._by_site[line] += 1
            self.count += 1
        if taker.slot is not None and is_out(taker):
            taker.slot.lost = True

    def find(self, count: int, kind: LeakKind, site: Frame) -> None:
        """Count slots that were lost before anybody saw them go."""
        with self._lock:
            self.count += count
            self._by_site[kind, site] += count

    def remove(self, taker: Taker, site: Frame) -> None:
        """A slot that was counted has come back."""
        if taker.kind is None:
            return
        line = taker.kind, site
        with self._lock:
            if not taker.lost:
                return
            taker.lost = False
            self.count -= 1
            self._by_site[line] -= 1
            if self._by_site[line] <= 0:
                del self._by_site[line]
