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
        "_resolved_before",
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
        self._resolved = self._resolved_before = 0
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
            self._resolved_before = max(self._resolved_before, resolved)
        else:
            span = _UNTIMED if seen is None else seen // self._unit
            self.events += 1
            if first is not None and (self.first is None or first < self.first):
                self.first = first
            if seen is not None and (self.last is None or seen > self.last):
                self.last = seen
            if resolved:
                self._resolved = max(self._resolved, resolved)
        if count > self._largest.get(span, -1):
            self._largest[span] = count
            if len(self._largest) > _MOST_MINUTES:
                self._coarsen()
        return span != _BEFORE

    def merge(self, other: Tally) -> None:
        self.host = max(self.host, other.host)
        self.program = max(self.program, other.program)
        self.events += other.events
        times = (self.first, other.first, self.last, other.last)
        known = [time for time in times if time is not None]
        self.first, self.last = min(known, default=None), max(known, default=None)
        self._resolved = max(self._resolved, other._resolved)
        self._resolved_before = max(self._resolved_before, other._resolved_before)
        if other._unit != self._unit:
            self._coarsen()
            other._coarsen()
        _put(self._largest, other._largest)
        if len(self._largest) > _MOST_MINUTES:
            self._coarsen()

    def _coarsen(self) -> None:
        """Keep hours instead of minutes."""
        if self._unit == MINUTE:
            self._unit = HOUR
            minutes, self._largest = self._largest, {}
            for span, count in minutes.items():
                hour = span if span < 0 else span * MINUTE // HOUR
                _put(self._largest, {hour: count})

    @property
    def minutes(self) -> int:
        return self._unit // MINUTE

    def leaks(self) -> dict[int | None, int]:
        """How many leaks were added in the span that begins with a minute since 1970.

        None: at no known time.
        """
        highest = 0
        grown: dict[int | None, int] = {}
        for span in sorted(self._largest):
            more = self._largest[span] - highest
            if more > 0:
                highest = self._largest[span]
                if span != _BEFORE:
                    grown[None if span < 0 else span * self.minutes] = more
        return grown

    def resolved(self) -> int:
        """How many of them ended well in the time asked for."""
        return max(self._resolved - self._resolved_before, 0)


def _put(mine: dict[int, int], others: dict[int, int]) -> None:
    for span, count in others.items():
        mine[span] = max(count, mine.get(span, 0))


def time_of(microseconds: int | None) -> datetime | None:
    """A time, UTC; None where it is out of a calendar's range."""
    if microseconds is None:
        return None
    try:
        return _EPOCH + timedelta(microseconds=microseconds)
    except OverflowError:
        return None
