"""From what was counted to the frozen values of a report, as far as is asked for."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from .._model.redaction import printable
from .example import parse
from .result import WEIGHTS, Program, Reading, Report, Site, Trend
from .tally import MINUTE, time_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from .counts import LogCounts
    from .groups import Group, Key
    from .tally import Tally

_HOUR: Final = 60
_DAY: Final = 24 * _HOUR
# The spans that a trend may be made of, in minutes, and the most of them in one trend.
_SPANS: Final = (
    *(1, 5, 15, _HOUR, 3 * _HOUR, 6 * _HOUR, 12 * _HOUR),
    *(_DAY, 7 * _DAY, 28 * _DAY),
)
_MOST_SPANS: Final = 60
_AGO: Final = re.compile(r"(\d+)\s*([smhdw])")
_UNITS: Final = {
    "s": "seconds",
    "m": "minutes",
    "h": "hours",
    "d": "days",
    "w": "weeks",
}


def report_of(counts: LogCounts, since: datetime | None = None) -> Report:
    events = Counter[str]()
    for name, lines in counts.events.items():
        events[printable(name, 60)] += lines
    reading = Reading(
        tuple(counts.ours),
        tuple(file for file, lines in counts.ours.items() if not lines),
        counts.lines,
        dict(sorted(events.items())),
        dict(sorted(counts.problems.items())),
        tuple(counts.damaged),
    )
    notices = sorted(
        counts.notices.values(), key=lambda it: (it.event, -it.times, it.subject)
    )
    now = datetime.now(timezone.utc)
    return Report(sites_of(counts), reading, now, since, notices=tuple(notices))


def sites_of(counts: LogCounts) -> tuple[Site, ...]:
    """The sites that leaked, the most harmful first.

    Counts that a process told meanwhile do not say what came after them: all is known
    of those that summed up.
    """
    complete = counts.ended
    grown = {
        key: {
            process: (tally, leaks)
            for process, tally in group.tallies.items()
            if (leaks := tally.leaks())
        }
        for key, group in counts.leaks.by_key.items()
    }
    minutes = [
        minute
        for by_process in grown.values()
        for _, leaks in by_process.values()
        for minute in leaks
        if minute is not None
    ]
    finest = max(
        (tally.minutes for each in grown.values() for tally, _ in each.values()),
        default=_HOUR,
    )
    first, last = min(minutes, default=0), max(minutes, default=0)
    fits = (s for s in _SPANS if s >= finest and last - first < s * _MOST_SPANS)
    span = next(fits, _SPANS[-1])
    window = range(first // span, last // span + 1) if minutes else range(0)
    found = [
        _site(key, counts.leaks.by_key[key], by_process, (window, span), complete)
        for key, by_process in grown.items()
        if by_process
    ]
    return tuple(sorted(found, key=lambda site: (-site.harm, site.kind, site.place)))


def _site(
    key: Key,
    group: Group,
    by_process: dict[str, tuple[Tally, dict[int | None, int]]],
    spans: tuple[range, int],
    complete: set[str],
) -> Site:
    kind, filename, lineno, function = key
    tallies = [tally for tally, _ in by_process.values()]
    each = [sum(added.values()) for _, added in by_process.values()]
    leaks, resolved = sum(each), sum(tally.resolved() for tally in tallies)
    ended = min(resolved, leaks)
    window, minutes = spans
    trend = Counter[int]()
    for _, added in by_process.values():
        for minute, more in added.items():
            if minute is not None:
                trend[minute // minutes] += more
    return Site(
        kind=printable(kind),
        filename=printable(filename),
        lineno=lineno,
        function=printable(function),
        leaks=leaks,
        resolved=resolved,
        at_least=not complete.issuperset(by_process),
        harm=WEIGHTS.get(kind, 1) * (leaks - ended) + ended,
        events=sum(tally.events for tally in tallies),
        processes=len(tallies),
        most=max(each),
        hosts=len({tally.host for tally in tallies if tally.host}),
        programs=_programs(zip(tallies, each, strict=True)),
        first_seen=time_of(
            min(filter(None, (tally.first for tally in tallies)), default=None)
        ),
        last_seen=time_of(
            max(filter(None, (tally.last for tally in tallies)), default=None)
        ),
        trend=Trend(
            time_of(window[0] * minutes * MINUTE) if window else None,
            minutes,
            tuple(trend[span] for span in window),
        ),
        example=parse(group.sample),
    )


def _programs(counted: Iterable[tuple[Tally, int]]) -> tuple[Program, ...]:
    processes, leaks = Counter[str](), Counter[str]()
    for tally, number in counted:
        processes[tally.program] += 1
        leaks[tally.program] += number
    made = (
        Program(printable(name), processes[name], number)
        for name, number in leaks.items()
    )
    return tuple(sorted(made, key=lambda one: (-one.leaks, one.name)))


def parse_since(text: str) -> datetime | None:
    """An ISO date or time (UTC unless it says otherwise), or an age; None for nothing.

    Raises:
        ValueError: It is neither.
    """
    text = text.strip()
    if not text:
        return None
    age = _AGO.fullmatch(text)
    try:
        if age is not None:
            length = timedelta(**{_UNITS[age[2]]: int(age[1])})
            return datetime.now(timezone.utc) - length
        # Before 3.11 the letter is not understood.
        time = datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", text))
        if time.tzinfo is None:
            time = time.replace(tzinfo=timezone.utc)
        return time.astimezone(timezone.utc)
    except (ValueError, OverflowError) as error:
        raise ValueError(
            f"{text!r} is no time; accepted: an ISO date or time (2026-03-01,"
            " 2026-03-01T12:00+01:00), or an age (90s, 30m, 24h, 7d, 2w)"
        ) from error


def select(report: Report, kinds: Collection[str], globs: Collection[str]) -> Report:
    """The report without the sites that no kind or no pattern asks for; empty: any."""
    kept = tuple(
        site
        for site in report.sites
        if (not kinds or site.kind in kinds)
        and (not globs or any(_matches(site, pattern) for pattern in globs))
    )
    return replace(report, sites=kept, hidden=len(report.sites) - len(kept))


def _matches(site: Site, pattern: str) -> bool:
    """Whether a glob means a site; a relative one may begin in any directory."""
    names = (site.filename, f"{site.filename}:{site.lineno}", site.place)
    return any(
        fnmatchcase(name, pattern) or fnmatchcase(name, f"*/{pattern}")
        for name in names
    )
