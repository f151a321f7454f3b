"""What the wrappers of clients call: the one global of ours inside other people's code.

A wrapper has no ``self`` of ours. It finds the guard here, and passes its call through
where there is none. Written by the process alone, which knows who is to be told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .._leases.adoption import adopt
from .._leases.lease import FINALIZED, Lease
from .._leases.registry import Registry
from .opening_gate import OpeningGate

if TYPE_CHECKING:
    from .._leases.client import Client
    from .._pools.pool import PoolRef
    from .guard import Guard


class Gate(OpeningGate):
    """What a client's wrappers may call. Nothing but `LeakError` ever rises.

    The registry is there at any time: one that stays empty where there is no guard.
    Without a guard all of it does nothing.
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
        """A request begins. In strict mode, raises the `LeakError` of this thread."""
        registry = self.registry
        guard = self.guard
        if guard is not None and (registry.dead or registry.alert):
            guard.before_request()

    def adopt(
        self,
        client: Client,
        response: Any,
        connection: object,
        pool: PoolRef | None,
        **facts: Any,
    ) -> Lease | None:
        """A response holds a connection, and was opened before httpguard came.

        The facts are as of `begin`; and ``taken``, what it has of the pool, which is
        missing there. None: it has a lease already, or has ended.
        """
        if self.guard is None or pool is None:
            return None
        try:
            return adopt(self.registry, client, response, connection, pool, **facts)
        except Exception as error:
            self.fault("adopt", error)
            return None

    def end(self, pool: object, connection: object) -> bool:
        """A connection comes back to its pool: the lease under it ended well.

        To be called before another request can take it. Runs in finalizers too: no
        lock, no log. False: the pool was given another one in its place, and is full;
        to be closed, not kept.
        """
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
        """The response of a connection is about to be closed.

        What a finalizer closes was dropped. Runs in finalizers too: no lock, no log.
        """
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
        """Bytes of a response were read that `Client.bytes_read` does not count."""
        lease = self.registry.leases.get(id(connection))
        if lease is not None:
            lease.uncounted += wire_bytes

    def fault(self, where: str, error: Exception) -> None:
        """A wrapper failed inside: it is said once."""
        if self.guard is not None:
            self.guard.step_aside(where, error)


_NOBODY: Final = Registry()
GATE: Final = Gate()
