"""aiohttp as the engine sees it: questions by its private parts, and hints.

A connection's protocol and parser keep the body of the response that comes in, the
body keeps the response by a callback for its end, and the connector keeps the protocol:
a dropped response is never collected.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from sys import modules
from typing import TYPE_CHECKING, Any, Final

from ..._leases.client import Client, Ending
from ..._leases.lease import Lease
from ..._leases.references import references
from ..._model.leak import LeakKind
from ..gate import GATE
from ..hints import by_block, of_library
from ..shut import noted

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from ..._leases.client import Facts, Reference

_HEAD: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"
_SESSION: Final = (
    "make one ClientSession, use it for all requests, and `await session.close()` at"
    " the end; or make it with `async with aiohttp.ClientSession() as session:`"
)
_BLOCK: Final = "`async with session.get(...) as response:`"
_REST: Final = (
    ", or `await response.read()` or call `response.release()` before the last"
    " reference goes: aiohttp keeps a forgotten response, and its connection, for as"
    " long as the session is open"
)
# How what holds a response by its body alone is told.
_BODY: Final = "StreamReader._eof_callbacks"
_BODY_HELD: Final = (
    "what is held is the body, `response.content`: `await` its `read()`, or keep the"
    " response with it, and call `response.release()` when done with it"
)
# Who calls httpx on aiohttp, of these packages, has responses and clients of httpx.
_UNDER_HTTPX: Final = frozenset({"anthropic", "httpx_aiohttp", "openai"})
_HTTPX_SESSION: Final = (
    "make one client, use it for all requests, and `await client.aclose()` at the end;"
    " or make it with `async with`"
)
_HTTPX_BLOCK: Final = "`async with client.stream(...) as response:`"
_HTTPX_REST: Final = (
    ", or `await response.aclose()` before the last reference goes: aiohttp, which is"
    " under this client of httpx, keeps a forgotten response, and its connection"
)


def _own(reference: Reference) -> int:
    """The references of aiohttp's callbacks to a response; 0: it is not open."""
    response = reference()
    if response is None or response._connection is None:
        return 0
    callbacks = getattr(response.content, "_eof_callbacks", ())
    count = sum(getattr(one, "__self__", None) is response for one in list(callbacks))
    # The task that sends the request calls it when that is done.
    writer = getattr(response, "_writer", None)
    return count + (count > 0 and writer is not None and not writer.done())


def _parts(reference: Reference) -> list[Any]:
    """A response, its body and its connection, in no variable."""
    response = reference()
    if response is None:
        return []
    return [response, response.content, response._connection]


def _is_arriving(reference: Reference) -> bool:
    """Whether more of a body came in since the last look, and all of it will."""
    response = reference()
    if response is None or not isinstance(reference, Lease):
        return False
    content = response.content
    length = reference.length
    if (
        (length or 0) > getattr(content, "_high_water", 0)
        # It is full: nothing comes in before somebody reads.
        or getattr(content._protocol, "_reading_paused", False)
    ):
        return False
    before, reference.arrived = reference.arrived, content.total_bytes
    return length is not None and before not in {None, reference.arrived}


def _answered() -> Any:
    from aiohttp.client_proto import ResponseHandler

    protocol = ResponseHandler(loop=_Loop())  # type: ignore[arg-type]  # enough of one
    protocol.set_response_params()
    protocol.data_received(_HEAD)
    return protocol


def _result(coroutine: Any) -> Any:
    """What a coroutine returns that has nothing to wait for."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    finally:
        coroutine.close()
    raise RuntimeError


class _Loop:
    """As much of a loop as a protocol needs that is not connected."""

    def create_future(self) -> None:
        """Nobody waits."""

    def get_debug(self) -> bool:
        """Nothing is traced."""
        return False


class Aiohttp(Client):
    """aiohttp. It releases a closed response itself, once its request is sent."""

    name = "aiohttp"
    is_async = True
    takes_in = 2**19  # Of a session without a `read_bufsize` of its own.

    def __init__(self) -> None:
        # How many references aiohttp itself has to the body of an open response; None:
        # not to be known, so that nobody is accused.
        self._to_body: int | None = None

    def calibrate(self) -> None:
        """Count those of an answer that we make, with what is installed."""
        self._to_body = None
        with suppress(Exception):  # Of a version that is built otherwise.
            protocol = _answered()
            counts = references([_result(protocol.read())[1]])
            if counts is not None:
                # `ClientResponse.content` is one more.
                self._to_body = counts[0] + 1

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
        """Every way to read waits by a future of the body's.

        An answer that comes before all is sent waits for the upload, which to release
        or close it would cut off.
        """
        content = response.content
        writer = getattr(response, "_writer", None)
        return (
            getattr(content, "_waiter", None) is not None
            or getattr(content, "_eof_waiter", None) is not None
            or (writer is not None and not writer.done())
        )

    def is_forgotten(self, reference: Reference) -> bool:
        """Whether nobody has a response, nor its body or connection. About 1 us.

        Whoever keeps only the body reads on. One that will arrive by itself, since it
        is short enough, gives its connection back then: nobody has to do anything.
        """
        own = 0 if self._to_body is None else _own(reference)
        counts = references(_parts(reference)) if own else None
        return counts == [own, self._to_body, 1] and not _is_arriving(reference)

    def close(self, response: Any, note: str) -> bool:
        """By the response's own loop."""
        taken = response.content._cursor
        return ask(response._loop, partial(_close, response, taken, note))

    def hint(self, facts: Facts) -> str:
        is_httpx = facts.between in _UNDER_HTTPX
        found = of_library(facts, "`release()` or `close()`")
        if not found and facts.kind is LeakKind.SESSION:
            return _HTTPX_SESSION if is_httpx else _SESSION
        if not found and is_httpx:
            close = "`await response.aclose()`"
            return by_block(facts.kind, _HTTPX_BLOCK, close, _HTTPX_REST)
        if not found and _BODY in (facts.held_by or ""):
            return _BODY_HELD
        return found or by_block(facts.kind, _BLOCK, "call `response.release()`", _REST)


AIOHTTP: Final = Aiohttp()


def _close(response: Any, taken: int, note: str) -> None:
    """Close it, unless somebody reads it after all."""
    content = response.content
    if content._waiter is not None or content._cursor != taken or response._closed:
        return
    from aiohttp import ClientConnectionError

    content.set_exception(noted(ClientConnectionError("Connection closed"), note))
    response.close()


def ask(loop: Any, action: Callable[[], None]) -> bool:
    """Have a loop do something: now if it runs here, else as soon as it can.

    False: it is closed.
    """
    events = modules.get("asyncio.events")
    if events is not None and events._get_running_loop() is loop:
        _do(action)
        return True
    try:
        loop.call_soon_threadsafe(_do, action)
    except RuntimeError:
        return False
    return True


def _do(action: Callable[[], None]) -> None:
    try:
        action()
    except Exception as error:
        GATE.fault("aiohttp", error)
