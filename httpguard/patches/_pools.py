"""Connection pools: what they give out and get back, and who has to wait.

About 0.3 us for a request in a loop (``benchmarks/``). Nothing here takes a lock or
looks at a stack unless the pool has nothing to give.
"""

from __future__ import annotations

import sys
from typing import Any

from .._pool import GIVEN_UP, PoolRef
from ._patch import STATE, Hub, Method, wrap


def apply() -> None:
    """Patch what `urllib3.connectionpool` defines."""
    from urllib3.connectionpool import HTTPConnectionPool

    wrap(HTTPConnectionPool, "_get_conn", _get_conn)
    wrap(HTTPConnectionPool, "_put_conn", _put_conn)
    wrap(HTTPConnectionPool, "close", _close)


def _get_conn(wrapped: Method) -> Method:
    """A request takes a connection, and waits for one where the pool blocks."""

    def _get_conn(self: Any, timeout: float | None = None) -> Any:
        hub = STATE.hub
        if hub is None:
            return wrapped(self, timeout)
        pool: Any = hub.registry.pools.get(id(self))
        if pool is None or pool() is not self:
            pool = _meet(hub, self)
            if pool is None:
                return wrapped(self, timeout)
        # `queue`: of the standard library's, urllib3's own and gevent's queues.
        if pool.block and not getattr(self.pool, "queue", True):
            connection = _wait(hub, wrapped, self, timeout, pool)
        else:
            connection = wrapped(self, timeout)
        try:
            pool.taken.add()
            if pool.block:
                pool.know(connection)
            if connection.sock is None:
                pool.connects(connection)
        except Exception as error:
            hub.step_aside("get_conn", error)
        return connection

    return _get_conn


def _put_conn(wrapped: Method) -> Method:
    """A connection comes back: it is kept, or closed where the pool is full."""

    def _put_conn(self: Any, conn: Any) -> Any:
        try:
            kept = (
                conn.sock is not None
                and not self.block
                and len(self.pool.queue) < self.pool.maxsize
            )
        except AttributeError:  # No connection, or no queue: the pool is closed.
            kept = False
        return wrapped(self, conn) if kept else _put_back(wrapped, self, conn)

    return _put_conn


def _put_back(wrapped: Method, pool: Any, connection: Any) -> Any:
    """As `_put_conn`, where there is something to note."""
    hub = STATE.hub
    if hub is None:
        return wrapped(pool, connection)
    slot = known = None
    try:
        known = hub.registry.pools.get(id(pool))
        if known is not None and known() is pool:
            slot = known.slot_of(connection)
        if known is not None and slot is not None:
            known.comes_back(slot, connection)
    except Exception as error:
        hub.step_aside("put_conn", error)
    if slot is not None and slot.turn == GIVEN_UP:
        # A pool that blocks would be too full.
        return connection.close()
    result = wrapped(pool, connection)
    if known is not None and slot is not None and slot.open:
        try:
            if known.discards(slot, connection):
                hub.attend()
        except Exception as error:
            hub.step_aside("put_conn", error)
    return result


def _close(wrapped: Method) -> Method:
    """A pool closes the connections that wait in it."""

    def close(self: Any) -> None:
        hub = STATE.hub
        if hub is not None:
            try:
                known = hub.registry.pools.get(id(self))
                if known is not None and known() is self:
                    known.closes()
            except Exception as error:
                hub.step_aside("close", error)
        wrapped(self)

    return close


def _meet(hub: Hub, pool: Any) -> PoolRef | None:
    """Know a pool from here on; None if that fails."""
    try:
        return hub.registry.meet(pool)
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
