"""Connection pools: what they give out and get back, and who has to wait.

About 0.4 us for a request in a loop (``benchmarks/``). Nothing here takes a lock or
looks at a stack unless the pool has nothing to give.
"""

from __future__ import annotations

import sys
from typing import Any

from ..._pools.pool import GIVEN_UP, PoolRef
from ..patching import STATE, Hub, Method, wrap


def apply() -> None:
    """Patch what `urllib3.connectionpool` defines."""
    from urllib3.connectionpool import HTTPConnectionPool

    wrap(HTTPConnectionPool, "_get_conn", _get_conn)
    wrap(HTTPConnectionPool, "close", _close)


def _get_conn(wrapped: Method) -> Method:
    """A request takes a connection, and waits for one where the pool blocks."""

    def _get_conn(self: Any, timeout: float | None = None) -> Any:
        if self.block:
            return _take(wrapped, self, timeout)
        connection = wrapped(self, timeout)
        try:
            if connection.sock is not None:
                # By `_took`, since it has an open connection.
                STATE.registry.pools.known[id(self)].taken.add()
                return connection
        except Exception:  # noqa: S110  # It was opened before `install`.
            pass
        _took(self, connection)
        return connection

    return _get_conn


def _take(wrapped: Method, pool: Any, timeout: float | None) -> Any:
    """As `_get_conn`, of a pool that blocks."""
    hub = STATE.hub
    known = None if hub is None else _meet(hub, pool)
    # `queue`: of the standard library's, urllib3's own and gevent's queues.
    if hub is None or known is None or getattr(pool.pool, "queue", True):
        connection = wrapped(pool, timeout)
    else:
        connection = _wait(hub, wrapped, pool, timeout, known)
    _took(pool, connection)
    return connection


def _took(pool: Any, connection: Any) -> None:
    """A request has taken a connection, and there may be something to note."""
    hub = STATE.hub
    known = None if hub is None else _meet(hub, pool)
    if hub is None or known is None:
        return
    try:
        known.taken.add()
        known.know(connection)
        if connection.sock is None:
            known.connects(connection)
    except Exception as error:
        hub.step_aside("get_conn", error)


def put_conn(wrapped: Method) -> Method:
    """``_put_conn``: a connection comes back; a pool that is full closes it.

    With it a lease ends well: so do urllib3's responses give theirs back.
    """

    def _put_conn(self: Any, conn: Any) -> Any:
        registry = STATE.registry
        # Before another thread can take it.
        lease = registry.leases.pop(id(conn), None)
        if lease is not None:
            try:
                # A dead one, of a reused id, is in the deque and is judged there.
                if lease() is not None:
                    registry.end(lease)
            except Exception as error:
                registry.give_up(lease, "put_conn", error)
        try:
            plain = conn.sock is not None and not self.block
        except Exception:  # No connection, or none of urllib3's.
            plain = False
        if not plain:
            return _put_back(wrapped, self, conn)
        result = wrapped(self, conn)
        if conn.sock is None:
            _discarded(self, conn)
        return result

    return _put_conn


def _put_back(wrapped: Method, pool: Any, connection: Any) -> Any:
    """As `put_conn`, of a pool that blocks, or where there is nothing to keep."""
    hub = STATE.hub
    slot = None
    if hub is not None:
        try:
            known = hub.registry.pools.get(pool)
            if known is not None:
                slot = known.slot_of(connection)
                if slot is not None:
                    known.comes_back(slot, connection)
        except Exception as error:
            hub.step_aside("put_conn", error)
    if slot is not None and slot.turn == GIVEN_UP:
        # The pool would be too full.
        return connection.close()
    return wrapped(pool, connection)


def _discarded(pool: Any, connection: Any) -> None:
    """A pool was full, or is closed, and has closed a connection that came back."""
    hub = STATE.hub
    if hub is not None:
        try:
            known = hub.registry.pools.get(pool)
            if known is not None and known.discards(connection):
                hub.attend()
        except Exception as error:
            hub.step_aside("put_conn", error)


def _close(wrapped: Method) -> Method:
    """A pool closes the connections that wait in it."""

    def close(self: Any) -> None:
        hub = STATE.hub
        if hub is not None:
            try:
                known = hub.registry.pools.get(self)
                if known is not None:
                    known.closes()
            except Exception as error:
                hub.step_aside("close", error)
        wrapped(self)

    return close


def _meet(hub: Hub, pool: Any) -> PoolRef | None:
    """Know a pool, from here on if need be; None if that fails."""
    try:
        return hub.registry.pools.meet(pool, hub.registry.clock())
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
