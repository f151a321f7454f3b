"""The live page as public functions; `httpguard._web` is imported when used."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from .._process.process import PROCESS, current, failed
from . import public  # noqa: TC001  # For typing.get_type_hints.

if TYPE_CHECKING:
    from .._model.settings import Settings
    from .._web import Page, Program


def serve(
    host: str | int = "127.0.0.1", port: int = 0, token: str | None = None
) -> public.Page:
    """Serve the live page of this process from a daemon thread.

    It shows what is open and what leaked, by site, and refreshes by itself. It is
    read-only, and answers ``/api/snapshot`` (JSON), ``/metrics`` (for Prometheus) and
    ``/healthz`` beside it. Requests that this program makes to it get no lease.

    Args:
        host: The address to listen on; a port alone, which is one of 127.0.0.1; or
            ``HOST:PORT``. Any address but a loopback one needs a token.
        port: The port; 0: a free one.
        token: Whoever wants to see the page has to know it: 16 printable ASCII
            characters or more. Sent as ``Authorization: Bearer TOKEN``, or once as
            ``?token=TOKEN`` (`Page.login_url`), which becomes a cookie.

    Returns:
        The page: ``url`` says where it is, ``close()`` ends it. Also a context
        manager.

    Raises:
        ConfigError: The address is not a loopback one and there is no token; an
            argument is not accepted; or the address cannot be bound.
    """
    from .._web import serve as start

    return start(this_program(), host, port, token)


def wsgi_app(token: str | None = None) -> public.WSGIApplication:
    """The live page as a WSGI application, to mount in Flask, Django and others.

    Who may see it is for the program around it to say, by its own login or by a
    token. Works under any prefix. Of a server with several worker processes it shows
    the one that answers; a login by the token holds in all of them.

    Args:
        token: As in `serve`; None: whoever reaches it sees it.

    Raises:
        ConfigError: The token is not accepted.
    """
    from .._web import mounted

    return mounted(this_program(), token)


def asgi_app(token: str | None = None) -> public.ASGIApplication:
    """The live page as an ASGI application, to mount in Starlette, FastAPI, Django.

    As `wsgi_app`. It is made in a thread: the event loop goes on meanwhile.

    Args:
        token: As in `wsgi_app`.

    Raises:
        ConfigError: The token is not accepted.
    """
    from .._web import ASGIApplication, mounted

    return ASGIApplication(mounted(this_program(), token))


def this_program() -> Program:
    """What a page is handed."""
    from .._web import Program
    from .metrics import render_prometheus

    return Program(current, render_prometheus, failed, PROCESS.parts, PROCESS.addresses)


class _Setting:
    """The page that the setting ``serve`` asks for."""

    def __init__(self) -> None:
        self._page: Page | None = None
        self._wanted: tuple[object, object] = (None, None)

    def serve_as(self, settings: Settings | None) -> None:
        """Serve what the settings ask for, and close what they no longer do.

        It never raises: a page that cannot be served is said in the log.

        Args:
            settings: Those of `install`; None: uninstalled.
        """
        wanted = (
            (None, None) if settings is None else (settings.serve, settings.serve_token)
        )
        if wanted == self._wanted and (self._page is None or not self._page.closed):
            return
        page, self._page = self._page, None
        self._wanted = wanted
        if page is not None:
            page.close()
        if settings is not None and settings.serve is not None:
            try:
                self._page = _open(*settings.serve, settings.serve_token)
            except Exception as error:
                _LOGGER.warning("httpguard cannot serve its page: %s", error)


def _open(host: str, port: int, token: str | None) -> Page:
    """Serve at the port that was asked for, or, where it is taken, at a free one.

    A variable in the environment reaches every process of a program: the first
    one gets the port.
    """
    from .._model.errors import ConfigError

    try:
        page = serve(host, port, token)
    except ConfigError as error:
        if not port:
            raise
        page = serve(host, 0, token)
        _LOGGER.warning("%s; httpguard's page is at %s", error, page.url)
    else:
        _LOGGER.info("httpguard's page is at %s", page.url)
    return page


_LOGGER = logging.getLogger("httpguard")
PROCESS.page = _Setting()
