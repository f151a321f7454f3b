"""To the application's logs: structlog where it has set that up, else logging.

Imported with httpguard, and therefore light.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Final

from .._model.streams import is_shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._model.event import Event
    from .._model.streams import Streams
    from .._text.events import Rendered

LOGGER_NAME: Final = "httpguard"
_LEVELS: Final = {
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
# The longest path of Linux: a real one is never cut.
_MOST_PATH: Final = 4096


class Logs:
    """The logs of the application, and whether events go elsewhere too."""

    def __init__(self, streams: Streams, others: Callable[[], bool]) -> None:
        self._streams = streams
        self._others = others
        # Whether somebody else shows the leaks to whoever has set up no logging.
        self.spared: Callable[[], bool] = lambda: False

    def report(self, event: Event) -> None:
        """Log an event. Raises whatever the application's processors or handlers raise.

        An event that its structlog chain refuses has gone to the standard library's
        logger before.
        """
        from .._model.event import OF_LEAKS, SUMMARY
        from .._text.events import render

        structured = is_structlog_configured()
        spared = event.name in OF_LEAKS and not structured and self.spared()
        if spared and not _logger().hasHandlers():
            return
        rendered = render(event)
        if rendered is not None and structured:
            self._to_structlog(event, rendered)
        elif rendered is not None:
            _to_logging(event, rendered, self._streams)
        if event.name == SUMMARY and not self._others():
            why = _silence(event.level, structured=structured)
            if why:
                _tell_of_silence(event, why, self._streams)

    def _to_structlog(self, event: Event, rendered: Rendered) -> None:
        try:
            from . import structlog

            if not structlog.report(event, rendered, self._streams):
                _to_logging(event, rendered, self._streams)
        except Exception:
            _to_logging(event, rendered, self._streams)
            raise


def is_structlog_configured() -> bool:
    """Whether the application has set structlog up."""
    # Half made while another thread imports it.
    configured = getattr(sys.modules.get("structlog"), "is_configured", None)
    return configured is not None and bool(configured())


def preload() -> None:
    """Import now what is otherwise imported at the first report."""
    from .._text import events  # noqa: F401
    from . import context, terminal  # noqa: F401

    if is_structlog_configured():
        from . import structlog  # noqa: F401


def _to_logging(event: Event, rendered: Rendered, streams: Streams) -> None:
    """Log the text, in a record that names the leak's site as its place.

    Without any logging set-up the standard library's last resort prints it on
    stderr. The fields travel on the record as its attribute ``httpguard``.
    """
    from .._model.redaction import printable
    from .context import with_context
    from .terminal import dress

    logger, level = _logger(), _LEVELS[event.level]
    if not logger.isEnabledFor(level):
        return
    site = event.leaks[0].site if event.leaks else None
    function = printable(site.function) if site else None
    fields = rendered.fields
    if event.context:
        fields = with_context(fields, event.context)
    record = logger.makeRecord(
        LOGGER_NAME,
        level,
        printable(site.filename, _MOST_PATH) if site else __file__,
        site.lineno if site else 0,
        # The text is an argument: a percent sign in a URL is left alone.
        "%s",
        (rendered.text if logger.hasHandlers() else dress(rendered.text),),
        None,
        function,
        {"httpguard": {"event": event.name, **fields}},
    )
    streams.deliver(logger, record)


def _silence(level: str, *, structured: bool) -> str:
    """Why the logs show nothing of this level; empty: they do, as far as is known."""
    if structured:
        from . import structlog

        return structlog.silence(level)
    number = _LEVELS[level]
    if is_shown(_logger(), number):
        return ""
    return (
        f"the logger {LOGGER_NAME!r} shows none: it is off, or its level or its"
        f" handlers are above {logging.getLevelName(number)}"
    )


def _tell_of_silence(summary: Event, why: str, streams: Streams) -> None:
    """Say on stderr that leaks were found, and why the logs show none of them."""
    if summary.level == "error" or not summary.leaks:
        return
    from .._model.words import leaked

    found = leaked((leak.kind, leak.count) for leak in summary.leaks)
    text = f"httpguard: found {found}, and {why}; HTTPGUARD_LOG=FILE keeps them all"
    # Without parent or handlers: the standard library's last resort writes it.
    bare = logging.Logger(LOGGER_NAME)  # noqa: LOG001  # It shows none.
    level = _LEVELS[summary.level]
    record = bare.makeRecord(LOGGER_NAME, level, __file__, 0, "%s", (text,), None)
    streams.deliver(bare, record)


def _logger() -> logging.Logger:
    """The logger ``httpguard``, or one like it where that was shut off.

    `logging.config.dictConfig` disables, unless told otherwise, every logger
    that exists and that it does not name; a report of ours may have made ours.
    """
    logger = logging.getLogger(LOGGER_NAME)
    if not logger.disabled:
        return logger
    fresh = logging.Logger(LOGGER_NAME)  # noqa: LOG001  # getLogger has the other
    fresh.parent = logging.getLogger()
    return fresh
