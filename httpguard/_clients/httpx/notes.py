"""What was noted to httpcore's error, said to whoever sees another one instead.

httpx raises an error of its own, from httpcore's; SDKs raise theirs from that one.
OpenAI's says "Request timed out.", as of a slow server, where nothing was sent.

And what no error of httpcore's says: who has used up what a connection takes in.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from ..._pools.waits import Share
from ..gate import GATE
from .reclaiming import window_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..patching import Method, Patcher

_MOST_CAUSES: Final = 4
# The most that comes in at once, by default.
_A_FRAME: Final = 2**14


def patch_sdks(patcher: Patcher, sdks: Mapping[str, Iterable[tuple[str, str]]]) -> None:
    """Patch those that are imported: by module, what all their requests go through."""
    for name, methods in sdks.items():
        module = sys.modules.get(name)
        for owner, method in methods:
            kind = getattr(module, owner, None)
            if isinstance(kind, type) and method in vars(kind):
                patcher.wrap(kind, method, _await if "Async" in owner else _call)


def hand_on(error: BaseException) -> None:
    """Say with an error what was noted to those that caused it."""
    try:
        cause = error.__cause__
        for _ in range(_MOST_CAUSES):
            if cause is None:
                return
            for note in getattr(cause, "__notes__", ()):
                known = getattr(error, "__notes__", ())
                if note.startswith("httpguard: ") and note not in known:
                    error.add_note(note)
            cause = cause.__cause__
    except Exception as failure:
        GATE.fault("note", failure)


def _call(wrapped: Method) -> Method:
    """The call through which every request of an SDK goes."""

    def request(self: Any, *args: Any, **options: Any) -> Any:
        try:
            return wrapped(self, *args, **options)
        except Exception as error:
            hand_on(error)
            raise

    return request


def _await(wrapped: Method) -> Method:

    async def request(self: Any, *args: Any, **options: Any) -> Any:
        try:
            return await wrapped(self, *args, **options)
        except Exception as error:
            hand_on(error)
            raise

    return request


def explain_silence(client: Any, url: Any, error: BaseException) -> None:
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
            left = window_of(http2).current_window_size
            if left >= _A_FRAME:
                continue
            error.add_note(
                f"httpguard: the server may send {left:,} more bytes over this HTTP/2"
                " connection, as nobody has read what it sent to other requests:"
            )
            share = Share(known.name, http2._max_streams, streams=True)
            guard.explain(known, error, share)
            return
