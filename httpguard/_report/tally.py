"""What one process has told of the leaks at one site, in minutes or hours.

A count in a log is cumulative: how many leaks of one kind one process has seen at
one site so far. So the largest of each process counts, and what a span of time
added is the growth of the largest.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Final

MINUTE: Final = 60_000_000
"""In microseconds, as all times here."""
HOUR: Final = 60 * MINUTE

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
_BEFORE: Final = -1
"""The span of what is older than ``since``."""
_UNTIMED: Final = -2
"""The span of what has no time: ahead of all others."""
# Of more minutes only the hours are kept.
_MOST_MINUTES: Final = 64


class Tally:
    """The leaks of one kind at one site in one process.

    Args:
        since: Microseconds since 1970; what is older, or has no time, only serves
            to tell what is new. None: everything counts.
        fine: Whether to tell minutes apart, as long as there are few.
    """

    __slots__ = (
        "_largest",
        "_resolved",
        "_since",
        "_unit",
        "events",
        "first",
        "host",
        "last",
        "program",
    )

    def __init__(self, since: int | None, *, fine: bool = True) -> None:
        self._since = since
        self._unit = MINUTE if fine else HOUR
        self._largest: dict[int, int] = {}
        self._resolved: dict[int, int] | None = None
        self.host = ""
        self.program = ""
        self.events = 0
        self.first: int | None = None
        self.last: int | None = None

    def add(
        self, count: int, resolved: int, first: int | None, seen: int | None
    ) -> bool:
        """Take in a line; says whether it is of the time asked for.

        Counts are those of the process so far, times of the first and of the latest.
        """
        if self._since is not None and (seen is None or seen < self._since):
            span = _BEFORE
        else:
            span = _UNTIMED if seen is None else seen // self._unit
            self.events += 1
            if first is not None and (self.first is None or first < self.first):
                self.first = first
            if seen is not None and (self.last is None or seen > self.last):
                self.last = seen
        largest = self._largest
        if count > largest.get(span, -1):
            largest[span] = count
            if len(largest) > _MOST_MINUTES and self._unit == MINUTE:
                self._coarsen()
                span = span if span < 0 else span * MINUTE // HOUR
        if resolved:
            ended = self._resolved = self._resolved or {}
            if resolved > ended.get(span, 0):
                ended[span] = resolved
        return span != _BEFORE

    def merge(self, other: Tally) -> None:
        self.host = max(self.host, other.host)
        self.program = max(self.program, other.program)
        self.events += other.events
        times = (self.first, other.first, self.last, other.last)
        known = [time for time in times if time is not None]
        self.first, self.last = min(known, default=None), max(known, default=None)
        if other._unit != self._unit:
            self._coarsen()
            other._coarsen()
        _put(self._largest, other._largest)
        if other._resolved:
            self._resolved = self._resolved or {}
            _put(self._resolved, other._resolved)
        if len(self._largest) > _MOST_MINUTES:
            self._coarsen()

    def _coarsen(self) -> None:
        """Keep hours instead of minutes."""
        if self._unit == HOUR:
            return
        self._unit = HOUR
        self._largest = _by_hour(self._largest)
        if self._resolved:
            self._resolved = _by_hour(self._resolved)

    @property
    def minutes(self) -> int:
        return self._unit // MINUTE

    def leaks(self) -> dict[int | None, int]:
        """How many leaks were added in the span that begins with a minute since 1970.

        None: at no known time.
        """
        grown = _growth(self._largest)
        return {
            None if span < 0 else span * self.minutes: more
            for span, more in grown.items()
        }

    def resolved(self) -> int:
        """How many of them ended well in the time asked for."""
        return sum(_growth(self._resolved or {}).values())


def _put(mine: dict[int, int], others: dict[int, int]) -> None:
    for span, count in others.items():
        mine[span] = max(count, mine.get(span, 0))


def _by_hour(minutes: dict[int, int]) -> dict[int, int]:
    hours: dict[int, int] = {}
    for span, count in minutes.items():
        hour = span if span < 0 else span * MINUTE // HOUR
        hours[hour] = max(count, hours.get(hour, 0))
    return hours


def _growth(largest: dict[int, int]) -> dict[int, int]:
    """What each span added to the largest before it; but for the time before."""
    highest = 0
    grown = {}
    for span in sorted(largest):
        more = largest[span] - highest
        if more > 0:
            highest = largest[span]
            if span != _BEFORE:
                grown[span] = more
    return grown


def time_of(microseconds: int | None) -> datetime | None:
    """A time, UTC; None where it is out of a calendar's range."""
    if microseconds is None:
        return None
    try:
        return _EPOCH + timedelta(microseconds=microseconds)
    except OverflowError:
        return None
