"""What a report shows, as frozen values, whatever form it takes."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from .._model.leak import Frame, LeakKind
from .._stacks.sites import source_line

if TYPE_CHECKING:
    from datetime import datetime

    from .example import Example
    from .lines import Damaged
    from .notice import Notice

SCHEMA: Final = 1
"""Of the JSON that a report is as `to_dict`."""

_HOUR: Final = 60
_DAY: Final = 24 * _HOUR

# What one leak that nobody ended costs, beside one dropped response.
WEIGHTS: Final = {
    # A slot of a blocking pool is gone for good: when all are, the program hangs.
    "unreleased": 10,
    # A socket and its file descriptor, for as long as the process lives.
    "held": 5,
    # The same, but only found where a scope had promised to leave nothing open.
    "open": 2,
    # A connection is thrown away instead of used again.
    "dropped": 1,
    # Connections that are made anew; those in use keep theirs.
    "session": 1,
}


@dataclass(frozen=True, slots=True)
class Trend:
    """How many leaks were added in each span of so many minutes.

    All sites of a report have the same spans.
    """

    begin: datetime | None
    minutes: int
    leaks: tuple[int, ...]

    @property
    def heading(self) -> str:
        return per(self.minutes)


def per(minutes: int) -> str:
    """``per hour``, ``per 3 days``."""
    for noun, length in (("day", _DAY), ("hour", _HOUR)):
        number, rest = divmod(minutes, length)
        if not rest:
            return f"per {noun}" if number == 1 else f"per {number} {noun}s"
    return "per minute" if minutes == 1 else f"per {minutes} minutes"


@dataclass(frozen=True, slots=True)
class Program:
    """A program in which a site leaked; its name is empty where the log has none."""

    name: str
    processes: int
    leaks: int


@dataclass(frozen=True, slots=True)
class Site:
    """The leaks of one kind opened at one line, over all processes.

    Args:
        lineno: From 1; 0: not known.
        function: Empty: not known.
        leaks: How many, in the time asked for.
        resolved: How many of them ended well after all.
        at_least: A process has not told all: it may be more.
        harm: What sites are sorted by: the weight of the kind for each leak, 1 for
            each that ended well after all.
        events: How many lines of the logs tell of them.
        most: In the process with the most.
        hosts: On how many machines, as far as the logs say.
        programs: The most leaking first.
        first_seen: UTC, None where the logs have no times.
        example: The latest one with the most to tell.
    """

    kind: str
    filename: str
    lineno: int
    function: str
    leaks: int
    resolved: int
    at_least: bool
    harm: int
    events: int
    processes: int
    most: int
    hosts: int
    programs: tuple[Program, ...]
    first_seen: datetime | None
    last_seen: datetime | None
    trend: Trend
    example: Example

    @property
    def place(self) -> str:
        within = f" in {self.function}" if self.function else ""
        return f"{self.filename}:{self.lineno}{within}"

    @property
    def count(self) -> str:
        """How many leaks: ``1,234``, ``1,234+`` where it may be more."""
        return f"{self.leaks:,}{'+' if self.at_least else ''}"

    @property
    def source(self) -> str:
        """The text of the line, as far as the log or the file has it."""
        for step in self.example.stack:
            if (step.filename, step.lineno) == (self.filename, self.lineno):
                return step.source
        return source_line(self.site)

    @property
    def site(self) -> Frame:
        return Frame(self.filename, self.lineno, self.function)


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read.

    Args:
        foreign: The files that have no line of httpguard.
        events: How many lines of each event, by its name.
        problems: How many damaged lines, by what is wrong with them.
        damaged: The first of these.
    """

    files: tuple[str, ...]
    foreign: tuple[str, ...]
    lines: int
    events: dict[str, int]
    problems: dict[str, int]
    damaged: tuple[Damaged, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """The whole of it.

    Args:
        sites: The most harmful first.
        made: When, UTC.
        since: Where the time asked for begins.
        known: Sites that a baseline tolerates, left out of `sites`; None: there
            is no baseline.
        fixed: Entries of the baseline that nothing in the logs needed.
        notices: Events that are no leaks.
        hidden: Sites that `--kind` and `--site` left out.
    """

    sites: tuple[Site, ...]
    reading: Reading
    made: datetime
    since: datetime | None = None
    known: tuple[Site, ...] | None = None
    fixed: tuple[str, ...] = ()
    notices: tuple[Notice, ...] = ()
    hidden: int = 0

    @property
    def leaks(self) -> int:
        return sum(site.leaks for site in self.sites)

    def to_dict(self) -> dict[str, Any]:
        return {"schema": SCHEMA, **asdict(self), "leaks": self.leaks}


def what_leaked(kind: str) -> str:
    return "session" if kind == LeakKind.SESSION else "response"


def shorten(filename: str, root: str) -> str:
    """A file's name, or a place in it, relative to a directory that it lies in.

    The directory may be one of the machine that the log is from.
    """
    base = os.path.join(root, "")
    return filename.removeprefix(base) if len(base) > 1 else filename
