"""HTTP/2: streams that nobody has any more, cancelled and given back.

To close a response of httpcore gives its stream back to httpcore alone: what came in
unread stays counted against the window of the connection, and the server goes on as
though somebody would read. So the stream is reset, and what it had is acknowledged,
first.

A task may do so at any time, in its loop. Threads may not: they share the state of a
connection of httpcore without a lock. There the connection gets no more requests, as
one that has used up all of its numbers for streams: the next one goes to another
connection, and this one is closed with the last response that somebody reads.
"""

from __future__ import annotations

import weakref
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from ..._pools.slot import GIVEN_UP, Slot
from .client import is_forgotten
from .windows import bytes_left

if TYPE_CHECKING:
    from collections.abc import Callable

# On a request of a pool.
_MARK: Final = "_httpguard_mark"
# On a connection.
_RETIRED: Final = "_httpguard_retired"
_CANCEL: Final = 8
# Of the 16 MiB that httpcore lets come in unread: with less, it is time.
_LITTLE: Final = 2**22


class Mark:
    """Whose a request of a pool is.

    Args:
        request: Of the pool.
        stream: Of httpcore.
        response: Of httpx, or what stands for it.
        where: How its loop is reached; None: it is a thread's.
    """

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

    @property
    def is_given_up(self) -> bool:
        """Whether its stream is to be given back."""
        return self.slot is not None and self.slot.turn == GIVEN_UP

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
