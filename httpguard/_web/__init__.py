"""The live page: what is open and what leaked, seen in a browser.

Data flows one way: the guard's state -> `_view` (JSON, made at most once a second)
-> `_application` (paths to answers) -> one of three doors: `_server` (a socket and
a daemon thread of our own), `_wsgi` and `_asgi` (the program's own server).
"""

from __future__ import annotations

from .asgi import ASGIApplication
from .page import Page, serve
from .wsgi import WSGIApplication

__all__ = ["ASGIApplication", "Page", "WSGIApplication", "serve"]
