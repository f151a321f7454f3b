"""httpcore's connection pools: who has a connection, who waits, what comes back."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from ..._leases.references import references
from ..._pools.kind import PoolFacts, PoolKind
from ..._pools.slot import GIVEN_UP
from ..._stacks.variables import first_argument
from ..gate import GATE
from ..patching import as_coroutine_function
from ..sessions import aclosing, closing
from .below import LEASED
from .reclaiming import refill
from .window import uses_up

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from ..._leases.lease import Lease
    from ..._pools.pool import PoolRef
    from ..._pools.slot import Slot
    from ..patching import Method, Patcher

_OWNER: Final = "_httpguard_owner"


class HttpcorePools(PoolKind):
    """The pools of httpcore.

    A pool is for all hosts, and bears the name of the first one.
    """

    def facts(self, pool: Any) -> PoolFacts:
        origin = next((one.request.url.origin for one in list(pool._requests)), None)
        # It was there before httpguard.
        for one in list(pool._connections):
            origin = origin or getattr(one, "_origin", None)
        most = pool._max_connections
        return PoolFacts(
            scheme=origin.scheme.decode("ascii", "replace") if origin else "http",
            host=origin.host.decode("ascii", "replace") if origin else "unknown",
            port=origin.port if origin else None,
            block=most < sys.maxsize,
            maxsize=most if most < sys.maxsize else 0,
        )

    def queued(self, pool: Any) -> list[Any]:
        return [one for one in list(pool._connections) if one.is_idle()]

    def is_open(self, connection: Any) -> bool:
        has_one = getattr(connection, "_connection", None) is not None
        return has_one and not connection.is_closed()

    def is_closed(self, pool: Any) -> bool:
        """A closed one opens again with its next request."""
        return not pool._connections

    def is_empty(self, pool: Any) -> bool:
        connections = list(pool._connections)
        return len(connections) >= pool._max_connections and not any(
            one.is_idle() for one in connections
        )

    def missing(self, pool: Any, taken: int) -> int:  # noqa: ARG002
        """Nothing but the pool has their requests."""
        counts = references([one for one in pool._requests if one.connection])
        return (counts or []).count(1)

    def is_wait(self, pool: Any, owner: object, name: str) -> bool:
        waits = name == "wait_for_connection"
        return waits and any(one is owner for one in list(pool._requests))

    def is_request(self, pool: Any, owner: object, name: str) -> bool:
        """A task that runs is the one that asks."""
        if hasattr(pool, "aclose"):
            return False
        if owner is pool:
            return name == "handle_request"
        return getattr(owner, "_pool", None) is pool

    def refill(self, pool: Any, slot: Slot) -> bool | None:
        return refill(pool, slot)


POOLS: Final = HttpcorePools()


def patch(patcher: Patcher, core: str) -> None:
    root = sys.modules[core]
    empty = root.PoolTimeout
    sync = sys.modules[f"{core}._sync.connection_pool"]
    patcher.wrap(sync.PoolByteStream, "__init__", _stream_init)
    patcher.wrap(sync.PoolByteStream, "close", stream_close)
    patcher.wrap(
        sync.PoolRequest,
        "wait_for_connection",
        partial(_wait, kind=sync.ConnectionPool, empty=empty),
    )
    closed = GATE.pool_closed
    patcher.wrap(sync.ConnectionPool, "close", partial(closing, tell=closed))
    # Without anyio or trio there is still this module.
    other = sys.modules[f"{core}._async.connection_pool"]
    patcher.wrap(other.PoolByteStream, "__init__", _stream_init)
    patcher.wrap(
        other.AsyncPoolRequest,
        "wait_for_connection",
        partial(_await, kind=other.AsyncConnectionPool, empty=empty),
    )
    patcher.wrap(other.AsyncConnectionPool, "aclose", partial(aclosing, tell=closed))


def meet(pool: Any) -> PoolRef | None:
    known = GATE.registry.pools.known.get(id(pool))
    if known is not None and known() is pool:
        return known
    owner = getattr(pool, _OWNER, None)
    return GATE.pool(pool, POOLS, None if owner is None else owner())


def _stream_init(wrapped: Method) -> Method:
    """A request got its answer: the connection was taken."""

    def __init__(self: Any, stream: Any, pool_request: Any, pool: Any) -> None:  # noqa: N807
        wrapped(self, stream, pool_request, pool)
        if GATE.guard is not None:
            try:
                connection = pool_request.connection
                known = GATE.registry.pools.known.get(id(pool))
                slot = None if known is None else known.slots.get(id(connection))
                # All that there is to do for most.
                if known is not None and slot is not None and slot() is connection:
                    known.taken.add()
                else:
                    meet(pool)
                    inner = getattr(connection, "_connection", None)
                    fresh = getattr(inner, "_request_count", 0) == 1
                    GATE.took(pool, connection, fresh=fresh)
            except Exception as error:
                GATE.fault("httpcore", error)

    return __init__


def _wait(wrapped: Method, *, kind: type, empty: type[Exception]) -> Method:
    """A request takes a connection, and waits for one where all are in use."""

    def wait_for_connection(self: Any, timeout: float | None = None) -> Any:
        if self.connection is not None or GATE.guard is None:
            return wrapped(self, timeout)
        with _waiting(kind, empty):
            return wrapped(self, timeout)

    return wait_for_connection


def _await(wrapped: Method, *, kind: type, empty: type[Exception]) -> Method:

    async def waits(self: Any, timeout: float | None) -> Any:
        with _waiting(kind, empty, in_task=True):
            return await wrapped(self, timeout)

    # No coroutine around the one that most need.
    def wait_for_connection(self: Any, timeout: float | None = None) -> Any:
        if self.connection is not None or GATE.guard is None:
            return wrapped(self, timeout)
        return waits(self, timeout)

    return as_coroutine_function(wait_for_connection)


def _waiting(
    kind: type, empty: type[Exception], *, in_task: bool = False
) -> AbstractContextManager[None]:
    try:
        frame = sys._getframe(2)
        # Only the call that waits knows for what pool.
        pool = first_argument(frame)
        if isinstance(pool, kind) and meet(pool) is not None:
            return GATE.waiting(pool, frame, empty, in_task=in_task)
    except Exception as error:
        GATE.fault("httpcore", error)
    return nullcontext()


def stream_close(wrapped: Method) -> Method:
    """A connection comes back, in whichever way. Finalizers may come here."""

    def close(self: Any) -> None:
        if self._closed:
            return
        lease = take_lease(self)
        # A dead one too: nothing but a finalizer, or a generator that the collector
        # ends, has the stream of a response that is gone.
        if lease is not None and not uses_up(self, lease):
            end(lease)
        try:
            wrapped(self)
        finally:
            came_back(self)

    return close


def lend(stream: Any) -> Any:
    """A stream that is about to have a lease."""
    setattr(stream, LEASED, True)
    return stream


def take_lease(stream: Any) -> Lease | None:
    """The lease of a stream that is being closed, out of the registry.

    One of another stream that is gone may wait under its id to be judged.
    """
    leases = GATE.registry.leases
    if id(stream) in leases and hasattr(stream, LEASED):
        return leases.pop(id(stream), None)
    return None


def end(lease: Lease) -> None:
    """A lease that is out of the registry ended well."""
    registry = GATE.registry
    try:
        registry.end(lease)
    except Exception as error:
        registry.give_up(lease, "httpcore", error)


def came_back(stream: Any) -> None:
    """It is back, or closed."""
    registry = GATE.registry
    try:
        known = registry.pools.known.get(id(stream._pool))
        connection = stream._pool_request.connection
        slot = None if known is None else known.slots.get(id(connection))
        found = None if slot is None else slot()
        if known is None or slot is None or found is None or found is not connection:
            return
        known.active = registry.clock()
        is_closed: bool = found.is_closed()
        if is_closed or slot.lost or slot.turn == GIVEN_UP:
            known.comes_back(connection)
        elif known.block:
            slot.turn += 1  # As that does, for most.
        if is_closed:
            known.forget(slot)
    except Exception as error:
        registry.give_up(None, "httpcore", error)
