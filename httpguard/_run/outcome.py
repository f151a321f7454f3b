"""What the processes of a run have found, from the files they wrote."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .._model.event import LEAK, RESOLVED, SUMMARY, TOO_MANY_OPEN

if TYPE_CHECKING:
    from collections.abc import Iterator

    _Key = tuple[str, str, int, str]


@dataclass(slots=True)
class Found:
    """The leaks of one kind at one site, over all processes.

    Args:
        leak: As in a line of the log, of the process with the most of them.
        count: All of them.
        resolved: How many of them ended well after all.
        runs: How many processes they were in.
        at_least: A process ended without a summary: it may be more.
    """

    leak: dict[str, Any]
    count: int = 0
    resolved: int = 0
    runs: int = 0
    at_least: bool = False


@dataclass(slots=True)
class Outcome:
    """What a run has found.

    Args:
        found: One for each kind and site, the most frequent first.
        guarded: How many Python processes were guarded.
        leaking: How many of them leaked.
        crowded: How often ``max_open`` was exceeded.
        unguarded: How many were not, by interpreter and reason.
    """

    found: list[Found] = field(default_factory=list)
    guarded: int = 0
    leaking: int = 0
    crowded: int = 0
    unguarded: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        """The leaks of every kind."""
        return sum(found.count for found in self.found)


def many(number: int, noun: str) -> str:
    """A number with its noun.

    Args:
        number: How many.
        noun: Of one.
    """
    if number != 1:
        noun += "es" if noun.endswith("s") else "s"
    return f"{number:,} {noun}"


def read_outcome(run: str) -> Outcome:
    """Read what the processes wrote.

    Args:
        run: The start of the names of the run's files.

    Raises:
        OSError: A file cannot be read.
    """
    outcome = Outcome()
    _read_processes(f"{run}.processes", outcome)
    _read_events(f"{run}.jsonl", outcome)
    outcome.found.sort(key=lambda found: -found.count)
    return outcome


def _read_processes(path: str, outcome: Outcome) -> None:
    """Count the processes that reported in, one line each or two."""
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            word, interpreter, reason = line.rstrip("\n").split("\t", 2)
            if word == "guarded":
                outcome.guarded += 1
            else:
                outcome.unguarded[interpreter, reason] += 1


def _read_events(path: str, outcome: Outcome) -> None:
    """Add up the leaks: counts are cumulative in a process."""
    largest: dict[tuple[str, _Key], dict[str, Any]] = {}
    ended = set()
    for event in _events(path):
        run = event["run"]
        if event["event"] == SUMMARY:
            ended.add(run)
        elif event["event"] == TOO_MANY_OPEN:
            outcome.crowded += 1
        leaks = event.get("leaks", ())
        if event["event"] in {LEAK, RESOLVED}:
            leaks = (event,)
        for leak in leaks:
            key = _key(leak)
            known = largest.get((run, key))
            if known is None or known["count"] <= leak["count"]:
                largest[run, key] = leak
    grouped: dict[_Key, Found] = {}
    for (run, key), leak in largest.items():
        found = grouped.setdefault(key, Found(leak))
        if leak["count"] > found.leak["count"]:
            found.leak = leak
        found.count += leak["count"]
        found.resolved += leak["resolved"]
        found.runs += 1
        found.at_least |= run not in ended
    outcome.found = list(grouped.values())
    outcome.leaking = len({run for run, _ in largest})


def _key(leak: dict[str, Any]) -> _Key:
    """What leaks are grouped by."""
    site = leak["site"]
    return (leak["kind"], site["filename"], site["lineno"], site["function"])


def _events(path: str) -> Iterator[dict[str, Any]]:
    """The events of a log; a line that a killed process has cut is skipped."""
    with open(path, encoding="utf-8") as file:
        for line in file:
            try:
                event = json.loads(line)
            except ValueError:
                continue
            yield event
