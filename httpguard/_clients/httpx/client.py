"""httpx and httpx2 as the engine sees them: questions by private parts, and hints."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar, Final

from ..._leases.client import Client, Ending
from ..._leases.references import references
from ..._leases.wire import real_socket
from ..._model.leak import LeakKind
from ..hints import by_block, of_library
from ..patching import MODULES
from ..shut import noted
from .below import LEASED, core_stream, is_chain, is_core, streams_of

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from ..._leases.client import Facts, Lent, Reference

# TLS, maybe in TLS, is around a socket's stream.
_MOST_LAYERS: Final = 6
_HINTS: Final = {
    LeakKind.SESSION: (
        "make one client, use it for all requests, and close it at the end; or make it"
        " with `{enter}with {name}.{client}() as client:`"
    ),
}
_ASYNC_HINTS: Final = {
    **_HINTS,
    LeakKind.UNRELEASED: (
        "`await asyncio.shield(response.aclose())` in a `finally`, or let its task come"
        " to its end: the task was cancelled as it closed the response, and httpcore"
        " then keeps the connection for good"
    ),
}
_BLOCK: Final = "`{enter}with client.stream(...) as response:`"
_REST: Final = (
    ", or {read} or {close} before the last reference goes: the slot of an"
    " unread response never comes back"
)
_WORDS: Final = {
    "enter": "",
    "read": "call `response.read()`",
    "close": "`response.close()`",
    "end": "call `response.close()`",
    "client": "Client",
}
_ASYNC_WORDS: Final = {
    "enter": "async ",
    "read": "`await response.aread()`",
    "close": "`await response.aclose()`",
    "end": "`await response.aclose()`",
    "client": "AsyncClient",
}


class Httpx(Client):
    """The sync side of httpx or httpx2."""

    _hints: ClassVar = _HINTS

    def __init__(self, name: str, core: str) -> None:
        self.name = name
        self.core = core

    def state(self, response: Any) -> Ending:
        stream = core_stream(response)
        if stream is None or (stream._closed and not is_stuck(stream)):
            return Ending.RELEASED
        connection = stream._pool_request.connection
        if connection is None or connection.is_closed():
            # The program has closed the client.
            return Ending.RELEASED
        return Ending.CLOSED if response.is_closed else Ending.OPEN

    def bytes_read(self, response: Any) -> int:
        count: int = response._num_bytes_downloaded
        return count

    def socket(self, response: Any) -> socket.socket | None:
        """None with HTTP/2, whose sockets many responses share."""
        if response.extensions.get("http_version") == b"HTTP/2":
            return None
        sock = _socket_of(response)
        # asyncio and trio have something around theirs.
        return real_socket(getattr(sock, "_sock", sock))

    def readers(self, response: Any) -> list[object]:
        return [response, *streams_of(response)]

    def is_awaited(self, response: Any) -> bool | None:
        """One that mocket makes up is never idle: it holds nothing."""
        return type(_socket_of(response)).__module__.startswith("mocket.")

    def is_forgotten(self, reference: Reference) -> bool:
        return is_forgotten(reference)

    def is_lent(self, one: Any, lease: Lent) -> bool:
        """It is a stream, of a response: that of another has another connection."""
        if not is_core(one) or LEASED not in vars(one):
            return False
        taken, slot = one._pool_request, lease.slot
        return slot is None or any(
            part is slot() for part in (taken.connection, taken, one)
        )

    def lives_on(self, lease: Lent) -> bool:
        """Of httpx2, and where a response is made anew of another's stream.

        The pool has its request, and so has the stream. Many share one over HTTP/2.
        """
        pool = lease.pool()
        connection = None if lease.slot is None else lease.slot()
        if pool is None or connection is None:
            return False
        taken = [one for one in list(pool._requests) if one.connection is connection]
        return len(taken) == 1 and references(taken) not in ([1], None)

    def close(self, response: Any, note: str) -> bool:
        response.close()
        closed = MODULES[self.name].StreamClosed

        def iter_raw(_chunk_size: int | None = None) -> Any:
            raise noted(closed(), note)

        response.iter_raw = iter_raw
        return True

    def hint(self, facts: Facts) -> str:
        words = _ASYNC_WORDS if self.is_async else _WORDS
        hint = self._hints.get(facts.kind)
        hint = hint or by_block(facts.kind, _BLOCK, "{end}", _REST)
        found = of_library(facts, words["close"])
        return found or hint.format(name=self.name, **words)


class AsyncHttpx(Httpx):
    is_async = True
    _hints = _ASYNC_HINTS

    def is_awaited(self, response: Any) -> bool | None:
        """The stream of anyio tells, under asyncio and uvloop.

        Not trio's; and of HTTP/2, whoever reads one stream reads for all.
        """
        if response.extensions.get("http_version") == b"HTTP/2":
            return None
        stream = getattr(response.extensions.get("network_stream"), "_stream", None)
        for _ in range(_MOST_LAYERS):
            stream = getattr(stream, "transport_stream", stream)
        guard = getattr(stream, "_receive_guard", None)
        guarded = getattr(guard, "_guarded", None)
        return guarded if isinstance(guarded, bool) else None

    def close(self, response: Any, note: str) -> bool:  # noqa: ARG002  # As `Httpx`.
        """Only the task's own loop can do that."""
        return False

    def release(self, response: Any) -> bool | None:
        """Closing did not, where its task was cancelled."""
        stream = core_stream(response)
        return stream and release(stream._pool_request.connection)


class CorePart(Httpx):
    """A part of httpcore, which no application has in hands."""

    def __init__(self, side: Httpx, hint: str) -> None:
        super().__init__(side.name, side.core)
        self.is_async = side.is_async
        self._hint = hint

    def bytes_read(self, response: Any) -> int:  # noqa: ARG002
        return 0

    def socket(self, response: Any) -> None:
        """None of Python's own."""

    def readers(self, response: Any) -> list[object]:
        return [response]

    def is_forgotten(self, reference: Reference) -> bool:  # noqa: ARG002
        """It is collected."""
        return False

    def hint(self, facts: Facts) -> str:  # noqa: ARG002
        return self._hint


def _socket_of(response: Any) -> Any:
    with suppress(Exception):  # Closed meanwhile.
        return response.extensions["network_stream"].get_extra_info("socket")
    return None


def is_forgotten(reference: Reference) -> bool:
    """Whether only a response's own stream refers to it, and nobody to its streams.

    About 0.3 us where somebody has it.
    """
    if references([reference()]) != [1]:
        return False
    # Of httpx2 that one is the program's.
    if not any(
        getattr(one, "__dict__", {}).get("_response") is reference()
        for one in streams_of(reference())
    ):
        return False
    if not is_chain(streams_of(reference())):
        return False
    counts = references(streams_of(reference()))
    return counts is not None and set(counts) == {1}


LEFT: Final = "_httpguard_left"


def release(connection: Any) -> bool | None:
    """Close a connection that a request has left behind. As `Client.release`."""
    left: Callable[[Any], bool | None] | None = getattr(connection, LEFT, None)
    return None if left is None else left(connection)


def is_free(connection: Any) -> bool:
    """Whether a connection of httpcore is closed, or the next request may have it."""
    return bool(
        connection.is_closed() or connection.is_idle() or connection.is_available()
    )


def is_stuck(stream: Any) -> bool:
    """Whether a stream that counts as closed has not given its connection back.

    One that is being closed has not. Over HTTP/2 a stream that was closed is free.
    """
    taken = stream._pool_request
    if (
        taken.connection is None
        or hasattr(stream._stream, "_stream_id")
        or is_free(taken.connection)
    ):
        return False
    requests = list(stream._pool._requests)
    return taken in requests or all(
        one.connection is not taken.connection for one in requests
    )


CLIENTS: Final = {
    name: (Httpx(name, core), AsyncHttpx(name, core))
    for name, core in (("httpx", "httpcore"), ("httpx2", "httpcore2"))
}
"""By package, whose responses its `Client` and its `AsyncClient` return."""
