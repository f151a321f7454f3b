"""To the standard library's logger ``httpguard``, as readable text."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from .._model.redaction import printable
from .._model.words import leaked
from .context import with_context
from .terminal import dress

if TYPE_CHECKING:
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


def report(event: Event, rendered: Rendered, streams: Streams) -> None:
    """Log the text, in a record that names the leak's site as its place.

    Without any logging set-up the standard library's last resort prints it on
    stderr. The fields travel on the record as its attribute ``httpguard``.
    """
    logger, level = _logger(), _LEVELS[event.level]
    if not logger.isEnabledFor(level):
        return
    site = event.leaks[0].site if event.leaks else None
    fields = with_context(rendered.fields, event.context)
    record = logger.makeRecord(
        LOGGER_NAME,
        level,
        printable(site.filename, _MOST_PATH) if site else __file__,
        site.lineno if site else 0,
        # The text is an argument: a percent sign in a URL is left alone.
        "%s",
        (rendered.text if logger.hasHandlers() else dress(rendered.text),),
        None,
        printable(site.function) if site else None,
        {"httpguard": {"event": event.name, **fields}},
    )
    streams.deliver(logger, record)


def is_set_up() -> bool:
    """Whether the program has given our logger a handler."""
    return _logger().hasHandlers()


def silence(level: str) -> str:
    """Why the logger shows nothing of this level; empty: it does."""
    logger, number = _logger(), _LEVELS[level]
    if is_shown(logger, number):
        return ""
    return (
        f"the logger {LOGGER_NAME!r} shows none: it is off, or its level or its"
        f" handlers are above {logging.getLevelName(number)}"
    )


def tell_of_silence(summary: Event, why: str, streams: Streams) -> None:
    """Say on stderr that leaks were found, and why the logs show none of them."""
    if summary.error or not summary.leaks:
        return
    found = leaked((leak.kind, leak.count) for leak in summary.leaks)
    text = f"httpguard: found {found}, and {why}; HTTPGUARD_LOG=FILE keeps them all"
    # Without parent or handlers: the standard library's last resort writes it.
    bare = logging.Logger(LOGGER_NAME)  # noqa: LOG001  # It shows none.
    level = _LEVELS[summary.level]
    record = bare.makeRecord(LOGGER_NAME, level, __file__, 0, "%s", (text,), None)
    streams.deliver(bare, record)


def is_shown(logger: logging.Logger, level: int) -> bool:
    """Whether any handler takes a record of this level."""
    if not logger.isEnabledFor(level):
        return False
    if not logger.hasHandlers():
        last = logging.lastResort
        return last is not None and level >= last.level
    found: logging.Logger | None = logger
    while found is not None:
        for handler in found.handlers:
            if level >= handler.level and not isinstance(handler, logging.NullHandler):
                return True
        found = found.parent if found.propagate else None
    return False


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
