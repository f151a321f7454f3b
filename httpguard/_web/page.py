"""`serve`: the page at a socket of its own."""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING
from urllib.parse import quote

from .._leases import own as _own
from .._model.errors import ConfigError
from .._model.settings import check_address
from .access import Access, Token, names_of
from .application import Application
from .server import Server, listen

if TYPE_CHECKING:
    from types import TracebackType


class Page:
    """The live page of this process, while it is served. Made by `serve`.

    Usable as a context manager, which closes it.
    """

    def __init__(self, server: Server, host: str, port: int, token: str | None) -> None:
        """It is served already."""
        self._server = server
        self._token = token
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{port}/"
        """Where it is."""
        self._own = _addresses(host, port)
        _own.ADDRESSES.update(self._own)

    @property
    def login_url(self) -> str:
        """Where it is, with the token in it if it has one: for a person's browser."""
        if self._token is None:
            return self.url
        return f"{self.url}?token={quote(self._token, safe='')}"

    @property
    def closed(self) -> bool:
        """Whether it is no longer served."""
        return self._server.closed

    def close(self) -> None:
        """Stop serving it. A second call does nothing."""
        if not self.closed:
            self._server.close()
            _own.ADDRESSES.difference_update(self._own)

    def __enter__(self) -> Page:  # noqa: PYI034 (typing.Self came with 3.11)
        """It is served already."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()

    def __repr__(self) -> str:
        """Where it is; never the token."""
        return f"<httpguard page at {self.url}{' (closed)' if self.closed else ''}>"


def serve(host: str, port: int, token: str | None) -> Page:
    """See `httpguard.serve`."""
    check_address(host, port, token)
    host, port = host.strip().strip("[]"), int(port)
    try:
        listener = listen(host, port)
    except (OSError, UnicodeError) as error:
        msg = f"serve={host!r}, port {port}: cannot listen there: {error}"
        raise ConfigError(msg) from error
    bound = listener.getsockname()
    secret = None if token is None else Token(token, f"httpguard_{bound[1]}")
    access = Access(secret, names_of({host, str(bound[0])}))
    server = Server(listener, Application(access))
    page = Page(server, _reachable(host), bound[1], token)
    server.start()
    return page


def _reachable(host: str) -> str:
    """What to put in a link: an address that means all of them is none to visit."""
    try:
        unspecified = ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return host
    return socket.gethostname() if unspecified else host


def _addresses(host: str, port: int) -> frozenset[tuple[str, int]]:
    """Host and port as the program's own clients may name them."""
    names = {host, "localhost", "127.0.0.1", "::1", "[::1]", f"[{host}]"}
    return frozenset((name.lower(), port) for name in names)
