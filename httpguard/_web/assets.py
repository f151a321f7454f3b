"""The page's own files, which are part of the package."""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from importlib.resources import files
from typing import Final

from .answer import Answer

_KINDS: Final = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_SHARED: Final = (
    *("page.css", "page.js", "chart.js", "elements.js", "format.js", "leaks.js"),
    *("tables.js", "icon.svg"),
)

FILES: Final = {"/": "index.html"} | {f"/static/{name}": name for name in _SHARED}
"""Path and file in static/: no other path reaches a file."""


@lru_cache(maxsize=64)
def load(path: str) -> Answer:
    name = FILES[path]
    body = files(__package__).joinpath("static", name).read_bytes()
    tag = f'"{sha256(body).hexdigest()[:16]}"'
    return Answer(200, _KINDS[name.rpartition(".")[2]], body, tag=tag)
