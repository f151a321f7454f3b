"""Sessions: who made them, and which pools are theirs."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from .._model.scope import current_scope
from .._model.tally import drain
from .._stacks.sites import NOWHERE, place_of
from .churn import Churn
from .session import Line, SessionRef
from .threads import runner, running

if TYPE_CHECKING:
    from .._pools.pool import PoolRef
    from .._stacks.ownership import Origins
    from .._stacks.raw import RawStack
    from .client import Client


class Sessions:
    """Every session that has a pool or may make one."""

    def __init__(self) -> None:
        self.known: dict[int, SessionRef] = {}
        # Collected, and to be forgotten.
        self._dead: deque[SessionRef] = deque()
        # Judged, and closed after all: to be said.
        self.resolved: deque[SessionRef] = deque()
        # Those that have pools, by the line that made them. Written once for a new
        # pool and once for a pool that is gone, under a lock; reentrant, since a
        # finalizer can run in the middle of it.
        self.lines: dict[Line, dict[int, SessionRef]] = {}
        self.churn = Churn()
        self._lock = threading.RLock()

    def add(
        self,
        session: Any,
        client: Client,
        stack: RawStack,
        *,
        now: float,
        context: dict[str, Any] | None,
        lonely: bool = False,
    ) -> SessionRef:
        """Know a session. Arguments as of `Registry.add_session`."""
        self.forget_dead()
        ref = SessionRef(session, self._dead.append)
        ref.key = id(session)
        ref.client = client
        ref.stack = stack
        ref.scope = current_scope()
        ref.opened = now
        ref.runner, ref.thread = running()
        ref.user = ref.runner
        ref.context = context
        ref.lonely = lonely
        ref.adopted = False
        ref.line = ()
        ref.closed = ref.judged = ref.ended = False
        ref.kind = None
        ref.site = NOWHERE
        ref.pools = []
        ref.name = ""
        ref.alive = ref.sockets = 0
        self.known[ref.key] = ref
        return ref

    def get(self, session: Any) -> SessionRef | None:
        """A session that is known, or None."""
        ref = self.known.get(id(session))
        return ref if ref is not None and ref() is session else None

    def own(self, ref: SessionRef, pool: PoolRef, origins: Origins) -> int:
        """A session has made a pool.

        Its line is looked up here: many a library makes a session as it is imported,
        and never uses it.

        Returns:
            How many sessions of its line have pools now.
        """
        user = runner()
        with self._lock:
            ref.closed = False
            ref.user = user
            if ref.adopted:
                self._give(ref, pool)
                return 0
            ref.line = place_of(ref.stack, origins)
            self._give(ref, pool)
            line = self.lines.setdefault(ref.line, {})
            line[id(ref)] = ref
            return len(line)

    def adopt(self, ref: SessionRef, pools: list[PoolRef], *, claims: bool) -> None:
        """A session and its pools were made before httpguard came.

        Where it `claims` pools, those of an adopted owner are its own all the same.
        """
        with self._lock:
            ref.adopted = ref.lonely = True
            for pool in pools:
                owner: SessionRef | None = pool.owner
                if owner is None or (claims and owner is not ref and owner.adopted):
                    if owner is not None:
                        owner.pools.remove(pool)
                    self._give(ref, pool)

    @staticmethod
    def _give(ref: SessionRef, pool: PoolRef) -> None:
        ref.name = ref.name or pool.name
        ref.pools.append(pool)
        pool.owner = ref

    def close(self, ref: SessionRef) -> None:
        """The program closes a session. What still refers to its pools keeps these."""
        ref.closed = True

    def lose(self, pool: PoolRef) -> None:
        """A pool was collected."""
        with self._lock:
            ref, pool.owner = pool.owner, None
            if ref is None or pool not in ref.pools:
                return
            ref.pools.remove(pool)
            if not ref.lonely:
                self.churn.note(ref, pool)
            if ref.pools:
                return
            line = self.lines.get(ref.line, {})
            line.pop(id(ref), None)
            if not line:
                self.lines.pop(ref.line, None)
        if ref.kind is not None and not ref.ended:
            ref.ended = True
            self.resolved.append(ref)

    def forget_dead(self) -> None:
        """Forget those that were collected, as far as they are known by themselves."""
        for ref in drain(self._dead) if self._dead else ():
            if self.known.get(ref.key) is ref:
                self.known.pop(ref.key, None)
