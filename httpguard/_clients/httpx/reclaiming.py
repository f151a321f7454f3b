"""What a dropped response has left in httpcore's pool, closed where that is safe.

The pool keeps the request and the connection of a response that is gone: nobody else
has them. A pool of coroutines belongs to its loop, which is asked to do it.

Of HTTP/2 it is the stream that is given back. To close a response of httpcore gives it
back to httpcore alone: what came in unread stays counted against the window of the
connection, and the server goes on as though somebody would read. So the stream is
reset, and what it had is acknowledged, first. A task may do so at any time, in its
loop. Threads may not: they share the state of a connection of httpcore without a lock.
There the connection gets no more requests, as one that has used up all of its numbers
for streams: the next one goes to another connection, and this one is closed with the
last response that somebody reads.
"""

from __future__ import annotations

import weakref
from contextlib import contextmanager, suppress
from functools import partial
from sys import modules
from typing import TYPE_CHECKING, Any, Final

from ..._pools.slot import Slot
from ..gate import GATE
from .client import LEFT, is_forgotten

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    # None: no loop.
    Start = Callable[[Any], object] | None

# On a request of a pool.
_MARK: Final = "_httpguard_mark"
# On a connection.
_RETIRED: Final = "_httpguard_retired"
_CANCEL: Final = 8
# Of the 16 MiB that httpcore lets come in unread: with less, it is time.
_LITTLE: Final = 2**22
# Another thread's hand on the pool is waited for, in seconds.
_PATIENCE: Final = 0.05


class Mark:
    """Whose a request of a pool is, and how its loop is reached; None: a thread's."""

    __slots__ = ("http2", "id", "response", "slot", "stream", "where")

    def __init__(
        self,
        request: Any,
        stream: Any,
        response: Any,
        where: Start,
    ) -> None:
        self.response = weakref.ref(response)
        self.stream = weakref.ref(stream)
        self.where = where
        inner: Any = getattr(stream, "_stream", None)
        self.id: int | None = getattr(inner, "_stream_id", None)
        self.http2: Any = None if self.id is None else inner._connection
        # Of HTTP/2, where many requests have one connection.
        self.slot: Slot | None = None
        if self.id is not None:
            self.slot = Slot(request)
            self.slot.key = id(request)
            self.slot.turn = 0
            self.slot.open = True
            self.slot.lost = False
        setattr(request, _MARK, self)

    @property
    def is_lost(self) -> bool:
        """Whether nobody can read it any more."""
        return self.stream() is None or is_forgotten(self.response)

    async def cancel(self, request: Any) -> None:
        """Tell the server, and forget what came in. By a task of its loop."""
        events = self.http2._events.get(self.id)
        if events is not None:
            self._reset(events)
        await self.http2._response_closed(self.id)
        # Others may read from this connection, and wait for what it takes no more.
        with suppress(Exception):  # httpcore remembers that for its next request.
            await self.http2._write_outgoing_data(request.request)

    def _reset(self, events: list[Any]) -> None:
        kinds = {type(event).__name__ for event in events}
        unread = waiting(events)
        events.clear()
        state = self.http2._h2_state
        with suppress(Exception):  # The server has ended the connection meanwhile.
            if unread:
                state.acknowledge_received_data(unread, self.id)
            if kinds.isdisjoint({"StreamEnded", "StreamReset"}):
                state.reset_stream(self.id, _CANCEL)


def waiting(events: Any) -> int:
    """The bytes of what has come in of a stream."""
    return sum(
        event.flow_controlled_length
        for event in list(events)
        if type(event).__name__ == "DataReceived"
    )


def window_of(http2: Any) -> Any:
    """What a connection takes in before somebody reads, for all requests together."""
    return http2._h2_state._inbound_flow_control_window_manager


def is_used_up(http2: Any) -> bool:
    """Whether the next request of a connection waits, or gets nothing to read."""
    # What a lowered limit has left counts, too.
    most: int = http2._max_streams + getattr(http2, "_max_streams_deficit", 0)
    left: int = window_of(http2).current_window_size
    return is_retired(http2) or len(http2._events) >= most or left < _LITTLE


def is_retired(http2: Any) -> bool:
    """Whether a connection of threads gets no more requests."""
    found: bool = getattr(http2, _RETIRED, False)
    return found


def retire(http2: Any) -> None:
    """Give a connection of threads no more requests. The pool's lock is held."""
    setattr(http2, _RETIRED, True)
    http2._used_all_stream_ids = True


def refill(pool: Any, slot: Slot) -> bool | None:
    """Close a connection or stream that nobody has, and give its slot to the next.

    The slot is of that connection, or of that request of HTTP/2. See `PoolKind.refill`.
    """
    for request in list(pool._requests):
        mine: Mark | None = getattr(request, _MARK, None)
        # Without one it waits, maybe for this connection: httpcore has promised one
        # that was idle to all who waited.
        if mine is None or slot() is None:
            continue
        if slot is not mine.slot and slot() is not request.connection:
            continue
        if not mine.is_lost:
            return None  # Somebody may yet read it; a look of ours has it for a moment.
        if mine.http2 is None:
            return _shut(pool, request.connection, request, mine.where)
        return _end_stream(pool, request, mine)
    return False


def _end_stream(pool: Any, request: Any, mine: Mark) -> bool | None:
    """Give back a stream of HTTP/2. As `_shut`."""
    if hasattr(pool, "aclose"):

        async def close() -> None:
            if request in pool._requests:
                pool._requests.remove(request)
                try:
                    await mine.cancel(request)
                finally:
                    closing = pool._assign_requests_to_connections()
                await pool._close_connections(closing)

        return start(mine.where, close)
    with _patience(pool) as is_ours:
        if is_ours and request not in pool._requests:
            return False
        if not is_ours or not is_used_up(mine.http2):
            return None  # Or no need yet.
        retire(mine.http2)
        pool._requests.remove(request)
        # Which wakes who waits for a stream, and closes a connection without any.
        mine.http2._response_closed(mine.id)
        closing = pool._assign_requests_to_connections()
    pool._close_connections(closing)
    return True


def _shut(pool: Any, connection: Any, request: Any, where: Start) -> bool | None:
    """Close a connection, from any thread, and give its place to the next request.

    False: that is done, or its loop is over. None: another thread has the pool.
    """
    if hasattr(pool, "aclose"):

        async def close() -> None:
            closing = _take_out(pool, connection, request)
            await pool._close_connections(closing)

        return start(where, close)
    with _patience(pool) as is_ours:
        if not is_ours:
            return None
        closing = _take_out(pool, connection, request)
    pool._close_connections(closing)
    return bool(closing)


@contextmanager
def _patience(pool: Any) -> Iterator[bool]:
    """Around what is done to a pool of threads; False: another one has it for long."""
    lock = pool._optional_thread_lock._lock
    is_ours = lock.acquire(timeout=_PATIENCE)
    try:
        yield is_ours
    finally:
        if is_ours:
            lock.release()


def _take_out(pool: Any, connection: Any, request: Any) -> list[Any]:
    """Have a pool forget both; the connections to close then.

    None of these: they are gone since, with their pool say. Without a request it was
    gone before.
    """
    is_there = request is None or request in pool._requests
    if not is_there or connection not in pool._connections:
        return []
    pool._connections.remove(connection)
    if request is not None:  # Others may be promised its connection: they wait on.
        pool._requests.remove(request)
    return [connection, *pool._assign_requests_to_connections()]


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
    its_request = None if request is None else weakref.ref(request)

    def close(connection: Any) -> bool | None:
        pool = its_pool()
        if pool is None:
            return None
        request = None if its_request is None else its_request()
        if request not in pool._requests:
            request = None
        return None if _shut(pool, connection, request, where) is not None else False

    setattr(connection, LEFT, close)


def start(where: Start, close: Callable[[], Awaitable[None]]) -> bool:
    """Have a loop close something; False where it is over, or not known."""
    if where is None:
        return False

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


def loop_here() -> Start:
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
