"""One connection of the server, and the table of its routes."""

from __future__ import annotations

import json
import select
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import Final
from urllib.parse import parse_qs, urlsplit

_NO_BODY: Final = frozenset({204, 304})
NO_HEADERS: Final[Mapping[str, str]] = {}

Route = Callable[["Handler", list[str]], None]
ROUTES: Final[dict[str, Route]] = {}


def route(*names: str) -> Callable[[Route], Route]:
    """Serve the paths whose first part is one of the names by a function.

    It gets the handler and the parts of the path after the first.
    """

    def register(function: Route) -> Route:
        ROUTES.update(dict.fromkeys(names, function))
        return function

    return register


class Listener(ThreadingMixIn, TCPServer):
    """The socket, and what the exchanges share."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], handler: type[Handler]) -> None:
        """Bind, with nothing shared yet."""
        super().__init__(address, handler)
        self.closing = threading.Event()
        self._lock = threading.Lock()
        self._events: dict[str, threading.Event] = {}
        self._calls: dict[str, int] = {}

    def event(self, key: str) -> threading.Event:
        """The event of a ``/slow/KEY``, set by ``/finish/KEY``."""
        with self._lock:
            return self._events.setdefault(key, threading.Event())

    def calls(self, key: str) -> int:
        """How often this was called with that key before."""
        with self._lock:
            self._calls[key] = self._calls.get(key, -1) + 1
            return self._calls[key]

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that hang up are what these tests are about: no traceback."""


class Handler(BaseHTTPRequestHandler):
    """One connection: reads requests, finds their route, writes responses."""

    server: Listener
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    body: bytes = b""

    def dispatch(self) -> None:
        """Serve one request, whatever its method."""
        self.body = b"".join(self._request_body())
        # A request through a proxy carries the whole URL.
        first, *rest = urlsplit(self.path).path.lstrip("/").split("/")
        serve = ROUTES.get(first)
        if serve is None:
            self.reply(b"no such route\n", status=404)
        else:
            serve(self, rest)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_OPTIONS = dispatch  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""

    @property
    def query(self) -> dict[str, str]:
        """The query parameters, the last of each name."""
        return {k: v[-1] for k, v in parse_qs(urlsplit(self.path).query).items()}

    def start(self, status: int, headers: Mapping[str, str]) -> None:
        """Send the head of the response."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def reply(
        self, body: bytes, *, status: int = 200, headers: Mapping[str, str] = NO_HEADERS
    ) -> None:
        """Send a whole response with its Content-Length."""
        length = (
            NO_HEADERS if status in _NO_BODY else {"Content-Length": str(len(body))}
        )
        self.start(status, {**length, **headers})
        if self.command != "HEAD" and status not in _NO_BODY:
            self.wfile.write(body)

    def reply_chunked(
        self,
        chunks: list[bytes],
        headers: Mapping[str, str] = NO_HEADERS,
        *,
        status: int = 200,
    ) -> None:
        """Send a whole response in chunks."""
        self.start(status, {"Transfer-Encoding": "chunked", **headers})
        if self.command != "HEAD":
            for chunk in [*chunks, b""]:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))

    def reply_until_close(self, body: bytes, headers: Mapping[str, str]) -> None:
        """Send a response of unknown length: the end is the connection's."""
        self.start(200, {"Connection": "close", **headers})
        self.wfile.write(body)

    def reply_json(
        self, document: object, *, headers: Mapping[str, str] = NO_HEADERS
    ) -> None:
        """Send a JSON document."""
        kind = {"Content-Type": "application/json"}
        self.reply(json.dumps(document).encode(), headers={**kind, **headers})

    def wait(self, event: threading.Event) -> bool:
        """Wait for an event; False if the client or the server goes first."""
        while not event.wait(0.01):
            if self.server.closing.is_set() or self._client_is_gone():
                return False
        return True

    def _client_is_gone(self) -> bool:
        """Whether the other end hung up."""
        readable, _, _ = select.select([self.connection], [], [], 0)
        with suppress(OSError):
            return bool(readable) and not self.connection.recv(1, socket.MSG_PEEK)
        return True

    def _request_body(self) -> Iterator[bytes]:
        """What the client sent, so that the connection can be used again."""
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            yield self.rfile.read(int(self.headers.get("Content-Length", 0)))
            return
        while size := int(self.rfile.readline().split(b";")[0], 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
