"""Every connection pool that is alive, and the figures of those that are gone."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from .pool import PoolRef
from .totals import Totals

if TYPE_CHECKING:
    from collections.abc import Callable

    from .kind import PoolKind

# Programs can ask hosts without end.
_MOST_NAMES: Final = 200


class Pools:
    """The pools that requests have gone through.

    Args:
        gone: Told of each pool that was collected while it had an owner.
    """

    def __init__(self, gone: Callable[[PoolRef], None]) -> None:
        self.known: dict[int, PoolRef] = {}
        self.retired: dict[str, Totals] = {}
        self._gone = gone
        # Collected, and their figures still to be kept.
        self._dead: deque[PoolRef] = deque()
        self._retiring = threading.Lock()

    def get(self, pool: Any) -> PoolRef | None:
        """What is known of a pool, or None."""
        known = self.known.get(id(pool))
        return known if known is not None and known() is pool else None

    def meet(self, pool: Any, kind: PoolKind, now: float) -> PoolRef:
        """What is known of a pool, from here on if need be."""
        known = self.get(pool)
        if known is None:
            known = PoolRef(pool, self._dead.append)
            known.meet(pool, kind, now)
            self.known[known.key] = known
            if self._dead:
                self.prune()
        return known

    def prune(self) -> None:
        """Forget the pools that are gone, and keep their figures by name.

        Those of too many names are kept together.
        """
        if not self._retiring.acquire(blocking=False):
            return  # Somebody else does it.
        try:
            while self._dead:
                pool = self._dead.popleft()
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
