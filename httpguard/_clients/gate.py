"""What the wrappers of clients call: the one global of ours inside other people's code.

A wrapper has no ``self`` of ours. It finds the guard here, and passes its call through
where there is none. Written by the process alone, which knows who is to be told.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Final

from .._leases.lease import FINALIZED
from .._leases.opening import begin
from .._leases.registry import Registry
from .._model.errors import LeakError
from .._stacks.tasks import capture_task
from .adopting_gate import Adopting
from .guard import Waiting

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from types import FrameType

    from .._leases.client import Client
    from .._pools.kind import PoolKind
    from .._pools.pool import PoolRef
    from .._stacks.raw import RawStack
    from .guard import Guard


class Gate(Adopting):
    """Implements `Leases` for the wrappers of every client.

    The registry is there at any time: one that stays empty where there is no guard.
    """

    __slots__ = ("guard", "registry")

    def __init__(self) -> None:
        self.guard: Guard | None = None
        self.registry = _NOBODY

    def open(self, guard: Guard) -> None:
        """Let the wrappers tell a guard."""
        self.guard = guard
        self.registry = guard.registry
        self.registry.observe(guard)

    def shut(self) -> None:
        """Let the wrappers pass everything through, without taking them off."""
        self.guard = None
        self.registry = _NOBODY

    def before(self) -> None:
        """See `Leases`."""
        registry = self.registry
        guard = self.guard
        if guard is not None and (registry.dead or registry.resolved or registry.alert):
            guard.before_request()

    def begin(
        self,
        client: Client,
        response: Any,
        connection: object,
        pool: PoolRef | None,
        *,
        method: Any,
        url: Any,
        status: int,
        length: int | None,
        frame: FrameType,
        reading: bool = False,
        stack: RawStack | None = None,
    ) -> None:
        """See `Leases`."""
        if self.guard is None or pool is None:
            return
        try:
            begin(
                self.registry,
                client,
                response,
                connection,
                pool,
                method,
                url,
                status,
                length,
                client.bytes_read(response),
                frame,
                reading,
                stack=stack,
            )
        except LeakError:
            raise
        except Exception as error:
            self.fault("begin", error)

    def end(self, pool: object, connection: object) -> bool:
        """See `Leases`. Runs in finalizers too: no lock, no log."""
        registry = self.registry
        lease = registry.leases.pop(id(connection), None)
        try:
            # A dead one is in the deque and is judged there: unless the collector has
            # run code of the program that gives the connection back.
            known = registry.pools.known.get(id(pool))
            if known is not None:
                known.active = registry.clock()
            if lease is not None and (lease() is not None or lease.is_of(known)):
                registry.end(lease)
            known = registry.pools.get(pool)
            return known is None or known.comes_back(connection)
        except Exception as error:
            registry.give_up(lease, "end", error)
            return True

    def closed(self, connection: object, *, by_finalizer: bool) -> None:
        """See `Leases`. Runs in finalizers too: no lock, no log."""
        registry = self.registry
        lease = registry.leases.get(id(connection))
        if lease is None:
            return
        try:
            response = lease()
            if response is not None:
                # The last look, where a sweep will find it closed.
                lease.progressed(response, registry.clock())
            elif not by_finalizer and not lease.is_of(
                registry.pools.known.get(lease.pool.key)
            ):
                return
            lease.finalizing = FINALIZED if by_finalizer else 0
            if not by_finalizer and lease.closed is None:
                lease.closed = registry.clock()
                if not lease.pool.block:
                    # Nothing waits for it to come back.
                    lease.pool.forget(lease.slot)
        except Exception as error:
            registry.give_up(lease, "close", error)

    def read(self, connection: object, wire_bytes: int) -> None:
        """See `Leases`."""
        lease = self.registry.leases.get(id(connection))
        if lease is not None:
            lease.uncounted += wire_bytes

    def pool(
        self, pool: object, kind: PoolKind, session: object = None
    ) -> PoolRef | None:
        """See `Leases`."""
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
        """See `Leases`."""
        guard = self.guard
        try:
            known = self.registry.pools.get(pool)
            if guard is not None and known is not None:
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
        """See `Leases`."""
        guard, waiter = self.guard, None
        known = self.registry.pools.get(pool)
        if guard is None or known is None or not known.block:
            return nullcontext()
        try:
            if known.ask.is_empty(pool):
                waiter = guard.begin_wait(
                    known, frame, self.task_stack(frame) if in_task else None
                )
        except Exception as error:
            self.fault("waiting", error)
        return Waiting(guard, known, waiter, empty)

    def task_stack(self, frame: FrameType) -> RawStack:
        """The stack of a running task, in the place of its thread's."""
        registry = self.registry
        return capture_task(frame, registry.depth, registry.origins)

    def session(self, session: Any, client: Client, frame: FrameType) -> None:
        """See `Leases`."""
        if self.guard is not None and self.guard.judges_sessions:
            self.guard.made(session, client, frame)

    def owner_closed(self, owner: object) -> None:
        """See `Leases`."""
        registry = self.registry
        try:
            session, pool = registry.sessions.get(owner), registry.pools.get(owner)
            if session is not None:
                registry.sessions.close(session)
            if pool is not None:
                pool.closes()
        except Exception as error:
            self.fault("close", error)

    def fault(self, where: str, error: Exception) -> None:
        """See `Leases`."""
        if self.guard is not None:
            self.guard.step_aside(where, error)


_NOBODY: Final = Registry()
GATE: Final = Gate()
