"""HTTP/2: what answers that were closed unread have taken of their connection.

A server may send so many bytes over a connection before somebody reads them, for all
streams together. httpcore takes what comes in of a closed one for nobody's, and never
tells the server that it may send as much again: once all is used up, no answer comes
in any more. Only who closes one unread pays for this.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar, Final

from ..._model.leak import LeakKind
from ..._stacks.sites import place_of
from ..gate import GATE
from .client import Httpx
from .reclaiming import loop_here, retire, start, waiting, window_of

if TYPE_CHECKING:
    from ..._leases.lease import Lease
    from ..._stacks.raw import Place

# On a connection: of the streams that were closed unread, the bytes by line of those
# that have ended, and those of which more may come.
_CLOSED: Final = "_httpguard_closed"
_MOST_LINES: Final = 100
# Of what a connection takes in: lost by all together, since h2 gives back what was read
# half of all at a time; and by the line that is told.
_MOST: Final = 1 / 2
_SOME: Final = 1 / 16


class _Unread(Httpx):
    """Of httpx's responses that were closed: nobody asks after them any more."""

    _hints: ClassVar = {
        LeakKind.UNRELEASED: (
            "read it to its end ({read}) before it is closed: over HTTP/2 what comes"
            " in of an answer that was closed unread is never taken off the"
            " connection's account, and once that is full no answer comes in any more;"
            " or leave HTTP/2 off"
        )
    }

    def __init__(self, side: Any) -> None:
        super().__init__(side.name, side.core)
        self.is_async = side.is_async


def uses_up(stream: Any, lease: Lease) -> bool:
    """A stream is about to be closed: whether its connection is all but lost by that.

    Then its lease, which is out of the registry, is to be judged, and the connection is
    repaired if that is wanted.
    """
    registry, guard = GATE.registry, GATE.guard
    try:
        inner = stream._stream
        number: int | None = getattr(inner, "_stream_id", None)
        if number is None:
            return False
        response, http2 = lease(), inner._connection
        if response is None or guard is None or not lease.pool.block:
            return False
        share = _charge(http2, number, lease)
        most = window_of(http2).max_window_size
        if share < most * _SOME or _lost(http2, number) < most * _MOST:
            return False
        if guard.reclaims:
            _repair(stream, http2)
        lease.progressed(response, registry.clock())
        lease.client = _Unread(lease.client)
        lease.closed = registry.clock()
        # The stream itself comes back.
        lease.slot, lease.lost = None, True
        registry.bury(lease)
    except Exception as error:
        registry.give_up(lease, "httpcore", error)
        return False
    return True


def _charge(http2: Any, number: int, lease: Lease) -> int:
    """Remember whose a stream was that is about to be closed.

    Returns the bytes that all streams of that line have left unread since; 0: this one
    has none, and gets none.
    """
    h2_stream = http2._h2_state.streams.get(number)
    unread = waiting(http2._events.get(number, ()))
    if not unread and (h2_stream is None or h2_stream.closed):
        return 0
    place = place_of(lease.stack or (), GATE.registry.origins)
    ended: Counter[Place]
    going_on: list[tuple[Place, Any]]
    ended, going_on = http2.__dict__.setdefault(_CLOSED, (Counter(), []))
    if h2_stream is None:
        ended[place] += unread
    else:
        going_on.append((place, h2_stream))
    share = 0
    for each in list(going_on):
        where, one = each
        came = _unread(one._inbound_window_manager)
        if not one.closed:
            share += came * (where == place)
        else:
            going_on.remove(each)
            if where in ended or len(ended) < _MOST_LINES:
                ended[where] += came
    return ended[place] + share


def _unread(window: Any) -> int:
    """The bytes that have come in, and that nobody has acknowledged."""
    return int(
        window.max_window_size - window.current_window_size - window._bytes_processed
    )


def _lost(http2: Any, closing: int = 0) -> int:
    """The bytes of a connection that nobody will acknowledge, a `closing` one's too."""
    waited = [
        waiting(events)
        for number, events in list(http2._events.items())
        if number != closing
    ]
    return _unread(window_of(http2)) - sum(waited)


def _repair(stream: Any, http2: Any) -> None:
    """Take what is lost off the account, by a task; threads get a new connection."""
    if not hasattr(stream, "aclose"):
        retire(http2)
        return
    request = stream._pool_request.request

    async def give_back() -> None:
        http2.__dict__.pop(_CLOSED, None)
        with suppress(Exception):  # The connection is closed meanwhile.
            http2._h2_state.increment_flow_control_window(_lost(http2))
            await http2._write_outgoing_data(request)

    start(loop_here(), give_back)
