"""What a dropped response has left in httpcore's pool, closed where that is safe.

The pool keeps the request and the connection of a response that is gone: nobody else
has them. A pool of coroutines belongs to its loop, which is asked to do it.
"""

from __future__ import annotations

import weakref
from sys import modules
from typing import TYPE_CHECKING, Any, Final

from ..._pools.slot import GIVEN_UP
from ..gate import GATE
from .client import is_forgotten

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..._pools.pool import PoolRef

# On a request of a pool: its response and its stream, weakly, and how its loop is
# reached.
_MARK: Final = "_httpguard_mark"
# Another thread's hand on the pool is waited for, in seconds.
_PATIENCE: Final = 0.05


def mark(pool_request: Any, stream: Any, response: Any, *, is_async: bool) -> None:
    """Remember whose a request of a pool is, and where it may be closed."""
    where = _loop() if is_async else None
    mine = weakref.ref(response), weakref.ref(stream), where
    setattr(pool_request, _MARK, mine)


def refill(pool: Any, known: PoolRef) -> bool | None:
    """Close one connection that nobody has any more, and give its slot to the next.

    Args:
        pool: Of httpcore.
        known: What is known of it: the slot that is given up is that connection's.

    Returns:
        As of `PoolKind.refill`.
    """
    for request in list(pool._requests):
        connection = request.connection
        slot = None if connection is None else known.slot_of(connection)
        if slot is None or slot.turn != GIVEN_UP:
            continue
        mine = getattr(request, _MARK, None)
        if mine is None:
            return False
        response, stream, where = mine
        if not (stream() is None or is_forgotten(response)):
            return False  # Somebody may yet read it.
        if hasattr(pool, "aclose"):
            return where is not None and _ask(where, pool, request, connection)
        return _close(pool, request, connection)
    return False


def _close(pool: Any, request: Any, connection: Any) -> bool | None:
    """In a pool of threads."""
    lock = pool._optional_thread_lock._lock
    if not lock.acquire(timeout=_PATIENCE):
        return None
    try:
        if request not in pool._requests:
            return False
        pool._requests.remove(request)
        connection.close()  # Which the pool then takes out.
        closing = pool._assign_requests_to_connections()
    finally:
        lock.release()
    pool._close_connections(closing)
    return True


def _ask(where: Callable[[Any], object], pool: Any, request: Any, one: Any) -> bool:
    """In a pool of coroutines: by a task in its loop."""

    async def close() -> None:
        try:
            if request in pool._requests:
                pool._requests.remove(request)
                try:
                    await one.aclose()
                finally:
                    closing = pool._assign_requests_to_connections()
                await pool._close_connections(closing)
        except Exception as error:  # trio would end all tasks.
            GATE.fault("reclaim", error)

    try:
        where(close)
    except Exception:  # The loop is closed.
        return False
    return True


def _loop() -> Callable[[Any], object] | None:
    """How a task is started from any thread in the loop that runs here."""
    events: Any = modules.get("asyncio.events")
    loop = None if events is None else events._get_running_loop()
    if loop is not None:
        return _Asyncio(loop)
    trio: Any = modules.get("trio")
    if trio is not None:
        try:
            return _Trio(trio, trio.lowlevel.current_trio_token())
        except RuntimeError:
            return None
    return None


class _Asyncio:
    """Starts tasks in a loop of asyncio."""

    __slots__ = ("_loop",)

    def __init__(self, loop: Any) -> None:
        self._loop = loop

    def __call__(self, close: Any) -> None:
        self._loop.call_soon_threadsafe(lambda: self._loop.create_task(close()))


class _Trio:
    """Starts tasks in a run of trio."""

    __slots__ = ("_token", "_trio")

    def __init__(self, trio: Any, token: Any) -> None:
        self._trio = trio
        self._token = token

    def __call__(self, close: Any) -> None:
        self._token.run_sync_soon(self._trio.lowlevel.spawn_system_task, close)
