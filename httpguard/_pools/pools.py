"""Every connection pool that is alive, and the figures of those that are gone."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

from .pool import PoolRef
from .totals import Totals, retire

if TYPE_CHECKING:
    from urllib3.connectionpool import HTTPConnectionPool

    from .._leases.sessions import Sessions


class Pools:
    """The pools that requests have gone through.

    Args:
        sessions: Whose pools some of them are.
    """

    def __init__(self, sessions: Sessions) -> None:
        """Start empty."""
        self.known: dict[int, PoolRef] = {}
        self.retired: dict[str, Totals] = {}
        self._sessions = sessions
        # Collected, and their figures still to be kept.
        self._dead: deque[PoolRef] = deque()
        self._retiring = threading.Lock()

    def get(self, pool: HTTPConnectionPool) -> PoolRef | None:
        """What is known of a pool, or None."""
        known = self.known.get(id(pool))
        return known if known is not None and known() is pool else None

    def meet(self, pool: HTTPConnectionPool, now: float) -> PoolRef:
        """What is known of a pool, from here on if need be.

        Args:
            pool: The pool.
            now: Seconds of the guard's clock.
        """
        known = self.get(pool)
        if known is None:
            known = PoolRef(pool, self._dead.append)
            known.met = now
            self.known[known.key] = known
            if self._dead:
                self.prune()
        return known

    def prune(self) -> None:
        """Forget the pools that are gone, and keep their figures by name."""
        if not self._retiring.acquire(blocking=False):
            return  # Somebody else does it.
        try:
            while self._dead:
                pool = self._dead.popleft()
                if self.known.get(pool.key) is pool:
                    self.known.pop(pool.key, None)
                retire(self.retired, pool)
                if pool.owner is not None and pool.owner() is not None:
                    # Its manager has had too many pools, and let go of this one.
                    self._sessions.disown(pool)
        finally:
            self._retiring.release()
