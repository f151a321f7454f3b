"""Connection pools: what they give out and get back, and who has to wait.

About 0.9 us for a request (``benchmarks/``). Nothing here takes a lock or looks at
a stack unless the pool has nothing to give.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from .._pool import GIVEN_UP, PoolRef, Slot
from ._patch import STATE, Hub, Method, wrap

if TYPE_CHECKING:
    from .._registry import Registry


def apply() -> None:
    """Patch what `urllib3.connectionpool` defines."""
    from urllib3.connectionpool import HTTPConnectionPool

    wrap(HTTPConnectionPool, "_get_conn", _get_conn)
    wrap(HTTPConnectionPool, "_put_conn", _put_conn)


def _get_conn(wrapped: Method) -> Method:
    """A request takes a connection, and waits for one where the pool blocks."""

    def _get_conn(self: Any, timeout: float | None = None) -> Any:
        hub = STATE.hub
        if hub is None:
            return wrapped(self, timeout)
        registry = hub.registry
        pool = registry.pools.get(id(self))
        if pool is None or pool() is not self:
            pool = _meet(hub, registry, self)
            if pool is None:
                return wrapped(self, timeout)
        # `queue`: of the standard library's, urllib3's own and gevent's queues.
        if pool.block and not getattr(self.pool, "queue", True):
            connection = _wait(hub, wrapped, self, timeout, pool)
        else:
            connection = wrapped(self, timeout)
        try:
            key = id(connection)
            slot = pool.idle.pop(key, None)
            if slot is None or slot() is not connection:
                slot = Slot(connection, pool.graves.append)
                slot.key = key
                slot.turn = 1
            else:
                slot.turn += 1
            out = pool.out
            out[key] = slot
            if len(out) > pool.peak:
                # What was collected does not count. Two threads at once: one of
                # them sees the higher figure.
                pool.bury()
                pool.peak = max(pool.peak, len(out))
            pool.taken.add()
            if connection.sock is None:
                # It is new, or the server had closed it.
                pool.connected.add()
        except Exception as error:
            hub.step_aside("get_conn", error)
        return connection

    return _get_conn


def _put_conn(wrapped: Method) -> Method:
    """A connection comes back: it is kept, or closed where the pool is full."""

    def _put_conn(self: Any, conn: Any) -> Any:
        registry = STATE.registry
        pool: Any = None if registry is None else registry.pools.get(id(self))
        if pool is None or conn is None or pool() is not self:
            return wrapped(self, conn)
        key = id(conn)
        slot = pool.out.pop(key, None) or pool.strays.pop(key, None)
        if slot is None or slot() is not conn:
            return wrapped(self, conn)
        if slot.turn == GIVEN_UP:
            # Its slot was given back long ago; a pool that blocks would be too full.
            return conn.close()
        slot.turn += 1
        if conn.sock is None:
            return wrapped(self, conn)
        # Before it is there for others to take.
        pool.idle[key] = slot
        result = wrapped(self, conn)
        if conn.sock is None and pool.idle.pop(key, None) and self.pool is not None:
            _discarded(pool)
        return result

    return _put_conn


def _meet(hub: Hub, registry: Registry, pool: Any) -> PoolRef | None:
    """Know a pool from here on; None if that fails."""
    try:
        return registry.meet(pool)
    except Exception as error:
        hub.step_aside("meet", error)
        return None


def _wait(
    hub: Hub, wrapped: Method, pool: Any, timeout: float | None, known: PoolRef
) -> Any:
    """Wait for a connection where the guard can see it."""
    from urllib3.exceptions import EmptyPoolError

    waiter = hub.begin_wait(known, sys._getframe(2))
    try:
        return wrapped(pool, timeout)
    except EmptyPoolError as error:
        hub.explain(known, error)
        raise
    finally:
        hub.end_wait(waiter)


def _discarded(pool: PoolRef) -> None:
    """Count a connection that the full pool has closed."""
    pool.discarded.add()
    hub = STATE.hub
    if hub is not None:
        hub.attend()
