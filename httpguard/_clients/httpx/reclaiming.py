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
from contextlib import suppress
from functools import partial
from sys import modules
from typing import TYPE_CHECKING, Any, Final

from ..._pools.slot import Slot
from ..gate import GATE
from .client import is_forgotten

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

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
        where: Callable[[Any], object] | None,
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

    def cancel(self) -> None:
        """Tell the server, with the next request, and forget what came in.

        By a task of its loop.
        """
        events = self.http2._events.get(self.id)
        if events is None:
            return
        kinds = {type(event).__name__ for event in events}
        unread = sum(
            event.flow_controlled_length
            for event in events
            if type(event).__name__ == "DataReceived"
        )
        events.clear()
        state = self.http2._h2_state
        with suppress(Exception):  # The server has ended the connection meanwhile.
            if unread:
                state.acknowledge_received_data(unread, self.id)
            if kinds.isdisjoint({"StreamEnded", "StreamReset"}):
                state.reset_stream(self.id, _CANCEL)


def mark_of(request: Any) -> Mark | None:
    """What is known of a request of a pool."""
    found: Mark | None = getattr(request, _MARK, None)
    return found


def bytes_left(http2: Any) -> int:
    """How many bytes the server may send to all of a connection's requests together."""
    window = http2._h2_state._inbound_flow_control_window_manager
    left: int = window.current_window_size
    return left


def is_used_up(http2: Any) -> bool:
    """Whether the next request of a connection waits, or gets nothing to read."""
    if is_retired(http2):
        return True
    # What a lowered limit has left counts, too.
    most: int = http2._max_streams + getattr(http2, "_max_streams_deficit", 0)
    return len(http2._events) >= most or bytes_left(http2) < _LITTLE


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
        mine = mark_of(request)
        # Without one it waits, maybe for this connection: httpcore has promised one
        # that was idle to all who waited.
        if mine is None or slot() is None:
            continue
        if slot is not mine.slot and slot() is not request.connection:
            continue
        if not mine.is_lost:
            return None  # Somebody may yet read it; a look of ours has it for a moment.
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
        if request in pool._requests:
            pool._requests.remove(request)
            try:
                await _aclose(request, mine)
            finally:
                closing = pool._assign_requests_to_connections()
            await pool._close_connections(closing)

    return start(mine.where, close)


class Left:
    """Where a connection is closed that a request has left in a pool.

    Made where the request was: a task's is closed in its loop. The pool may have the
    request still; None: it has not.
    """

    __slots__ = ("_pool", "_request", "_where")

    def __init__(self, pool: Any, request: Any) -> None:
        self._pool = weakref.ref(pool)
        # The pool alone keeps it: its connection has this here.
        self._request = (lambda: None) if request is None else weakref.ref(request)
        self._where = loop_here() if hasattr(pool, "aclose") else None

    def close(self, connection: Any) -> None:
        """From any thread."""
        pool = self._pool()
        if pool is None:
            return
        if self._where is None:
            pool._close_connections(self._take_out(pool, connection))
            return

        async def close() -> None:
            if connection not in pool._connections:
                return  # Gone since, with its pool say.
            closing = self._take_out(pool, connection)
            await connection.aclose()
            await pool._close_connections(closing)

        start(self._where, close)

    def _take_out(self, pool: Any, connection: Any) -> Any:
        """Have a pool forget a connection; those that it has to close since."""
        with pool._optional_thread_lock:
            if connection in pool._connections:
                pool._connections.remove(connection)
            request = self._request()
            if request in pool._requests:  # Others may be promised it: they wait on.
                pool._requests.remove(request)
            return pool._assign_requests_to_connections()


def start(where: Any, close: Callable[[], Awaitable[None]]) -> bool:
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


def loop_here() -> Callable[[Any], object] | None:
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
