"""Connection pools: what they give out and get back, and who has to wait.

About 0.4 us for a request in a loop (``benchmarks/``). Nothing here takes a lock or
looks at a stack unless the pool has nothing to give.
"""

from __future__ import annotations

import queue
import sys
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from ..._model.errors import hand_back
from ..._pools.kind import PoolFacts, PoolKind
from ..gate import GATE
from ..sessions import closing

if TYPE_CHECKING:
    from ..._pools.slot import Slot
    from ..patching import Method, Patcher

# Somebody else's hand on a pool's queue is waited for, in seconds: it may be this
# very thread's, below a finalizer.
_PATIENCE: Final = 0.05


class Urllib3Pools(PoolKind):
    def facts(self, pool: Any) -> PoolFacts:
        return PoolFacts(
            scheme=pool.scheme,
            host=pool.host,
            port=pool.port,
            block=bool(pool.block),
            # None once the pool is closed.
            maxsize=getattr(pool.pool, "maxsize", 0),
        )

    def queued(self, pool: Any) -> list[Any]:
        # `queue`: of the standard library's, urllib3's own and gevent's queues.
        queued = getattr(getattr(pool, "pool", None), "queue", ())
        return [connection for connection in list(queued) if connection is not None]

    def is_open(self, connection: Any) -> bool:
        return getattr(connection, "sock", None) is not None

    def is_closed(self, pool: Any) -> bool:
        return pool.pool is None

    def is_empty(self, pool: Any) -> bool:
        return bool(pool.pool.empty())

    def missing(self, pool: Any, taken: int) -> int:
        """A pool that blocks is filled with places when it is made."""
        places = pool.pool
        if not pool.block or places is None:
            return 0
        return max(int(places.maxsize) - len(places.queue) - taken, 0)

    def is_wait(self, pool: Any, owner: object, name: str) -> bool:
        return owner is pool and name == "_get_conn"

    def is_request(self, pool: Any, owner: object, name: str) -> bool:
        if owner is pool:
            return name == "urlopen"
        return getattr(owner, "_pool", None) is pool

    def refill(self, pool: Any, slot: Slot) -> bool | None:  # noqa: ARG002
        """The places of a queue are all alike."""
        mutex = getattr(pool.pool, "mutex", None)
        if mutex is not None:
            if not mutex.acquire(timeout=_PATIENCE):
                return None
            mutex.release()
        try:
            pool.pool.put(None, block=False)
        except queue.Full:
            return False
        return True


POOLS: Final = Urllib3Pools()


def patch(patcher: Patcher, package: str) -> None:
    HTTPConnection = import_module(f"{package}.connection").HTTPConnection  # noqa: N806
    module = import_module(f"{package}.connectionpool")
    HTTPConnectionPool = module.HTTPConnectionPool  # noqa: N806
    empty = import_module(f"{package}.exceptions").EmptyPoolError
    patcher.wrap(HTTPConnectionPool, "_get_conn", partial(_get_conn, empty=empty))
    patcher.wrap(HTTPConnectionPool, "close", closing)
    if "close" in vars(HTTPConnection):
        patcher.wrap(HTTPConnection, "close", _cut)
    else:  # urllib3 1.26 has that of http.client.
        patcher.add(HTTPConnection, "close", _cut(HTTPConnection.close))


def _get_conn(wrapped: Method, *, empty: type[Exception]) -> Method:
    """A request takes a connection, and waits for one where the pool blocks."""

    def _get_conn(self: Any, timeout: float | None = None) -> Any:
        # An empty list: who waits is noted, and costs a stack.
        # `queue`: of the standard library's, urllib3's own and gevent's queues.
        if self.block and not getattr(self.pool, "queue", True):
            GATE.pool(self, POOLS)
            # Called from here: the program's tracebacks have one frame of ours.
            with GATE.waiting(self, sys._getframe(1), empty):
                connection = wrapped(self, timeout)
        else:
            connection = wrapped(self, timeout)
        try:
            known = GATE.registry.pools.known[id(self)]
            if connection.sock is not None and (
                # As `slot_of`, without a call.
                not self.block or known.slots[id(connection)]() is connection
            ):
                # Not in one: CPython looks up a method in a slot anew each time.
                count = known.taken.add
                count()
                return connection
        except Exception as error:  # It was opened before `install`.
            hand_back(error)
        if GATE.pool(self, POOLS) is not None:
            sock = getattr(connection, "sock", None)
            GATE.took(self, connection, fresh=sock is None)
        return connection

    return _get_conn


def put_conn(wrapped: Method) -> Method:
    """``_put_conn``: a connection comes back; a pool that is full closes it.

    With it a lease ends well: so do urllib3's responses give theirs back.
    """

    def _put_conn(self: Any, conn: Any) -> Any:
        registry = GATE.registry
        # Before another thread can take it.
        lease = registry.leases.pop(id(conn), None)
        try:
            plain = conn.sock is not None and not self.block
            if lease is None:  # Those of others are seen by sweeps.
                registry.pools.known[id(self)].active = registry.clock()
            # A dead one is in the deque and is judged there: unless the collector has
            # run code of the program that gives the connection back.
            elif lease() is not None or lease.is_of(registry.pools.known.get(id(self))):
                closed = lease.finalizing or lease.closed is not None
                if plain or not closed or conn.sock is not None:
                    registry.end(lease)
                else:  # Left early: it comes back alone.
                    registry.finish_closed(lease)
        except Exception as error:
            plain = False
            if lease is None:  # No connection of urllib3's, or of a pool of before.
                hand_back(error)
            else:
                registry.give_up(lease, "put_conn", error)
        if not plain and not _may_come_back(self, conn):
            return conn.close()
        result = wrapped(self, conn)
        if plain and conn.sock is None:
            _discarded(self, conn)
        return result

    return _put_conn


def _may_come_back(pool: Any, connection: Any) -> bool:
    """As `put_conn`, of a pool that blocks, or where there is nothing to keep.

    False: there is no room. The pool may have been given another one instead.
    """
    try:
        # As `Pools.get`, without a call.
        known = GATE.registry.pools.known.get(id(pool))
        return known is None or known() is not pool or known.comes_back(connection)
    except Exception as error:
        GATE.fault("put_conn", error)
        return True


def _discarded(pool: Any, connection: Any) -> None:
    """A pool was full, or is closed, and has closed a connection that came back."""
    try:
        known = GATE.registry.pools.get(pool)
        if known is not None and known.discards(connection) and GATE.guard is not None:
            GATE.guard.attend()
    except Exception as error:
        GATE.fault("put_conn", error)


def _cut(wrapped: Method) -> Method:
    """A connection is closed: by the program, the response on it is over with it.

    The response calls itself closed from then on, so that nobody closes it again. Runs
    in finalizers: no lock, no log.
    """

    def close(self: Any) -> None:
        registry = GATE.registry
        lease = registry.leases.get(id(self))
        if lease is not None and lease.closed is None and not lease.finalizing:
            try:
                if lease() is not None:
                    lease.closed = registry.clock()
                    if not lease.pool.block:
                        lease.pool.forget(lease.slot)
            except Exception as error:
                registry.give_up(lease, "connection", error)
        wrapped(self)

    return close
