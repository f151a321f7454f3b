"""The page as a WSGI application."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .access import Access, Token
from .application import Application
from .http import Request
from .sampler import Sampler

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class WSGIApplication:
    """The live page, to be mounted in a WSGI server under any prefix.

    Args:
        token: What a visitor has to know; None: nothing.
    """

    def __init__(self, token: str | None = None) -> None:
        """Serve nothing yet; the first request starts the history."""
        access = Access(None if token is None else Token(token, "httpguard"))
        self._application = Application(access)
        self._sampler = Sampler(self._application)

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Answer a request."""
        if not self._sampler.running:
            self._sampler.start()
        answer = self._application.answer(_request(environ))
        start_response(f"{answer.status} {answer.reason}", list(answer.all_headers()))
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [answer.body]


def _request(environ: dict[str, Any]) -> Request:
    """The request of an environment."""
    headers = {
        key[5:].replace("_", "-").lower(): value
        for key, value in environ.items()
        if key.startswith("HTTP_")
    }
    return Request(
        method=environ["REQUEST_METHOD"],
        path=_text(environ.get("PATH_INFO", "")),
        query=environ.get("QUERY_STRING", ""),
        headers=headers,
        prefix=_quoted(environ.get("SCRIPT_NAME", "")),
        secure=environ.get("wsgi.url_scheme") == "https",
    )


def _text(value: str) -> str:
    """A path, whose bytes WSGI carries as latin-1."""
    return value.encode("latin-1").decode("utf-8", "replace")


def _quoted(prefix: str) -> str:
    """The prefix as it stands in a URL."""
    from urllib.parse import quote

    return quote(_text(prefix)).rstrip("/")
