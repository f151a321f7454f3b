"""To the standard library's logger ``httpguard``, rendered by structlog."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from .._model.redaction import printable
from .._text.events import render
from .structlog import flat_fields

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from .._model.event import Event

LOGGER_NAME: Final = "httpguard"
# The longest path of Linux: a real one is never cut.
_MOST_PATH: Final = 4096


def report(event: Event) -> None:
    """Log the event as one readable text.

    Without any logging set-up the standard library's last resort prints it on
    stderr. The fields travel on the record as its attribute ``httpguard``.

    Args:
        event: Any event.
    """
    import structlog

    # Not cached by structlog: an application may configure it at any time.
    logger = structlog.wrap_logger(
        _Records(_logger()),
        processors=[_to_text],
        wrapper_class=structlog.BoundLogger,
        cache_logger_on_first_use=False,
    )
    log = logger.error if event.error else logger.warning
    log(event.name, rendered=event)


def _to_text(
    _logger: Any, _method: str, fields: MutableMapping[str, Any]
) -> tuple[tuple[str, Event], dict[str, Any]]:
    """The last processor: the arguments of the methods below."""
    event: Event = fields["rendered"]
    return (render(event), event), {}


class _Records:
    """Makes records that name the leak's site as their place, not a line of ours.

    Args:
        logger: Where they go.
    """

    def __init__(self, logger: logging.Logger) -> None:
        self._target = logger

    def warning(self, text: str, event: Event) -> None:
        """Log at this level."""
        self._log(logging.WARNING, text, event)

    def error(self, text: str, event: Event) -> None:
        """Log at this level."""
        self._log(logging.ERROR, text, event)

    def _log(self, level: int, text: str, event: Event) -> None:
        """Make a record and hand it to the logger's handlers.

        The text is an argument, so that a percent sign in a URL is left alone.
        """
        if not self._target.isEnabledFor(level):
            return
        fields = {"event": event.name, **event.context, **flat_fields(event)}
        site = event.leaks[0].site if event.leaks else None
        record = self._target.makeRecord(
            LOGGER_NAME,
            level,
            printable(site.filename, _MOST_PATH) if site else __file__,
            site.lineno if site else 0,
            "%s",
            (text,),
            None,
            printable(site.function) if site else None,
            {"httpguard": fields},
        )
        self._target.handle(record)


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
