"""How the tests ask a page."""

from __future__ import annotations

import http.client
import json
import socket
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from httpguard._api.pages import this_program
from httpguard._web.access import Access
from httpguard._web.application import WSGIApplication
from httpguard._web.server import Server, listen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from httpguard._web import Page
    from httpguard._web.connection import Patience

TOKEN = "a-token-of-23-characters"


def port_of(page: Page) -> int:
    port = urlsplit(page.url).port
    assert port is not None
    return port


def ask(
    page: Page | int, path: str = "/", method: str = "GET", **headers: str
) -> tuple[http.client.HTTPResponse, bytes]:
    """By http.client, which httpguard does not see."""
    port = page if isinstance(page, int) else port_of(page)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    with closing(connection):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, headers=named)
        response = connection.getresponse()
        return response, response.read()


def state(page: Page, **headers: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(ask(page, "/api/snapshot", **headers)[1])
    return answer


def exchange(page: Page | int, data: bytes) -> bytes:
    """Send bytes as they are; all that comes until the page hangs up."""
    port = page if isinstance(page, int) else port_of(page)
    with socket.create_connection(("127.0.0.1", port), timeout=30) as sock:
        sock.sendall(data)
        answer = b""
        while chunk := sock.recv(65536):
            answer += chunk
        return answer


@contextmanager
def serving(patience: Patience | None = None, most: int = 256) -> Iterator[int]:
    """The page's own server with other limits; its port."""
    program = this_program()
    application = WSGIApplication(program, Access())
    listener = listen("127.0.0.1", 0)
    port = listener.getsockname()[1]
    server = Server(listener, application, program, patience=patience, most=most)
    server.start()
    try:
        yield int(port)
    finally:
        server.close()
