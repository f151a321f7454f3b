"""What a dropped response has left in httpcore's pool, closed where that is safe.

The pool keeps the request and the connection of a response that is gone: nobody else
has them. A pool of coroutines belongs to its loop, which is asked to do it. Of HTTP/2
it is the stream that is given back: see `cancelling`.
"""

from __future__ import annotations

from contextlib import suppress
from sys import modules
from typing import TYPE_CHECKING, Any, Final

from ..._pools.slot import GIVEN_UP
from ..gate import GATE
from .cancelling import Mark, is_used_up, mark_of, retire

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..._pools.pool import PoolRef

# Another thread's hand on the pool is waited for, in seconds.
_PATIENCE: Final = 0.05


def mark(pool_request: Any, stream: Any, response: Any, *, is_async: bool) -> Mark:
    """Remember whose a request of a pool is, and where it may be closed."""
    return Mark(pool_request, stream, response, _loop() if is_async else None)


def refill(pool: Any, known: PoolRef) -> bool | None:
    """Close one connection or stream that nobody has, and give its slot to the next.

    Args:
        known: What is known of it: the slot that is given up is that connection's.

    Returns:
        As of `PoolKind.refill`.
    """
    for request in list(pool._requests):
        mine = mark_of(request)
        connection = request.connection
        if mine is not None and mine.slot is not None:
            if not mine.is_given_up:
                continue
        else:
            slot = None if connection is None else known.slot_of(connection)
            if slot is None or slot.turn != GIVEN_UP:
                continue
        if mine is None:
            return False
        if not mine.is_lost:
            return False  # Somebody may yet read it.
        if hasattr(pool, "aclose"):
            return mine.where is not None and _ask(pool, request, mine)
        return _close(pool, request, mine)
    return False


def _close(pool: Any, request: Any, mine: Mark) -> bool | None:
    """In a pool of threads."""
    lock = pool._optional_thread_lock._lock
    if not lock.acquire(timeout=_PATIENCE):
        return None
    try:
        if request not in pool._requests:
            return False
        if mine.http2 is None:
            pool._requests.remove(request)
            request.connection.close()  # Which the pool then takes out.
        elif is_used_up(mine.http2):
            retire(mine.http2)
            pool._requests.remove(request)
            # Which wakes who waits for a stream, and closes a connection without any.
            mine.http2._response_closed(mine.id)
        else:
            return None  # No need yet.
        closing = pool._assign_requests_to_connections()
    finally:
        lock.release()
    pool._close_connections(closing)
    return True


def _ask(pool: Any, request: Any, mine: Mark) -> bool:
    """In a pool of coroutines: by a task in its loop."""

    async def close() -> None:
        try:
            if request in pool._requests:
                pool._requests.remove(request)
                try:
                    await _aclose(request, mine)
                finally:
                    closing = pool._assign_requests_to_connections()
                await pool._close_connections(closing)
        except Exception as error:  # trio would end all tasks.
            GATE.fault("reclaim", error)

    try:
        mine.where(close)  # type: ignore[misc]  # it was asked for
    except Exception:  # The loop is closed.
        return False
    return True


async def _aclose(request: Any, mine: Mark) -> None:
    http2 = mine.http2
    if http2 is None:
        await request.connection.aclose()
        return
    mine.cancel()
    await http2._response_closed(mine.id)
    # Others may read from this connection, and wait for what it takes no more.
    with suppress(Exception):  # httpcore remembers that for its next request.
        await http2._write_outgoing_data(request.request)


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
