"""Who may see the page: the token, and the names it answers to."""

from __future__ import annotations

import hmac
import ipaddress
import socket
from hashlib import sha256
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, quote

from .._model.checks import is_loopback
from .._model.settings import check
from .answer import Answer, say

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .answer import Environ

_BEARER: Final = "bearer "
_DENIED: Final = (
    "This page needs its token: open it as /?token=TOKEN, "
    "or send Authorization: Bearer TOKEN."
)


class Token:
    """What a visitor has to know; raises `ConfigError`.

    Browsers send cookies to every port of a host, so that the cookie that stands for
    it has another name for each page.
    """

    def __init__(self, secret: str, cookie: str) -> None:
        self._secret: str = check("serve_token", secret, "token")
        self._cookie = cookie
        # Whoever steals it cannot tell the token; and each worker of a program, which
        # all have one token, knows the cookie that another one gave.
        key, purpose = self._secret.encode(), b"httpguard page"
        self._session = hmac.new(key, purpose, sha256).hexdigest()

    def is_borne(self, environ: Environ) -> bool:
        given = environ.get("HTTP_AUTHORIZATION", "")
        return given[: len(_BEARER)].lower() == _BEARER and _same(
            given[len(_BEARER) :].strip(), self._secret
        )

    def is_signed_in(self, environ: Environ) -> bool:
        for part in environ.get("HTTP_COOKIE", "").split(";"):
            name, _, value = part.strip().partition("=")
            if name == self._cookie and _same(value, self._session):
                return True
        return False

    def sign_in(self, environ: Environ) -> Answer | None:
        """Exchange a link's token for the cookie, and take it off the address bar.

        None: the request is no such link, or its token is wrong.
        """
        if environ.get("PATH_INFO") != "/":
            return None
        query = parse_qsl(environ.get("QUERY_STRING", ""))
        given = [value for name, value in query if name == "token"]
        if len(given) != 1 or not _same(given[0], self._secret):
            return None
        home = f"{prefix_of(environ)}/"
        secure = "; Secure" if environ.get("wsgi.url_scheme") == "https" else ""
        cookie = (
            f"{self._cookie}={self._session}; Path={home}; HttpOnly; "
            f"SameSite=Lax{secure}"
        )
        return say(303, "Signed in.", ("Location", home), ("Set-Cookie", cookie))


class Access:
    """Lets a request in, or says why not.

    `hosts` are the names a ``Host`` header may have; None: any, since the server that
    the page is mounted in sees to that.
    """

    def __init__(
        self, token: Token | None = None, hosts: frozenset[str] | None = None
    ) -> None:
        self._token = token
        self._hosts = hosts

    def refuse(self, environ: Environ, *, public: bool) -> Answer | None:
        """The answer instead of what was asked for; None: the request is let in."""
        token = self._token
        if token is not None and token.is_borne(environ):
            return None
        # Another site's name that resolves to this address (DNS rebinding): its
        # scripts could read every answer. None of them has the bearer's token.
        if self._hosts is not None and not self._is_known(environ):
            return say(421, "The Host header is none of the names of this page.")
        if public or token is None or token.is_signed_in(environ):
            return None
        return token.sign_in(environ) or say(
            401, _DENIED, ("WWW-Authenticate", 'Bearer realm="httpguard"')
        )

    def _is_known(self, environ: Environ) -> bool:
        """An address cannot be rebound, so that each is let in without being listed."""
        host = environ.get("HTTP_HOST", "")
        if host.startswith("["):
            host = host.partition("]")[0][1:]
        else:
            host = host.partition(":")[0].lower().rstrip(".")
        return host in (self._hosts or ()) or is_address(host)


def names_of(bound: Iterable[str]) -> frozenset[str]:
    """The host names that a page may be asked for by.

    The machine's own name is among them where others reach the page; its full name
    is not: to learn that, the program would wait for a name server.
    """
    names = {"localhost", *bound}
    if not all(is_loopback(name) for name in bound):
        names.add(socket.gethostname())
    return frozenset(name.lower() for name in names)


def is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def prefix_of(environ: Environ) -> str:
    """Where the page is mounted, as it stands in a URL, without a slash at its end."""
    # WSGI carries the bytes of a path as latin-1.
    return quote(environ.get("SCRIPT_NAME", "").encode("latin-1")).rstrip("/")


def _same(given: str, expected: str) -> bool:
    """Compare in a time that tells nothing, not even the length."""
    digests = [sha256(text.encode("utf-8", "replace")) for text in (given, expected)]
    return hmac.compare_digest(digests[0].digest(), digests[1].digest())
