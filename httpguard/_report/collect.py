"""The figures of one reading, computed by an engine and fetched as rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from . import grouping
from .records import KEY
from .tables import Tables

if TYPE_CHECKING:
    from collections.abc import Callable

_DAY: Final = 24
# The spans that a trend may be made of, and the most of them in one trend.
_SPANS: Final = (1, 3, 6, 12, _DAY, 7 * _DAY, 28 * _DAY)
_MOST_SPANS: Final = 48


def collect(
    rows: Any,
    examples: Any,
    events: Any,
    fetch: Callable[[Any], list[dict[str, Any]]],
    keep: Callable[[Any, str], Any],
) -> Tables:
    """Everything that a report shows.

    Args:
        rows: What `grouping.partial` returns.
        examples: What `grouping.examples` returns.
        events: What `grouping.events` returns.
        fetch: Runs an expression and returns its rows.
        keep: Runs an expression and returns a table of its rows, so that it is
            computed once.
    """
    grown = keep(grouping.growth(rows), "grown")
    processes = keep(grouping.by_process(grown), "processes")
    hours = fetch(grouping.hours_seen(grown))[0]
    span = _span(hours["first"], hours["last"])
    sites = grouping.by_site(processes)
    return Tables(
        span_hours=span,
        by_site=fetch(sites),
        by_program=fetch(grouping.by_program(processes)),
        by_time=fetch(grouping.by_time(grown, span)),
        examples=fetch(examples.semi_join(sites, list(KEY))),
        events=fetch(events),
    )


def _span(first: int | None, last: int | None) -> int:
    """The shortest span of which few enough cover the time."""
    hours = 0 if first is None or last is None else last - first
    return next((span for span in _SPANS if hours < span * _MOST_SPANS), _SPANS[-1])
