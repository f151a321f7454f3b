"""What is lost in httpcore's pools, closed where that is safe.

The pool keeps the request and the connection of a response that is gone, or what a
request that went wrong has left: nobody else has them. A pool of coroutines belongs to
its loop, which is asked to do it. Over HTTP/2 others use the connection, which stays.
"""

from __future__ import annotations

import weakref
from functools import partial
from sys import modules
from typing import TYPE_CHECKING, Any, Final

from ..gate import GATE
from .client import LEFT, is_forgotten

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..._pools.slot import Slot

    Start = Callable[[Any], object]

# On a request of a pool.
_MARK: Final = "_httpguard_mark"
# Another thread's hand on the pool is waited for, in seconds.
_PATIENCE: Final = 0.05


class Mark:
    """Whose a request of a pool is, and how its loop is reached; None: a thread's."""

    __slots__ = ("response", "stream", "where")

    def __init__(
        self, request: Any, stream: Any, response: Any, where: Start | None
    ) -> None:
        self.response = weakref.ref(response)
        self.stream = weakref.ref(stream)
        self.where = where
        setattr(request, _MARK, self)

    @property
    def is_lost(self) -> bool:
        """Whether nobody can read it any more."""
        return self.stream() is None or is_forgotten(self.response)


def refill(pool: Any, slot: Slot) -> bool | None:
    """Close a connection that nobody has, and give its slot to the next request.

    See `PoolKind.refill`.
    """
    for request in list(pool._requests):
        mine: Mark | None = getattr(request, _MARK, None)
        # Without one it waits, maybe for this connection: httpcore has promised one
        # that was idle to all who waited.
        if mine is None or slot() is None or slot() is not request.connection:
            continue
        if not mine.is_lost:
            return None  # Somebody may yet read it; a look of ours has it for a moment.
        return _shut(pool, slot(), request, mine.where)
    return False


def leave(pool: Any, connection: Any, request: Any) -> None:
    """Say on a connection that it is nobody's, and how it is closed if that is wanted.

    Called where its request was: a task's is closed in that one's loop. The pool may
    have the request still; None: it has not.
    """
    guard = GATE.guard
    if guard is None or not guard.reclaims:
        setattr(connection, LEFT, None)
        return
    where = loop_here()
    # The pool alone keeps them: its connection has this here.
    its_pool = weakref.ref(pool)
    its_request = weakref.ref(pool if request is None else request)

    def close(connection: Any) -> None:
        pool = its_pool()
        if pool is not None:
            _shut(pool, connection, its_request(), where)

    setattr(connection, LEFT, close)


def _shut(pool: Any, connection: Any, request: Any, where: Start | None) -> bool | None:
    """Close a connection, from any thread, and give its place to the next request.

    False: that is done, or its loop is over. None: another thread has the pool.
    """
    if hasattr(pool, "aclose"):

        async def close() -> None:
            # Gone since, with its pool say.
            if connection in pool._connections:
                await pool._close_connections(_taken_out(pool, connection, request))

        return where is not None and _start(where, close)
    lock = pool._optional_thread_lock._lock
    if not lock.acquire(timeout=_PATIENCE):
        return None
    try:
        if connection not in pool._connections:
            return False
        closing = _taken_out(pool, connection, request)
    finally:
        lock.release()
    pool._close_connections(closing)
    return True


def _taken_out(pool: Any, connection: Any, request: Any) -> list[Any]:
    """Have a pool forget a connection; what is to be closed then."""
    pool._connections.remove(connection)
    if request in pool._requests:  # Others may be promised it: they wait on.
        pool._requests.remove(request)
    return [connection, *pool._assign_requests_to_connections()]


def _start(where: Start, close: Callable[[], Any]) -> bool:
    """Have a loop close something; False where it is over."""

    async def closes() -> None:
        try:
            await close()
        except Exception as error:  # trio would end all tasks.
            GATE.fault("reclaim", error)

    try:
        where(closes)
    except Exception:  # The loop is closed.
        return False
    return True


def loop_here() -> Start | None:
    """How a task is started from any thread in the loop that runs here."""
    events: Any = modules.get("asyncio.events")
    loop = None if events is None else events._get_running_loop()
    if loop is not None:
        return lambda close: loop.call_soon_threadsafe(
            lambda: loop.create_task(close())
        )
    trio: Any = modules.get("trio")
    if trio is not None:
        try:
            token = trio.lowlevel.current_trio_token()
        except RuntimeError:
            return None
        return partial(token.run_sync_soon, trio.lowlevel.spawn_system_task)
    return None
