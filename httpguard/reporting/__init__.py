"""Reporting: where events go, one file for each destination."""

from __future__ import annotations

from . import _structlog
from ._event import LEAK, RESOLVED, SUMMARY, TOO_MANY_OPEN, Event
from ._structlog import keep_bound

__all__ = [
    "LEAK",
    "RESOLVED",
    "SUMMARY",
    "TOO_MANY_OPEN",
    "Event",
    "keep_bound",
    "report",
]


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
    from . import _logging

    if not _structlog.is_configured():
        _logging.report(event)
        return
    try:
        _structlog.report(event)
    except Exception:
        _logging.report(event)
        raise
