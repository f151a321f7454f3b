"""What each path answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from . import assets
from .exposition import metrics
from .http import JSON, Answer, say

if TYPE_CHECKING:
    from collections.abc import Callable

    from .http import Request
    from .view import View

    Route = Callable[[Request, View], Answer]


def find_route(path: str) -> Route | None:
    """The function that answers a path, None if there is none.

    Args:
        path: Below the prefix.
    """
    return ROUTES.get(path) or (_asset if path in assets.FILES else None)


def _asset(request: Request, _view: View) -> Answer:
    """A file of the package."""
    asset = assets.load(request.path)
    if request.headers.get("if-none-match") == asset.tag:
        return Answer(304, headers=(("ETag", asset.tag),))
    return Answer(200, asset.kind, asset.body, (("ETag", asset.tag),))


def _snapshot(request: Request, view: View) -> Answer:
    """The state as JSON."""
    document = view.document()
    if request.headers.get("if-none-match") == document.tag:
        return Answer(304, headers=(("ETag", document.tag),))
    accepted = request.headers.get("accept-encoding", "")
    if document.packed is not None and "gzip" in accepted:
        return Answer(200, JSON, document.packed, _packed_headers(document.tag))
    return Answer(200, JSON, document.plain, (("ETag", document.tag),))


def _packed_headers(tag: str) -> tuple[tuple[str, str], ...]:
    """Those of an answer packed by gzip."""
    return (("ETag", tag), ("Content-Encoding", "gzip"))


def _health(_request: Request, _view: View) -> Answer:
    """Whether the page is served; says nothing of the program."""
    return say(200, "ok")


ROUTES: Final[dict[str, Route]] = {
    "/api/snapshot": _snapshot,
    "/healthz": _health,
    "/metrics": metrics,
}
"""Beside the files of the package. A destination such as a metrics exposition adds
its path here; it is behind the same door."""

PUBLIC: Final = frozenset({"/healthz"})
"""Paths that need no token."""
