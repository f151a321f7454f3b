"""What is reported: one frozen value for every destination."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .leak import Leak
    from .snapshot import OpenResponse

LEAK: Final = "httpguard.leak"
RESOLVED: Final = "httpguard.resolved"
TOO_MANY_OPEN: Final = "httpguard.too_many_open"
POOL_STARVED: Final = "httpguard.pool_starved"
POOL_PRESSURE: Final = "httpguard.pool_pressure"
SESSION_CHURN: Final = "httpguard.session_churn"
FD_PRESSURE: Final = "httpguard.fd_pressure"
SUMMARY: Final = "httpguard.summary"
COUNTS: Final = "httpguard.counts"
"""The totals by kind and site between two reports; for files of JSON lines only."""

OF_LEAKS: Final = frozenset({LEAK, RESOLVED, SUMMARY})
"""What whoever is shown the leaks in another way has no need to be told."""

ADVICE: Final = frozenset({POOL_PRESSURE, SESSION_CHURN, FD_PRESSURE})
"""Said, but no leak, and no error in strict mode."""


class Event(NamedTuple):
    """Something a person should read.

    Args:
        name: One of the names above.
        level: ``info`` for advice and counts, else ``warning``, and in strict mode
            ``error``.
        leaks: What it is about: one leak, or all of them in a summary.
        crowd: The open responses, where there are too many.
        figures: Whole numbers beside them, such as ``open_now``.
        details: What is said of pools and of the process: JSON-ready values, a
            site as the fields of a `Frame`.
        context: What was bound to structlog's context when it was opened.
    """

    name: str
    level: str
    leaks: tuple[Leak, ...] = ()
    crowd: tuple[OpenResponse, ...] = ()
    figures: Mapping[str, int] = {}
    context: Mapping[str, Any] = {}
    details: Mapping[str, Any] = {}
