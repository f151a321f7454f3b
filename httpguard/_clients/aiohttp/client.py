"""aiohttp as the engine sees it: questions by its private parts, and hints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ..._leases.client import Ending
from ..._model.leak import LeakKind
from ..hints import of_library
from .closing import close
from .references import References, is_forgotten

if TYPE_CHECKING:
    import socket

    from ..._leases.client import Facts, Reference

_HINTS: Final = {
    LeakKind.DROPPED: (
        "open it with `async with session.get(...) as response:`, or `await"
        " response.read()` or call `response.release()` before the last reference"
        " goes: aiohttp keeps a forgotten response, and its connection, for as long as"
        " the session is open"
    ),
    LeakKind.HELD: (
        "call `response.release()` when done with it, or open it with `async with"
        " session.get(...) as response:`; if it is still needed, say so with"
        " `httpguard.touch(response)`"
    ),
    LeakKind.UNRELEASED: "call `response.release()`",
    LeakKind.SESSION: (
        "make one ClientSession, use it for all requests, and `await session.close()`"
        " at the end; or make it with `async with aiohttp.ClientSession() as session:`"
    ),
    LeakKind.OPEN: (
        "read or release it before the scope ends: `async with session.get(...) as"
        " response:`"
    ),
}


class Aiohttp:
    """aiohttp. Implements `Client`."""

    name = "aiohttp"
    is_async = True
    takes_in = 2**19  # Of a session without a `read_bufsize` of its own.

    def __init__(self) -> None:
        self.references = References()

    def state(self, response: Any) -> Ending:
        connection = response._connection
        if (
            connection is None
            or connection._protocol is None
            # The program has closed the session, and with it all connections.
            or connection._connector._closed
        ):
            return Ending.RELEASED
        # It is closed while its request is still being sent.
        return Ending.CLOSED if response._closed else Ending.OPEN

    def bytes_read(self, response: Any) -> int:
        """What the program took; what came in may be more."""
        count: int = getattr(response.content, "_cursor", 0)
        return count

    def socket(self, response: Any) -> socket.socket | None:  # noqa: ARG002
        """The loop reads from it, whoever wants the body."""
        return None

    def readers(self, response: Any) -> list[object]:
        return [response, response.content]

    def is_awaited(self, response: Any) -> bool | None:
        """Every way to read waits by a future of the body's."""
        content = response.content
        return (
            getattr(content, "_waiter", None) is not None
            or getattr(content, "_eof_waiter", None) is not None
        )

    def is_forgotten(self, reference: Reference) -> bool:
        """Its protocol keeps the body, and that the response."""
        return is_forgotten(reference, self.references)

    def close(self, response: Any, note: str) -> bool:
        """By the response's own loop."""
        return close(response, note)

    def release(self, response: Any) -> None:
        """It does so itself, once its request is sent."""

    def hint(self, facts: Facts) -> str:
        return of_library(facts, "`release()` or `close()`") or _HINTS[facts.kind]


AIOHTTP: Final = Aiohttp()
