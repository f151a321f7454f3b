"""Connections in memory for each client that is not urllib3: only the network is fake.

All of the client and of what lies below it runs: httpcore with h11, aiohttp's protocol
and parser, http.client.
"""

from __future__ import annotations

import asyncio
import importlib
import socket
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any, Final
from urllib.request import HTTPHandler, OpenerDirector, build_opener

if TYPE_CHECKING:
    from http.client import HTTPResponse
    from urllib.request import Request

URL: Final = "http://service.invalid/path"
_BODY: Final = b"x" * 1000
_HEAD: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n"
)
_ANSWER: Final = _HEAD % len(_BODY) + _BODY


class _Stream:
    """Answers each request with the same bytes."""

    def __init__(self) -> None:
        self._asked = False

    def take(self) -> bytes:
        asked, self._asked = self._asked, False
        return _ANSWER if asked else b""

    def read(self, *_: Any, **__: Any) -> bytes:
        return self.take()

    def write(self, *_: Any, **__: Any) -> None:
        self._asked = True

    def close(self) -> None:
        """Nothing is open."""

    def get_extra_info(self, _: str) -> None:
        """Nothing is known."""


class _AsyncStream(_Stream):
    async def read(self, *_: Any, **__: Any) -> bytes:  # type: ignore[override]
        return self.take()

    async def write(self, *_: Any, **__: Any) -> None:  # type: ignore[override]
        self._asked = True

    async def aclose(self) -> None:
        """Nothing is open."""


def httpx_client(name: str) -> Any:
    """A client of httpx or httpx2.

    Args:
        name: Which of the two.
    """
    core: Any = importlib.import_module(name.replace("httpx", "httpcore"))

    class Backend(core.NetworkBackend):  # type: ignore[misc]  # either package
        def connect_tcp(self, *_: Any, **__: Any) -> _Stream:
            return _Stream()

    client = importlib.import_module(name).Client(trust_env=False)
    client._transport._pool = core.ConnectionPool(network_backend=Backend())
    return client


def httpx_async_client(name: str) -> Any:
    """The same for coroutines.

    Args:
        name: Which of the two.
    """
    core: Any = importlib.import_module(name.replace("httpx", "httpcore"))

    class Backend(core.AsyncNetworkBackend):  # type: ignore[misc]  # either package
        async def connect_tcp(self, *_: Any, **__: Any) -> _AsyncStream:
            return _AsyncStream()

    client = importlib.import_module(name).AsyncClient(trust_env=False)
    client._transport._pool = core.AsyncConnectionPool(network_backend=Backend())
    return client


class _Transport(asyncio.Transport):
    """Of aiohttp's protocol: to each request comes the same answer.

    Args:
        protocol: Of aiohttp.
        head: Of the answer.
        late: The body comes in after the head.
    """

    def __init__(self, protocol: Any, head: bytes, *, late: bool) -> None:
        super().__init__()
        self._protocol = protocol
        self._head = head
        self._late = late
        self._closed = False

    def write(self, _data: Any) -> None:
        if self._late:
            self._protocol.data_received(self._head)
            # Behind the task that waits for the head, which then has it.
            soon = asyncio.get_running_loop().call_soon
            soon(soon, self._protocol.data_received, _BODY)
        else:
            self._protocol.data_received(self._head + _BODY)

    def writelines(self, _data: Any) -> None:
        self.write(b"")

    def is_closing(self) -> bool:
        return self._closed

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            asyncio.get_running_loop().call_soon(self._protocol.connection_lost, None)

    abort = close

    def pause_reading(self) -> None:
        """Nothing more comes."""

    resume_reading = pause_reading

    def get_extra_info(self, _: str, default: Any = None) -> Any:
        return default


def aiohttp_session(*, announced: int = len(_BODY), late: bool = False) -> Any:
    """A session of aiohttp, to be made in its loop.

    Args:
        announced: The length of the bodies, which do not end where it is more.
        late: They come in after the heads.
    """
    import aiohttp

    class Connector(aiohttp.BaseConnector):
        async def _create_connection(self, *_: Any) -> Any:
            protocol = self._factory()
            made = _Transport(protocol, _HEAD % announced, late=late)
            protocol.connection_made(made)
            return protocol

    return aiohttp.ClientSession(connector=Connector(limit=0))


class _Socket(socket.socket):
    """Not connected; http.client's own file reads from it."""

    _asked = False

    def sendall(self, *_: Any) -> None:
        self._asked = True

    def recv_into(self, buffer: Any, *_: Any) -> int:
        if not self._asked:
            return 0
        self._asked = False
        buffer[: len(_ANSWER)] = _ANSWER
        return len(_ANSWER)


class _Connection(HTTPConnection):
    def connect(self) -> None:
        self.sock = _Socket()


def http_client_connection() -> HTTPConnection:
    """A connection of http.client."""
    return _Connection("service.invalid")


class _Handler(HTTPHandler):
    def http_open(self, req: Request) -> HTTPResponse:
        return self.do_open(_Connection, req)


def urllib_opener() -> OpenerDirector:
    """What `urllib.request.urlopen` uses."""
    return build_opener(_Handler)
