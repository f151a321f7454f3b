"""What a client's wrappers may say of pools and sessions."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from .._leases.adoption import adopt_session
from .._stacks.tasks import capture_task
from .guard import Waiting
from .losing import note_retries

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextlib import AbstractContextManager
    from types import FrameType

    from .._leases.client import Client
    from .._leases.registry import Registry
    from .._pools.kind import PoolKind
    from .._pools.pool import PoolRef
    from .._stacks.raw import RawStack
    from .guard import Guard


class PoolGate:
    """A part of `Gate`."""

    __slots__ = ()

    if TYPE_CHECKING:
        guard: Guard | None
        registry: Registry

        def fault(self, where: str, error: Exception) -> None: ...

    def pool(
        self, pool: object, kind: PoolKind, session: object = None
    ) -> PoolRef | None:
        """What is known of a pool, from here on if need be; None: no guard.

        It may be that of a session of which `session` was told.
        """
        guard, registry = self.guard, self.registry
        if guard is None:
            return None
        try:
            known = registry.pools.meet(pool, kind, registry.clock())
            if session is not None and known.owner is None:
                owner = registry.sessions.get(session)
                if owner is not None:
                    guard.own(owner, known)
        except Exception as error:
            self.fault("pool", error)
            return None
        return known

    def took(self, pool: object, connection: object, *, fresh: bool) -> None:
        """A request has taken a connection of a pool; a fresh one has no socket yet."""
        guard = self.guard
        try:
            # As `Pools.get`, without a call.
            known = self.registry.pools.known.get(id(pool))
            if guard is not None and known is not None and known() is pool:
                known.took(connection, fresh=fresh, now=self.registry.clock())
                if fresh:
                    guard.opened()
        except Exception as error:
            self.fault("took", error)

    def waiting(
        self,
        pool: object,
        frame: FrameType,
        empty: type[Exception],
        *,
        in_task: bool = False,
    ) -> AbstractContextManager[None]:
        """Around the taking of a connection, for which a request or a task may wait.

        `empty` is the client's error for having waited in vain: it gets a note that
        says who holds the connections.
        """
        guard, waiter = self.guard, None
        known = self.registry.pools.get(pool)
        if guard is None or known is None or not known.block:
            return nullcontext()
        try:
            if known.ask.is_empty(pool):
                note_retries(self.registry, None, frame)
                waiter = guard.begin_wait(
                    known, frame, self.task_stack(frame) if in_task else None
                )
        except Exception as error:
            self.fault("waiting", error)
        return Waiting(guard, known, waiter, empty)

    def task_stack(self, frame: FrameType, site: RawStack = ()) -> RawStack:
        """The stack of a running task, in the place of its thread's.

        It begins with the site, from a call out to the application's line: the task may
        do so below that, as with ``gather(session.get(...))``.
        """
        registry = self.registry
        whole = capture_task(frame, registry.depth, registry.origins)
        if not site:
            return whole
        for index in range(0, len(whole), 2):
            if whole[index] is site[-2]:
                return site + whole[index + 2 :]
        return site

    def session(self, session: Any, client: Client, frame: FrameType) -> None:
        """The program, or a library for it, made a session."""
        if self.guard is not None and self.guard.judges_sessions:
            self.guard.made(session, client, frame)

    def adopt_session(
        self,
        session: Any,
        client: Client,
        pools: Iterable[tuple[object, PoolKind]],
        *,
        claims: bool = True,
    ) -> None:
        """A session was made before httpguard came, and these pools by it.

        It `claims` them, although others may have said so of theirs.
        """
        if self.guard is None or not self.guard.judges_sessions:
            return
        try:
            met = [self.pool(pool, kind) for pool, kind in pools]
            known = [pool for pool in met if pool is not None]
            adopt_session(self.registry, session, client, known, claims=claims)
        except Exception as error:
            self.fault("adopt", error)

    def pool_closed(self, pool: object) -> None:
        """A pool closes all connections, those in use too: its responses end with it.

        Runs in finalizers too: no lock, no log.
        """
        registry = self.registry
        self.owner_closed(pool)
        try:
            known = registry.pools.get(pool)
            if known is not None:
                for lease in list(registry.leases.values()):
                    if lease.pool is known and lease() is not None:
                        registry.release(lease)
                for slot in list(known.slots.values()):
                    known.forget(slot)
        except Exception as error:
            registry.give_up(None, "close", error)

    def owner_closed(self, owner: object) -> None:
        """The program is about to close a session or a pool."""
        registry = self.registry
        try:
            session, pool = registry.sessions.get(owner), registry.pools.get(owner)
            if session is not None:
                session.closed = True
            if pool is not None:
                pool.closes()
        except Exception as error:
            self.fault("close", error)
