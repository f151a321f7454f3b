"""To the application's logs: structlog where it has set that up, else logging."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._model.event import Event
    from .._model.streams import Streams
    from .._text.events import Rendered


class Logs:
    """The logs of the application.

    Args:
        streams: Those of the process.
        others: Whether events go elsewhere too.
    """

    def __init__(self, streams: Streams, others: Callable[[], bool]) -> None:
        self._streams = streams
        self._others = others
        # Whether somebody else shows the leaks to whoever has set up no logging.
        self.spared: Callable[[], bool] = lambda: False

    def report(self, event: Event) -> None:
        """Log an event.

        Raises:
            Exception: Whatever the application's processors or handlers raise. An
                event that its structlog chain refuses has gone to the standard
                library's logger before.
        """
        from .._model.event import OF_LEAKS, SUMMARY
        from .._text.events import render
        from . import logging

        structured = is_structlog_configured()
        spared = event.name in OF_LEAKS and not structured and self.spared()
        if spared and not logging.is_set_up():
            return
        rendered = render(event)
        if rendered is not None and structured:
            self._to_structlog(event, rendered)
        elif rendered is not None:
            logging.report(event, rendered, self._streams)
        if event.name == SUMMARY and not self._others():
            why = _silence(event.level, structured=structured)
            if why:
                logging.tell_of_silence(event, why, self._streams)

    def _to_structlog(self, event: Event, rendered: Rendered) -> None:
        from . import logging

        try:
            from . import structlog

            if not structlog.report(event, rendered, self._streams):
                logging.report(event, rendered, self._streams)
        except Exception:
            logging.report(event, rendered, self._streams)
            raise


def is_structlog_configured() -> bool:
    """Whether the application has set structlog up."""
    # Half made while another thread imports it.
    configured = getattr(sys.modules.get("structlog"), "is_configured", None)
    return configured is not None and bool(configured())


def preload() -> None:
    """Import now what is otherwise imported at the first report."""
    from .._text import events  # noqa: F401
    from . import logging  # noqa: F401

    if is_structlog_configured():
        from . import structlog  # noqa: F401


def _silence(level: str, *, structured: bool) -> str:
    """Why the logs show nothing of this level; empty: they do, as far as is known."""
    from . import logging

    if not structured:
        return logging.silence(level)
    from . import structlog

    return structlog.silence(level)
