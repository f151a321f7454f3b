"""A local server in a process of its own, and as little work as can be.

Run as a program it serves until its standard input is closed, and prints its
port first.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_END: Final = b"\r\n\r\n"
_BODY: Final = b"x" * 512
_ANSWER: Final = (
    b"HTTP/1.1 200 OK\r\n"
    b"Server: loopback\r\n"
    b"Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
    b"Content-Type: application/octet-stream\r\n"
    b"Content-Length: %d\r\n"
    b"\r\n"
    b"%b"
) % (len(_BODY), _BODY)


@contextlib.contextmanager
def loopback_server() -> Iterator[str]:
    """A server for the time of the ``with`` block; gives its URL."""
    with subprocess.Popen(
        [sys.executable, __file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        if process.stdout is None or process.stdin is None:
            raise RuntimeError("a server without pipes")
        port = int(process.stdout.readline())
        try:
            yield f"http://127.0.0.1:{port}/item"
        finally:
            process.stdin.close()


def _serve() -> None:
    """One thread, one selector; a request is whatever ends in an empty line."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    print(listener.getsockname()[1], flush=True)
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        selector.register(sys.stdin, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is sys.stdin:
                    return
                if key.fileobj is listener:
                    _accept(listener, selector)
                elif isinstance(key.fileobj, socket.socket):
                    _answer(key.fileobj, selector)


def _accept(listener: socket.socket, selector: selectors.BaseSelector) -> None:
    """Take a new connection."""
    connection, _ = listener.accept()
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    selector.register(connection, selectors.EVENT_READ)


def _answer(connection: socket.socket, selector: selectors.BaseSelector) -> None:
    """Answer the requests that have arrived, or take note of the end."""
    try:
        data = connection.recv(65536)
        if data:
            connection.sendall(_ANSWER * data.count(_END))
            return
    except ConnectionError:
        pass
    selector.unregister(connection)
    connection.close()


if __name__ == "__main__":
    _serve()
