"""Who may see the page: the token, and the names it answers to."""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import socket
from hashlib import sha256
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from .._model.settings import check_address, is_loopback
from .http import Answer, say

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .http import Request

_BEARER: Final = "bearer "
_DENIED: Final = (
    "This page needs its token: open it as /?token=TOKEN, "
    "or send Authorization: Bearer TOKEN."
)


class Token:
    """What a visitor has to know.

    Args:
        secret: The token.
        cookie: The name of the cookie that stands for it. Browsers send cookies
            to every port of a host, so that each page has a name of its own.
    """

    def __init__(self, secret: str, cookie: str) -> None:
        """The cookie's value is not the token: who steals it cannot sign in anew."""
        check_address("127.0.0.1", 0, secret)
        self._secret = secret.strip()
        self._cookie = cookie
        self._session = secrets.token_urlsafe(32)

    def is_borne(self, request: Request) -> bool:
        """Whether the request carries the token in its ``Authorization``."""
        given = request.headers.get("authorization", "")
        return given[: len(_BEARER)].lower() == _BEARER and _same(
            given[len(_BEARER) :].strip(), self._secret
        )

    def is_signed_in(self, request: Request) -> bool:
        """Whether the request carries the cookie."""
        for part in request.headers.get("cookie", "").split(";"):
            name, _, value = part.strip().partition("=")
            if name == self._cookie and _same(value, self._session):
                return True
        return False

    def sign_in(self, request: Request) -> Answer | None:
        """Exchange a link's token for the cookie, and take it off the address bar.

        Returns:
            None: the request is no such link, or its token is wrong.
        """
        if request.path != "/":
            return None
        given = [value for name, value in parse_qsl(request.query) if name == "token"]
        if len(given) != 1 or not _same(given[0], self._secret):
            return None
        cookie = (
            f"{self._cookie}={self._session}; Path={request.prefix}/; HttpOnly; "
            f"SameSite=Lax{'; Secure' if request.secure else ''}"
        )
        home = (("Location", f"{request.prefix}/"), ("Set-Cookie", cookie))
        return say(303, "Signed in.", home)


class Access:
    """Lets a request in, or says why not.

    Args:
        token: None: whoever asks may see it.
        hosts: The names a ``Host`` header may have; None: any (the server that
            the page is mounted in sees to that).
    """

    def __init__(
        self, token: Token | None = None, hosts: frozenset[str] | None = None
    ) -> None:
        """Keep them."""
        self._token = token
        self._hosts = hosts

    def refuse(self, request: Request, *, public: bool) -> Answer | None:
        """The answer that a request gets instead of what it asked for.

        Args:
            request: Any.
            public: Whether the path is for everybody.

        Returns:
            None: it is let in.
        """
        token = self._token
        if token is not None and token.is_borne(request):
            return None
        # Another site's name that resolves to this address (DNS rebinding): its
        # scripts could read every answer. None of them has the bearer's token.
        if self._hosts is not None and not self._is_known(request):
            return say(421, "The Host header is none of the names of this page.")
        if public or token is None or token.is_signed_in(request):
            return None
        return token.sign_in(request) or say(
            401, _DENIED, (("WWW-Authenticate", 'Bearer realm="httpguard"'),)
        )

    def _is_known(self, request: Request) -> bool:
        """Whether the ``Host`` is ours: an address, or one of the names."""
        host = _without_port(request.headers.get("host", ""))
        return host in (self._hosts or ()) or _is_address(host)


def names_of(bound: Iterable[str]) -> frozenset[str]:
    """The host names that a page may be asked for by.

    A name that resolves to its address is what rebinding uses; an address itself
    cannot be rebound, so that those are let in without being listed.

    Args:
        bound: What it was asked to listen on.
    """
    names = {"localhost", *bound}
    if not all(is_loopback(name) for name in bound):
        names |= {socket.gethostname(), socket.getfqdn()}
    return frozenset(name.lower() for name in names)


def _same(given: str, expected: str) -> bool:
    """Compare in a time that tells nothing, not even the length."""
    digests = [sha256(text.encode("utf-8", "replace")) for text in (given, expected)]
    return hmac.compare_digest(digests[0].digest(), digests[1].digest())


def _without_port(host: str) -> str:
    """The name or address of a ``Host`` header."""
    if host.startswith("["):
        return host.partition("]")[0][1:]
    return host.partition(":")[0].lower().rstrip(".")


def _is_address(host: str) -> bool:
    """Whether it is an IP address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
