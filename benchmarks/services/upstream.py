"""The server that the services ask: quick, and as ill-behaved as it is told to be.

Run as a program it serves until its standard input is closed, and prints its port
first. The first part of the path is what it does:

==============  =============================================================
``bytes``       ``/bytes/N``: N bytes
``chunked``     twenty chunks
``redirect``    302 to ``/bytes/100``
``flaky``       ``/flaky/KEY``: 503 the first time, and then 200
``late``        ``/late/S``: ten bytes, and after S seconds the rest
``stall``       announces 900,000 bytes, sends 1,000 and nothing more
``silent``      no answer at all
``reset``       sends half of what it announces, and resets the connection
``refuse``      resets the connection instead of an answer
==============  =============================================================
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import subprocess
import sys
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_END: Final = b"\r\n\r\n"
_CHUNKS: Final = b"5\r\n12345\r\n" * 20 + b"0\r\n\r\n"
_ANNOUNCED: Final = 900_000
_SENT: Final = 1_000
# An end by RST, not by FIN: linger for no time.
_AT_ONCE: Final = struct.pack("ii", 1, 0)


@contextlib.contextmanager
def upstream() -> Iterator[str]:
    """A server for the time of the ``with`` block; gives its URL."""
    with subprocess.Popen(
        [sys.executable, "-m", __name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        # Ctrl-C is for the command, which ends the service first.
        start_new_session=True,
    ) as process:
        if process.stdout is None or process.stdin is None:
            raise RuntimeError("a server without pipes")
        port = int(process.stdout.readline())
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.stdin.close()


class _Connection(asyncio.Protocol):
    """One connection: requests have no bodies.

    Args:
        asked_before: The keys of ``/flaky`` that were asked for once.
    """

    def __init__(self, asked_before: set[str]) -> None:
        self._asked_before = asked_before
        self._data = b""
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        self._data += data
        while _END in self._data:
            head, _, self._data = self._data.partition(_END)
            method, path = head.split(b" ", 2)[:2]
            self._answer(method == b"HEAD", path.decode())

    def _answer(self, is_head: bool, path: str) -> None:  # noqa: FBT001
        """Do what the path says."""
        word, _, rest = path.lstrip("/").partition("/")
        if is_head:
            self._send(b"200 OK", int(rest))
        elif word in _BEHAVIOURS:
            _BEHAVIOURS[word](self, rest)
        else:
            self._send(b"404 Not Found", 0)

    def _send(
        self, status: bytes, length: int, body: bytes = b"", header: bytes = b""
    ) -> None:
        """A head that announces so many bytes, and what is sent of them."""
        self._transport.write(
            b"HTTP/1.1 %b\r\nContent-Length: %d\r\n%b\r\n%b"
            % (status, length, header, body)
        )

    def bytes(self, rest: str) -> None:
        self._send(b"200 OK", int(rest), b"x" * int(rest))

    def chunked(self, _: str) -> None:
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        self._transport.write(head + _CHUNKS)

    def redirect(self, _: str) -> None:
        self._send(b"302 Found", 5, b"moved", b"Location: /bytes/100\r\n")

    def flaky(self, key: str) -> None:
        if key in self._asked_before:
            self._asked_before.remove(key)
            self._send(b"200 OK", 100, b"x" * 100)
        else:
            self._asked_before.add(key)
            self._send(b"503 Service Unavailable", 5, b"later")

    def late(self, seconds: str) -> None:
        self._send(b"200 OK", 100, b"x" * 10)
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(
            float(seconds), self._transport.write, b"x" * (100 - 10)
        )

    def stall(self, _: str) -> None:
        self._send(b"200 OK", _ANNOUNCED, b"x" * _SENT)

    def silent(self, _: str) -> None:
        pass

    def reset(self, _: str) -> None:
        self.stall("")
        # After the client has had the time to take the head.
        self._timer = asyncio.get_running_loop().call_later(0.01, self.refuse, "")

    def refuse(self, _: str) -> None:
        if not self._transport.is_closing():
            found = cast("socket.socket", self._transport.get_extra_info("socket"))
            found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
            self._transport.abort()


_BEHAVIOURS: Final[dict[str, Callable[[_Connection, str], None]]] = {
    "bytes": _Connection.bytes,
    "chunked": _Connection.chunked,
    "redirect": _Connection.redirect,
    "flaky": _Connection.flaky,
    "late": _Connection.late,
    "stall": _Connection.stall,
    "silent": _Connection.silent,
    "reset": _Connection.reset,
    "refuse": _Connection.refuse,
}


async def _serve() -> None:
    """Serve until standard input ends."""
    loop = asyncio.get_running_loop()
    asked_before: set[str] = set()
    server = await loop.create_server(
        lambda: _Connection(asked_before), "127.0.0.1", 0, backlog=1024
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve())
