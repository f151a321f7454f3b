"""An answer as a plain value, and what every answer says."""

from __future__ import annotations

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from .._model.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable

Environ = dict[str, Any]
"""A request, as WSGI has it."""

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
_ALWAYS: Final = (
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
    ("Server", f"httpguard/{__version__}"),
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered; `headers` are those beside what every answer says.

    Whoever has what bears the same `tag` is not sent it again.
    """

    status: int
    kind: str = TEXT
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    tag: str = ""

    @property
    def line(self) -> str:
        return f"{self.status} {HTTPStatus(self.status).phrase}"

    def all_headers(self) -> Iterable[tuple[str, str]]:
        yield from _ALWAYS
        yield from self.headers
        if self.tag:
            yield "ETag", self.tag
        if self.status != HTTPStatus.NOT_MODIFIED:
            yield "Content-Type", self.kind
            yield "Content-Length", str(len(self.body))


def say(status: int, text: str, *headers: tuple[str, str]) -> Answer:
    """An answer of one line of text, of ours, never of the request's."""
    return Answer(status, TEXT, f"{text}\n".encode(), headers)


def to_json(value: Any) -> bytes:
    """JSON that is safe wherever it lands: ASCII only, and no bare ``<``."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").encode("ascii")
