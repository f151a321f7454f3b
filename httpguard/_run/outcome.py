"""What the processes of a run have found, by the files they wrote, and what is said."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final

from .._model.extras import checkout
from .._model.kinds import CODES
from .._model.redaction import printable
from .._model.words import many

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .._baseline.baseline import Comparison
    from .._report.notice import Notice
    from .._report.result import Site
    from .options import Options

SCHEMA: Final = 1
"""Of the line of JSON."""


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
    from .._report.inputs import read
    from .._report.sites import sites_of

    counts = LogCounts()
    read(path, counts)
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


def tell(
    outcome: Outcome, comparison: Comparison[Site], options: Options, *, enabled: bool
) -> None:
    """Say on standard error what there is to say, or that nothing was to be guarded."""
    notes = [*_notes(outcome), *_baseline_notes(comparison)]
    if comparison.new or not options.quiet:
        notes += _advice(outcome)
    if options.as_json:
        notes += _unwatched(outcome, enabled=enabled)
        told = {
            "schema": SCHEMA,
            "responses": outcome.responses,
            "leaks": sum(site.leaks for site in comparison.new),
            "processes": outcome.guarded,
            "sites": [asdict(site) for site in comparison.new],
            "notes": notes,
        }
        sys.stderr.write(f"{json.dumps(told, default=datetime.isoformat)}\n")
    elif comparison.new:
        from .._report.terminal import console_on
        from .table import show_leaks

        console = console_on(sys.stderr)
        show_leaks(console, comparison.new, outcome.leaking)
        for note in notes:
            console.print(f"httpguard: {note}", markup=False)
    else:
        if not options.quiet and outcome.clients:
            none = "no other leaked" if comparison.known else "none leaked"
            if outcome.cut:
                none = "no leak is known"
            notes.append(f"{many(outcome.responses, 'response')}, {none}")
        elif not options.quiet:
            notes += _unwatched(outcome, enabled=enabled)
        sys.stderr.writelines(f"httpguard: {note}\n" for note in notes)


def _unwatched(outcome: Outcome, *, enabled: bool) -> Iterator[str]:
    """That nothing could have leaked, as far as httpguard can see."""
    if not enabled:
        yield "nothing was watched: the setting enabled is off"
    elif outcome.guarded and not outcome.unguarded and not outcome.clients:
        yield (
            "nothing was watched: no HTTP client was imported that it guards"
            " (urllib3, requests, httpx, httpx2, aiohttp, http.client)"
        )


def _notes(outcome: Outcome) -> Iterator[str]:
    if outcome.crowded:
        reports = many(outcome.crowded, "report")
        yield f"more than max_open responses were open at once ({reports})"
    if outcome.cut:
        processes = many(outcome.cut, "process", "processes")
        yield (
            f"{processes} with responses ended without summing up (killed, or by"
            " os._exit): what was lost there after the last sweep is not known"
        )
    for (interpreter, reason), count in outcome.unguarded.items():
        why = printable(reason)
        processes = many(count, "process", "processes")
        yield f"not guarded: {interpreter} ({processes}): {why}"
        if reason == "httpguard is not installed there":
            source = checkout() or "httpguard"
            yield f"  install it with: {interpreter} -m pip install {source}"
    if not outcome.guarded and not outcome.unguarded:
        yield (
            "nothing was guarded: no Python process began, or its interpreter was"
            " told to ignore its environment (-I, -E or -S)"
        )


def _advice(outcome: Outcome) -> Iterator[str]:
    """What is no leak and costs time, or has made a request wait."""
    for notice in outcome.notices:
        code = CODES.get(notice.event)
        what = notice.event.replace("_", " ") + (f" ({code})" if code else "")
        yield f"{what}: {notice.subject}: {notice.hint or notice.says}"


def _baseline_notes(comparison: Comparison[Site]) -> Iterator[str]:
    known = sum(site.leaks for site in comparison.known)
    if known:
        yield f"the baseline tolerates {many(known, 'leak')}"
    for entry in comparison.fixed:
        yield (
            f"in the baseline, and not seen in this run: {entry.kind} at"
            f" {entry.file} in {entry.function}: {entry.source}"
        )
