"""Observations to figures, as Ibis expressions: written once, for every engine.

A count in a log is cumulative: how many leaks of one kind one process has seen at
one site so far. So the largest of each process counts, and what a span of time
added is the growth of the largest. The work is done in two steps: `partial` shrinks
any number of observations to one row for each kind, site, process and hour, and may
be done piece by piece; the rest is computed from those rows.
"""

from __future__ import annotations

from typing import Any, Final

import ibis

from .records import KEY

HOUR: Final = 3_600_000_000
"""In microseconds, as all times here."""

BEFORE: Final = -1
"""The hour of what is older than ``since``."""
UNTIMED: Final = -2
"""The hour of what has no time: ahead of all others."""

_IN_PROCESS: Final = (*KEY, "process")


def in_hours(observed: Any, since: int | None) -> Any:
    """Observations with their hour.

    Args:
        observed: What `_records.observations` returns.
        since: Where the time of interest begins, or None.
    """
    hour = ibis.coalesce((observed.seen // HOUR).cast("int64"), UNTIMED)
    if since is not None:
        # Without a time it cannot be told apart: no growth is ascribed to it.
        hour = (ibis.coalesce(observed.seen, since - 1) < since).ifelse(BEFORE, hour)
    return observed.mutate(
        hour=hour,
        count=observed["count"],
        largest=observed["count"],
        events=ibis.literal(1, "int64"),
        last=observed.seen,
    )


def partial(rows: Any) -> Any:
    """One row for each kind, site, process and hour.

    Args:
        rows: What `in_hours` returns, or rows of this very function: the pieces of
            a whole in any order, as often as wanted.
    """
    return rows.group_by([*_IN_PROCESS, "hour"]).aggregate(
        # A line that does not say them may be of the same process.
        host=rows.host.max(),
        program=rows.program.max(),
        largest=rows.largest.max(),
        resolved=rows.resolved.max(),
        events=rows.events.sum().cast("int64"),
        first=rows["first"].min(),
        last=rows["last"].max(),
    )


def examples(observed: Any) -> Any:
    """The most telling example of each kind and site.

    Args:
        observed: What `_records.observations` returns, or rows of this very
            function.
    """
    return observed.group_by(list(KEY)).aggregate(example=observed.example.max())


def growth(rows: Any) -> Any:
    """What each hour added in each process.

    Args:
        rows: What `partial` returns, the pieces put together.
    """
    grown = rows.mutate(
        leaks=rows.largest - _highest_before(rows, "largest"),
        ended=rows.resolved - _highest_before(rows, "resolved"),
    )
    grown = grown.mutate(
        leaks=ibis.greatest(grown.leaks, 0), ended=ibis.greatest(grown.ended, 0)
    )
    return grown.filter(grown.hour != BEFORE)


def _highest_before(rows: Any, column: str) -> Any:
    """The largest value that the same process had shown in the hours before."""
    window = ibis.window(
        group_by=[rows[name] for name in _IN_PROCESS],
        order_by=rows.hour,
        preceding=(None, 1),
    )
    return ibis.coalesce(rows[column].max().over(window), 0)


def by_process(grown: Any) -> Any:
    """One row for each kind, site and process in which it leaked.

    Args:
        grown: What `growth` returns.
    """
    summed = grown.group_by(list(_IN_PROCESS)).aggregate(
        host=grown.host.max(),
        program=grown.program.max(),
        leaks=grown.leaks.sum().cast("int64"),
        ended=grown.ended.sum().cast("int64"),
        events=grown.events.sum().cast("int64"),
        first=grown["first"].min(),
        last=grown["last"].max(),
    )
    return summed.filter(summed.leaks > 0)


def by_site(processes: Any) -> Any:
    """One row for each kind and site.

    Args:
        processes: What `by_process` returns.
    """
    return processes.group_by(list(KEY)).aggregate(
        leaks=processes.leaks.sum().cast("int64"),
        resolved=processes.ended.sum().cast("int64"),
        events=processes.events.sum().cast("int64"),
        processes=processes.count(),
        most=processes.leaks.max(),
        hosts=processes.host.nullif("").nunique(),
        first=processes["first"].min(),
        last=processes["last"].max(),
    )


def by_program(processes: Any) -> Any:
    """One row for each kind, site and program.

    Args:
        processes: What `by_process` returns.
    """
    return processes.group_by([*KEY, "program"]).aggregate(
        processes=processes.count(), leaks=processes.leaks.sum().cast("int64")
    )


def by_time(grown: Any, hours: int) -> Any:
    """One row for each kind, site and span of time in which something was added.

    Args:
        grown: What `growth` returns.
        hours: The length of a span; spans begin at a multiple of it since 1970.
    """
    timed = grown.filter((grown.hour >= 0) & (grown.leaks > 0))
    timed = timed.mutate(span=(timed.hour // hours).cast("int64"))
    return timed.group_by([*KEY, "span"]).aggregate(
        leaks=timed.leaks.sum().cast("int64")
    )


def hours_seen(grown: Any) -> Any:
    """One row: the first and the last hour in which something was added.

    Args:
        grown: What `growth` returns.
    """
    timed = grown.filter((grown.hour >= 0) & (grown.leaks > 0))
    return timed.aggregate(first=timed.hour.min(), last=timed.hour.max())


def events(told: Any) -> Any:
    """How often each event and each problem was met, by file.

    Args:
        told: What `_records.records` returns, or rows of this very function.
    """
    if "lines" not in told.columns:
        told = told.filter(told.event.notnull() | told.problem.notnull())
        told = told.mutate(lines=ibis.literal(1, "int64"))
    return told.group_by(["file", "event", "problem"]).aggregate(
        lines=told.lines.sum().cast("int64")
    )
