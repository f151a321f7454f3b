"""One client of the page: bytes in, requests out, answers back, and its deadline."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from .answer import say

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable

    from .answer import Answer, Environ
    from .application import WSGIApplication

_MOST_HEAD: Final = 8192
_READ: Final = 16384
_END: Final = b"\r\n\r\n"
_REQUEST_LINE: Final = re.compile(r"([A-Z]{1,16}) (/[!-~]*) HTTP/1\.([01])")
_HEADER: Final = re.compile(
    r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)"
)
_ONCE: Final = frozenset({"HTTP_HOST", "HTTP_AUTHORIZATION", "HTTP_CONTENT_LENGTH"})


@dataclass(frozen=True, slots=True)
class Patience:
    """How many seconds a client may take."""

    # To send a request, from its first byte (or the connection) on.
    head: float = 5.0
    # To send nothing between two requests.
    idle: float = 30.0
    # To take an answer.
    answer: float = 10.0


class Malformed(Exception):  # noqa: N818  # It is answered, never seen outside.
    """What came is no request that we take; the answer to it is the last one."""

    def __init__(self, status: int, text: str, *headers: tuple[str, str]) -> None:
        super().__init__(status)
        self.answer = say(status, text, *headers)


class Connection:
    def __init__(
        self,
        sock: socket.socket,
        application: WSGIApplication,
        patience: Patience,
        now: float,
    ) -> None:
        self.sock = sock
        self._application = application
        self._patience = patience
        self._incoming = b""
        # What it has yet to take of its answer.
        self.outgoing = memoryview(b"")
        # Hang up once that is gone.
        self._last = False
        self.deadline = now + patience.head
        # Between two requests: the first to go where there are too many.
        self.idle = True

    def proceed(self, now: float) -> bool:
        """Send what can be sent, else take what has come; answer whole requests.

        False: the connection has come to its end.
        """
        try:
            if self.outgoing:
                self.outgoing = self.outgoing[self.sock.send(self.outgoing) :]
            else:
                data = self.sock.recv(_READ)
                if not data:
                    return False
                if not self._incoming:
                    self.deadline = now + self._patience.head
                    self.idle = False
                self._incoming += data
            while not self.outgoing:
                if self._last:
                    return False
                answer = self._next(now)
                if not answer:
                    return True
                self.outgoing = memoryview(answer)
                self.deadline = now + self._patience.answer
                self.outgoing = self.outgoing[self.sock.send(self.outgoing) :]
        except (BlockingIOError, InterruptedError):
            return True
        except OSError:
            return False
        return True

    def _next(self, now: float) -> bytes:
        """The answer to the next request, empty while that has not come to its end."""
        end = self._incoming.find(_END)
        if (end if end >= 0 else len(self._incoming)) > _MOST_HEAD:
            return self._refuse(say(431, "The request's head is too long."))
        if end < 0:
            if not self._incoming:
                self.deadline = now + self._patience.idle
                self.idle = True
            return b""
        head = self._incoming[:end].decode("latin-1")
        self._incoming = self._incoming[end + len(_END) :]
        try:
            environ, self._last = parse(head)
        except Malformed as problem:
            return self._refuse(problem.answer)
        first = b""

        def start_response(line: str, headers: Iterable[tuple[str, str]]) -> None:
            nonlocal first
            first = _wire(line, headers, last=self._last)

        body = b"".join(self._application(environ, start_response))
        return first + body

    def _refuse(self, answer: Answer) -> bytes:
        self._last = True
        return _wire(answer.line, answer.all_headers(), last=True) + answer.body


def _wire(line: str, headers: Iterable[tuple[str, str]], *, last: bool) -> bytes:
    lines = [f"HTTP/1.1 {line}", *map(": ".join, headers)]
    if last:
        lines.append("Connection: close")
    return "\r\n".join([*lines, "\r\n"]).encode("latin-1")


def parse(head: str) -> tuple[Environ, bool]:
    """A request's head as WSGI has it, and whether it is its connection's last.

    Malformed too is one with a body: nothing here takes one.
    """
    first, *rest = head.split("\r\n")
    line = _REQUEST_LINE.fullmatch(first)
    if line is None:
        raise Malformed(400, "This is no HTTP/1.1 request for a path.")
    path, _, query = line[2].partition("?")
    environ: Environ = {
        "REQUEST_METHOD": line[1],
        "PATH_INFO": unquote(path, "latin-1"),
        "QUERY_STRING": query,
    }
    for text in rest:
        header = _HEADER.fullmatch(text)
        if header is None:
            raise Malformed(400, "A header is malformed.")
        name = "HTTP_" + header[1].upper().replace("-", "_")
        if name in environ and name in _ONCE:
            raise Malformed(400, "A header is there twice.")
        value = header[2].rstrip()
        environ[name] = f"{environ[name]}; {value}" if name in environ else value
    length = environ.get("HTTP_CONTENT_LENGTH", "0")
    if length != "0" or "HTTP_TRANSFER_ENCODING" in environ:
        # A body is not read, so that nothing after it can be told apart.
        if line[1] not in {"GET", "HEAD"}:
            raise Malformed(405, "This page is only read.", ("Allow", "GET, HEAD"))
        raise Malformed(400, "A request has no body here.")
    last = line[3] == "0" or "close" in environ.get("HTTP_CONNECTION", "").lower()
    return environ, last
