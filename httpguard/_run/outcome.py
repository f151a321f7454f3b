"""What the processes of a run have found, from the files they wrote."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .._report.notice import Notice
    from .._report.result import Site


@dataclass(slots=True)
class Outcome:
    """What a run has found.

    Args:
        found: One for each kind and site, the most harmful first.
        guarded: How many Python processes were guarded; `leaking`: of them.
        clients: How many of them imported an HTTP client that is guarded.
        cut: How many of these had responses, and did not come to their end.
        crowded: How often ``max_open`` was exceeded.
        notices: Advice, and pools that ran empty.
        unguarded: How many were not, by interpreter and reason.
    """

    found: tuple[Site, ...] = ()
    guarded: int = 0
    leaking: int = 0
    clients: int = 0
    responses: int = 0
    cut: int = 0
    crowded: int = 0
    notices: tuple[Notice, ...] = ()
    unguarded: Counter[tuple[str, str]] = field(default_factory=Counter)


def read_outcome(run: str) -> Outcome:
    """What the processes wrote into the files whose names begin with `run`."""
    outcome = Outcome()
    _read_processes(f"{run}.processes", outcome)
    if os.path.getsize(f"{run}.jsonl"):
        _read_log(f"{run}.jsonl", outcome)
    return outcome


def _read_log(path: str, outcome: Outcome) -> None:
    from .._model.event import ADVICE, POOL_STARVED, TOO_MANY_OPEN
    from .._report.counts import LogCounts
    from .._report.inputs import look_at, read
    from .._report.sites import sites_of

    counts = LogCounts()
    for source in look_at([path]):
        read(source, counts)
    outcome.found = sites_of(counts)
    outcome.crowded = counts.events[TOO_MANY_OPEN]
    told = {name.partition(".")[2] for name in (POOL_STARVED, *ADVICE)}
    outcome.notices = tuple(
        notice for (event, _), notice in counts.notices.items() if event in told
    )
    groups = counts.leaks.by_key.values()
    outcome.leaking = len({process for group in groups for process in group.tallies})


def _read_processes(path: str, outcome: Outcome) -> None:
    """Count the processes that reported in, and the responses they told of.

    A full disk or a killed process may have cut a line.
    """
    responses: dict[str, int] = {}
    ended = set()
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            word, _, rest = line.rstrip("\n").partition("\t")
            interpreter, _, reason = rest.partition("\t")
            if word == "guarded":
                outcome.guarded += 1
            elif word == "unguarded":
                outcome.unguarded[interpreter, reason] += 1
            elif word == "responses" and reason.isdecimal():
                # Counts only grow; here the second word names the process.
                responses[interpreter] = int(reason)
            elif word == "ended":
                ended.add(interpreter)
    outcome.clients = len(responses)
    outcome.responses = sum(responses.values())
    outcome.cut = sum(
        count > 0 and name not in ended for name, count in responses.items()
    )
