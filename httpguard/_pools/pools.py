"""Every connection pool that is alive, and the figures of those that are gone."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from .pool import PoolRef

if TYPE_CHECKING:
    from collections.abc import Callable

    from .kind import PoolKind

# Programs can ask hosts without end.
_MOST_NAMES: Final = 200
# Of two figures of this name the larger one is kept; others are added up.
_HIGHEST: Final = frozenset({"maxsize", "peak", "wait_max"})


class Pools:
    """The pools that requests have gone through.

    `gone` is told of each one that was collected while it had an owner.
    """

    def __init__(self, gone: Callable[[PoolRef], None]) -> None:
        self.known: dict[int, PoolRef] = {}
        self.retired: dict[str, Totals] = {}
        self._gone = gone
        # Collected, and their figures still to be kept.
        self.dead: deque[PoolRef] = deque()
        self._retiring = threading.Lock()

    def get(self, pool: Any) -> PoolRef | None:
        known = self.known.get(id(pool))
        return known if known is not None and known() is pool else None

    def meet(self, pool: Any, kind: PoolKind, now: float) -> PoolRef:
        """What is known of a pool, from here on if need be."""
        known = self.get(pool)
        if known is None:
            known = PoolRef(pool, self.dead.append)
            known.meet(pool, kind, now)
            self.known[known.key] = known
            if self.dead:
                self.prune()
        return known

    def prune(self) -> None:
        """Forget the pools that are gone, and keep their figures by name.

        Those of too many names are kept together.
        """
        if not self._retiring.acquire(blocking=False):
            return  # Somebody else does it.
        try:
            while self.dead:
                pool = self.dead.popleft()
                if self.known.get(pool.key) is pool:
                    self.known.pop(pool.key, None)
                name = pool.name
                if name not in self.retired and len(self.retired) >= _MOST_NAMES:
                    name = "others"
                self.retired.setdefault(name, Totals()).add(pool)
                if pool.owner is not None:
                    self._gone(pool)
        finally:
            self._retiring.release()

    def sweep(self, now: float) -> None:
        if self.dead:
            self.prune()
        self.look(now)

    def look(self, now: float) -> None:
        """See which were used since the last look, now where it is not known when."""
        for pool in list(self.known.values()):
            taken = pool.taken.value
            if taken != pool.seen:
                pool.seen, pool.active = taken, now


@dataclass(slots=True)
class Totals:
    """The figures of pools of one name that are gone. Times are seconds."""

    pools: int = 0
    taken: int = 0
    connected: int = 0
    discarded: int = 0
    waited: int = 0
    reclaimed: int = 0
    peak: int = 0
    maxsize: int = 0
    wait_total: float = 0.0
    wait_max: float = 0.0

    def add(self, pool: PoolRef) -> None:
        self.pools += 1
        self.taken += pool.taken.value
        self.connected += pool.connected.value
        self.discarded += pool.discarded.value
        self.waited += pool.waits.count
        self.reclaimed += pool.reclaimed
        self.wait_total += pool.waits.total
        self.wait_max = max(self.wait_max, pool.waits.longest)
        self.peak = max(self.peak, pool.peak)
        self.maxsize = max(self.maxsize, pool.maxsize)

    def merge(self, other: Totals) -> None:
        for name in self.__slots__:
            both = getattr(self, name), getattr(other, name)
            setattr(self, name, max(both) if name in _HIGHEST else sum(both))

    def to_dict(self) -> dict[str, Any]:
        reused = max(self.taken - self.connected, 0)
        return {
            "pools": self.pools,
            "maxsize": self.maxsize,
            "peak": self.peak,
            "connected": self.connected,
            "reused": reused,
            "reuse_rate": rate(reused, self.taken),
            "discarded": self.discarded,
            "waited": self.waited,
            "wait_total": round(self.wait_total, 3),
            "wait_max": round(self.wait_max, 3),
            "reclaimed": self.reclaimed,
        }


def rate(part: int, whole: int) -> float:
    """A share, 0 of nothing."""
    return round(part / whole, 4) if whole else 0.0
