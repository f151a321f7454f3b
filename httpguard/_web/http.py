"""A request and an answer, as plain values, and what every answer says."""

from __future__ import annotations

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from .._model.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SERVER: Final = f"httpguard/{__version__}"
TEXT: Final = "text/plain; charset=utf-8"
JSON: Final = "application/json"

# Scripts and styles are files of ours; nothing inline, nothing from elsewhere,
# and no text ever becomes markup (Trusted Types).
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'; "
    "trusted-types 'none'"
)
SECURITY: Final = (
    ("Content-Security-Policy", _POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=()"),
    # Kept by nobody but the browser that asked, and asked for again each time.
    ("Cache-Control", "private, no-cache"),
    ("Vary", "Accept-Encoding, Authorization, Cookie"),
    ("Server", SERVER),
)


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked.

    Args:
        method: Upper case.
        path: Below the prefix that the page is mounted at, percent-decoded.
        query: What follows the question mark, as it came.
        headers: By name in lower case.
        prefix: Where the page is mounted, without a slash at its end.
        secure: Whether it came by https.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    prefix: str = ""
    secure: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered.

    Args:
        status: The code.
        kind: The content type.
        body: All of it.
        headers: Beside those of every answer.
    """

    status: int
    kind: str = TEXT
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def reason(self) -> str:
        """The status in words."""
        return HTTPStatus(self.status).phrase

    def all_headers(self) -> Iterable[tuple[str, str]]:
        """Every header, the length of the body included."""
        yield from SECURITY
        yield from self.headers
        if self.status != HTTPStatus.NOT_MODIFIED:
            yield "Content-Type", self.kind
            yield "Content-Length", str(len(self.body))


def say(status: int, text: str, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    """An answer of one line of text.

    Args:
        status: The code.
        text: Of ours, never of the request's.
        headers: Beside those of every answer.
    """
    return Answer(status, TEXT, f"{text}\n".encode(), headers)


def to_json(value: Any) -> bytes:
    """JSON that is safe wherever it lands: ASCII only, and no bare ``<``."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").encode("ascii")
