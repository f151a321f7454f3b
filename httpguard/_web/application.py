"""Requests in, answers out: the same for every door."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from .._process import process as _process
from .http import Answer, Request, say
from .routes import PUBLIC, find_route
from .view import View

if TYPE_CHECKING:
    from .access import Access

_READING: Final = ("GET", "HEAD")


class Application:
    """The page, wherever it is served.

    Args:
        access: Who may see it.
    """

    def __init__(self, access: Access) -> None:
        """Start with nothing seen."""
        self.view = View()
        self._access = access

    def answer(self, request: Request) -> Answer:
        """Answer a request; whatever fails inside is a 500 and a line in the log.

        Args:
            request: Any. The answer to HEAD has a body too: it is for the door
                to leave it out.
        """
        try:
            return self._answer(request)
        except Exception as error:
            step_aside("web", error)
            return say(500, "httpguard failed here; the program's log says how.")

    def _answer(self, request: Request) -> Answer:
        """Let it in, or not, and find what it asks for."""
        refusal = self._access.refuse(request, public=request.path in PUBLIC)
        if refusal is not None:
            return refusal
        if request.method not in _READING:
            return say(405, "This page is only read.", (("Allow", "GET, HEAD"),))
        if not request.path:
            # Mounted at /guard and asked for so: its files are beside /guard/.
            home = f"{request.prefix}/" + (f"?{request.query}" if request.query else "")
            return say(308, "See below.", (("Location", home),))
        route = find_route(request.path)
        if route is None:
            return say(404, "There is nothing here.")
        return route(request, self.view)


def step_aside(where: str, error: Exception) -> None:
    """Something of ours failed: say so once.

    Args:
        where: The part that failed.
        error: How.
    """
    guard = _process.current()
    if guard is not None:
        guard.step_aside(where, error)
    else:
        logging.getLogger("httpguard").error("httpguard failed in %s: %s", where, error)
