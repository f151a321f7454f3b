"""The page's own files, which are part of the package."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Final

_HTML: Final = "text/html; charset=utf-8"
_SCRIPT: Final = "text/javascript; charset=utf-8"

# Path -> file in static/ and its content type: no other path reaches a file.
FILES: Final[dict[str, tuple[str, str]]] = {
    "/": ("index.html", _HTML),
    "/static/page.css": ("page.css", "text/css; charset=utf-8"),
    "/static/page.js": ("page.js", _SCRIPT),
    "/static/chart.js": ("chart.js", _SCRIPT),
    "/static/elements.js": ("elements.js", _SCRIPT),
    "/static/format.js": ("format.js", _SCRIPT),
    "/static/leaks.js": ("leaks.js", _SCRIPT),
    "/static/tables.js": ("tables.js", _SCRIPT),
    "/static/icon.svg": ("icon.svg", "image/svg+xml"),
}


@dataclass(frozen=True, slots=True)
class Asset:
    """A file.

    Args:
        kind: Its content type.
        body: All of it.
        tag: Its ETag.
    """

    kind: str
    body: bytes
    tag: str


@cache
def load(path: str) -> Asset:
    """Read a file once.

    Args:
        path: One of `FILES`.
    """
    name, kind = FILES[path]
    body = files(__package__).joinpath("static", name).read_bytes()
    return Asset(kind, body, f'"{sha256(body).hexdigest()[:16]}"')
