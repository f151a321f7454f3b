"""What one process has told of the leaks at one site, in hours.

A count in a log is cumulative: how many leaks of one kind one process has seen at
one site so far. So the largest of each process counts, and what a span of time
added is the growth of the largest.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Final

HOUR: Final = 3_600_000_000
"""In microseconds, as all times here."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
_BEFORE: Final = -1
"""The hour of what is older than ``since``."""
_UNTIMED: Final = -2
"""The hour of what has no time: ahead of all others."""


class Tally:
    """The leaks of one kind at one site in one process.

    Args:
        since: Microseconds since 1970; what is older, or has no time, only serves
            to tell what is new. None: everything counts.
    """

    __slots__ = (
        "_largest",
        "_resolved",
        "_since",
        "events",
        "first",
        "host",
        "last",
        "program",
    )

    def __init__(self, since: int | None) -> None:
        self._since = since
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

        Args:
            count: So far in the process.
            resolved: Likewise.
            first: When the first of them was found, or None.
            seen: When the latest was, or None.
        """
        if self._since is not None and (seen is None or seen < self._since):
            hour = _BEFORE
        else:
            hour = _UNTIMED if seen is None else seen // HOUR
            self.events += 1
            if first is not None and (self.first is None or first < self.first):
                self.first = first
            if seen is not None and (self.last is None or seen > self.last):
                self.last = seen
        largest = self._largest
        if count > largest.get(hour, -1):
            largest[hour] = count
        if resolved:
            ended = self._resolved = self._resolved or {}
            if resolved > ended.get(hour, 0):
                ended[hour] = resolved
        return hour != _BEFORE

    def merge(self, other: Tally) -> None:
        """Take in what another part of the logs had of the same."""
        self.host = max(self.host, other.host)
        self.program = max(self.program, other.program)
        self.events += other.events
        times = (self.first, other.first, self.last, other.last)
        known = [time for time in times if time is not None]
        self.first, self.last = min(known, default=None), max(known, default=None)
        for hour, count in other._largest.items():
            self._largest[hour] = max(count, self._largest.get(hour, 0))
        for hour, count in (other._resolved or {}).items():
            ended = self._resolved = self._resolved or {}
            ended[hour] = max(count, ended.get(hour, 0))

    def leaks(self) -> dict[int | None, int]:
        """How many leaks each hour since 1970 has added; None: at no known time."""
        grown = _growth(self._largest)
        return {None if hour < 0 else hour: more for hour, more in grown.items()}

    def resolved(self) -> int:
        """How many of them ended well in the time asked for."""
        return sum(_growth(self._resolved or {}).values())


def _growth(largest: dict[int, int]) -> dict[int, int]:
    """What each hour added to the largest before it; but for the time before."""
    highest = 0
    grown = {}
    for hour in sorted(largest):
        more = largest[hour] - highest
        if more > 0:
            highest = largest[hour]
            if hour != _BEFORE:
                grown[hour] = more
    return grown


def time_of(microseconds: int | None) -> datetime | None:
    """A time, UTC; None where it is out of a calendar's range."""
    if microseconds is None:
        return None
    try:
        return _EPOCH + timedelta(microseconds=microseconds)
    except OverflowError:
        return None
