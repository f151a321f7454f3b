"""The live page: what is open and what leaked, seen in a browser.

One door: `WSGIApplication`. `server` (a socket and a daemon thread of our own), the
program's own WSGI server, and `ASGIApplication` call it. It makes JSON of what a
`Source`, the guard, tells; who opens a page hands that and more over as a `Program`.
"""

from __future__ import annotations

from .application import ASGIApplication, WSGIApplication, mounted
from .page import Page, serve
from .source import Program, Source

__all__ = [
    "ASGIApplication",
    "Page",
    "Program",
    "Source",
    "WSGIApplication",
    "mounted",
    "serve",
]
