"""`serve`: the page at a socket of its own."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING
from urllib.parse import quote

from .._model.errors import ConfigError
from .._model.settings import check, check_address
from .access import Access, Token, is_address, names_of
from .application import WSGIApplication
from .server import Server, listen

if TYPE_CHECKING:
    from .source import Program


class Page(AbstractContextManager["Page"]):
    """The live page of this process, while it is served. Made by `httpguard.serve`.

    Usable as a context manager, which closes it.
    """

    def __init__(self, server: Server, url: str, token: str | None) -> None:
        self._server = server
        self._token = token
        self.url = url
        """Where it is."""

    @property
    def login_url(self) -> str:
        """Where it is, with the token in it if it has one: for a person's browser."""
        if self._token is None:
            return self.url
        return f"{self.url}?token={quote(self._token, safe='')}"

    @property
    def closed(self) -> bool:
        """Whether it is no longer served: it was closed, or this is a forked child."""
        return self._server.closed

    def close(self) -> None:
        """Stop serving it. A second call does nothing."""
        self._server.close()

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        """Where it is; never the token."""
        return f"<httpguard page at {self.url}{' (closed)' if self.closed else ''}>"


def serve(
    program: Program, host: str | int, port: int = 0, token: str | None = None
) -> Page:
    """See `httpguard.serve`."""
    host, port = _place(host, port)
    check_address(host, port, token)
    try:
        listener = listen(host, port)
    except (OSError, UnicodeError) as error:
        msg = f"serve={host!r}, port {port}: cannot listen there: {error}"
        raise ConfigError(msg) from error
    address, port = listener.getsockname()[:2]
    secret = None if token is None else Token(token, f"httpguard_{port}")
    access = Access(secret, names_of({host, str(address)}))
    application = WSGIApplication(program, access)
    # As the program's own clients may name it.
    names = {host, "localhost", "127.0.0.1", "::1", "[::1]", f"[{host}]"}
    own: set[tuple[str, int | None]] = {(name.lower(), port) for name in names}
    server = Server(listener, application, program, own=own)
    server.start()
    return Page(server, f"http://{_reachable(host)}:{port}/", token)


def _place(host: str | int, port: int) -> tuple[str, int]:
    """Host and port. A port alone and HOST:PORT are taken as the setting has them."""
    alone = isinstance(host, int) or (
        isinstance(host, str)
        and not is_address(host.strip("[] "))
        and (":" in host or host.strip().isdecimal())
    )
    place: tuple[str, int] | None = None
    if isinstance(host, (int, str)) and not (alone and port != 0):
        with contextlib.suppress(ConfigError):
            place = check("serve", host if alone else (host, port), "serve")
    if place is None:
        given = repr(host) if alone and port == 0 else f"{host!r}, {port!r}"
        raise ConfigError(
            f"serve({given}) is not accepted: a host and a port, or a port from 0 to "
            "65535, or HOST:PORT"
        )
    return place


def _reachable(host: str) -> str:
    """What to put in a link: an address that means all of them is none to visit."""
    try:
        unspecified = ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return host
    if unspecified:
        return socket.gethostname()
    return f"[{host}]" if ":" in host else host
