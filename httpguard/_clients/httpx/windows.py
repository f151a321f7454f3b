"""HTTP/2: what a connection takes in unread, for all of its responses together."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

from ..._pools.waits import Share
from ..gate import GATE

# The most that comes in at once, by default.
_A_FRAME: Final = 2**14


def bytes_left(http2: Any) -> int:
    """How many bytes the server may send to all of a connection's requests together."""
    window = http2._h2_state._inbound_flow_control_window_manager
    left: int = window.current_window_size
    return left


def explain_silence(client: Any, url: Any, error: Exception) -> None:
    """Say with a timeout of a read who has used up what its connection takes in.

    Over HTTP/2 that is one amount for all responses of a connection: while some have
    all of it unread, the server may send nothing to the others.
    """
    guard = GATE.guard
    if guard is None or type(error).__name__ != "ReadTimeout":
        return
    with suppress(Exception):  # Another transport, or no HTTP/2.
        pool = client._transport_for_url(url)._pool
        known = GATE.registry.pools.get(pool)
        for connection in list(pool._connections):
            http2: Any = getattr(connection, "_connection", None)
            if known is None or not hasattr(http2, "_h2_state"):
                continue
            left = bytes_left(http2)
            if left >= _A_FRAME:
                continue
            error.add_note(
                f"httpguard: the server may send {left:,} more bytes over this HTTP/2"
                " connection, as nobody has read what it sent to other requests:"
            )
            share = Share(known.name, http2._max_streams, streams=True)
            guard.explain(known, error, share)
            return
