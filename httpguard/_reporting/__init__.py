"""Reporting: where events go, one file for each destination."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .._model.event import (
    FD_PRESSURE,
    LEAK,
    POOL_PRESSURE,
    POOL_STARVED,
    RESOLVED,
    SUMMARY,
    TOO_MANY_OPEN,
    Event,
)
from . import structlog
from .context import Bound, keep_bound
from .observers import Observer, Source, observe, observers, unobserve
from .run import begin_run

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "FD_PRESSURE",
    "LEAK",
    "POOL_PRESSURE",
    "POOL_STARVED",
    "RESOLVED",
    "SUMMARY",
    "TOO_MANY_OPEN",
    "Bound",
    "Event",
    "Observer",
    "Source",
    "attach",
    "begin_run",
    "destinations",
    "detach",
    "keep_bound",
    "observe",
    "observers",
    "preload",
    "report",
    "unobserve",
]

_sinks: Final[list[Callable[[Event], None]]] = []


def attach(sink: Callable[[Event], None]) -> None:
    """Send every event to one more destination, beside the application's logs.

    Args:
        sink: Called with each event, under no lock, in whichever thread reports.
            What it raises is logged once and stops nothing.
    """
    if sink not in _sinks:
        _sinks.append(sink)


def detach(sink: Callable[[Event], None]) -> None:
    """Send no more events to a destination that `attach` added."""
    if sink in _sinks:
        _sinks.remove(sink)


def destinations() -> tuple[Callable[[Event], None], ...]:
    """Where events go: the logs first, then the attached sinks."""
    return (report, *_sinks)


def preload() -> None:
    """Import now what is otherwise imported at the first report."""
    import structlog  # noqa: F401

    from .._text import events as _text  # noqa: F401
    from . import logging  # noqa: F401


def report(event: Event) -> None:
    """Send an event where the application's logs go.

    Through structlog's chain if the application has configured it, else to the
    standard library's logger ``httpguard``.

    Args:
        event: Any event.

    Raises:
        Exception: Whatever the application's processors or handlers raise. An
            event that its structlog chain refuses has gone to the standard
            library's logger before.
    """
    from . import logging

    if not structlog.is_configured():
        logging.report(event)
        return
    try:
        structlog.report(event)
    except Exception:
        logging.report(event)
        raise
