"""One client of the page: bytes in, requests out, answers back, and its deadline."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from .http import SECURITY, Answer, Request, say

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

_MOST_HEAD: Final = 8192
_READ: Final = 16384
_END: Final = b"\r\n\r\n"
_REQUEST_LINE: Final = re.compile(r"([A-Z]{1,16}) (/[!-~]*) HTTP/1\.([01])")
_HEADER: Final = re.compile(
    r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)"
)
_HEAD_TAIL: Final = "".join(f"{name}: {value}\r\n" for name, value in SECURITY)


class Patience:
    """How many seconds a client may take.

    Args:
        head: To send a request, from its first byte (or the connection) on.
        idle: To send nothing between two requests.
        answer: To take an answer.
    """

    __slots__ = ("answer", "head", "idle")

    def __init__(
        self, head: float = 5.0, idle: float = 30.0, answer: float = 10.0
    ) -> None:
        """Keep them."""
        self.head = head
        self.idle = idle
        self.answer = answer


class Malformed(Exception):  # noqa: N818  # It is answered, never seen outside.
    """What came is no request that we take.

    Args:
        answer: What to say before hanging up.
    """

    def __init__(self, answer: Answer) -> None:
        """Keep it."""
        super().__init__(answer.status)
        self.answer = answer


class Connection:
    """A client.

    Args:
        sock: Non-blocking.
        answer: Turns a request into an answer.
        patience: How slow it may be.
        now: Seconds, monotonic.
    """

    __slots__ = (
        "_answer",
        "_incoming",
        "_last",
        "_outgoing",
        "_patience",
        "deadline",
        "idle",
        "sock",
    )

    def __init__(
        self,
        sock: socket.socket,
        answer: Callable[[Request], Answer],
        patience: Patience,
        now: float,
    ) -> None:
        """Nothing has come yet."""
        self.sock = sock
        self._answer = answer
        self._patience = patience
        self._incoming = b""
        self._outgoing = memoryview(b"")
        # Hang up once the outgoing bytes are gone.
        self._last = False
        self.deadline = now + patience.head
        # Between two requests: the first to go where there are too many.
        self.idle = True

    @property
    def writing(self) -> bool:
        """Whether it has yet to take some of its answer."""
        return bool(self._outgoing)

    def read(self, now: float) -> bool:
        """Take what has come and answer it.

        Returns:
            Whether the connection goes on.
        """
        try:
            data = self.sock.recv(_READ)
        except (BlockingIOError, InterruptedError):
            return True
        except OSError:
            return False
        if not data:
            return False
        if not self._incoming:
            self.deadline = now + self._patience.head
            self.idle = False
        self._incoming += data
        return self._go_on(now)

    def write(self, now: float) -> bool:
        """Send what can be sent.

        Returns:
            Whether the connection goes on.
        """
        try:
            sent = self.sock.send(self._outgoing)
        except (BlockingIOError, InterruptedError):
            return True
        except OSError:
            return False
        self._outgoing = self._outgoing[sent:]
        return True if self._outgoing else self._go_on(now)

    def _go_on(self, now: float) -> bool:
        """Answer the requests that have come, one at a time."""
        while not self._outgoing:
            if self._last:
                return False
            try:
                head = self._next_head()
                if head is None:
                    if not self._incoming:
                        self.deadline = now + self._patience.idle
                        self.idle = True
                    return True
                request, self._last = parse(head)
                answer = self._answer(request)
            except Malformed as problem:
                self._last = True
                answer = problem.answer
                request = None
            self._outgoing = memoryview(self._bytes(request, answer))
            self.deadline = now + self._patience.answer
            try:
                sent = self.sock.send(self._outgoing)
            except (BlockingIOError, InterruptedError):
                return True
            except OSError:
                return False
            self._outgoing = self._outgoing[sent:]
        return True

    def _next_head(self) -> bytes | None:
        """The next request's head, None while it has not come to its end."""
        end = self._incoming.find(_END)
        if end > _MOST_HEAD or (end < 0 and len(self._incoming) > _MOST_HEAD):
            raise Malformed(say(431, "The request's head is too long."))
        if end < 0:
            return None
        head = self._incoming[:end]
        self._incoming = self._incoming[end + len(_END) :]
        return head

    def _bytes(self, request: Request | None, answer: Answer) -> bytes:
        """The answer as it goes over the wire."""
        lines = [f"HTTP/1.1 {answer.status} {answer.reason}\r\n", _HEAD_TAIL]
        lines += [f"{name}: {value}\r\n" for name, value in answer.headers]
        if answer.status != 304:  # noqa: PLR2004  # Not Modified: no body, no length.
            lines.append(
                f"Content-Type: {answer.kind}\r\nContent-Length: {len(answer.body)}\r\n"
            )
        if self._last:
            lines.append("Connection: close\r\n")
        head = "".join([*lines, "\r\n"]).encode("latin-1")
        if request is not None and request.method == "HEAD":
            return head
        return head + answer.body


def parse(head: bytes) -> tuple[Request, bool]:
    """Read a request's head.

    Args:
        head: Without the empty line at its end.

    Returns:
        The request, and whether it is the last one of its connection.

    Raises:
        Malformed: It is none, or has a body: nothing here takes one.
    """
    first, *rest = head.decode("latin-1").split("\r\n")
    line = _REQUEST_LINE.fullmatch(first)
    if line is None:
        raise Malformed(say(400, "This is no HTTP/1.1 request for a path."))
    headers: dict[str, str] = {}
    for text in rest:
        header = _HEADER.fullmatch(text)
        if header is None:
            raise Malformed(say(400, "A header is malformed."))
        name = header[1].lower()
        if name in headers and name in {"host", "authorization", "content-length"}:
            raise Malformed(say(400, "A header is there twice."))
        value = header[2].rstrip()
        headers[name] = f"{headers[name]}; {value}" if name in headers else value
    if headers.get("content-length", "0") != "0" or "transfer-encoding" in headers:
        method_takes_body = line[1] not in {"GET", "HEAD"}
        # Its body is not read, so that nothing after it can be told apart.
        if method_takes_body:
            raise Malformed(
                say(405, "This page is only read.", (("Allow", "GET, HEAD"),))
            )
        raise Malformed(say(400, "A request has no body here."))
    path, _, query = line[2].partition("?")
    connection = headers.get("connection", "").lower()
    last = line[3] == "0" or "close" in connection
    return Request(line[1], unquote(path), query, headers), last
