"""What is said when the program has ended."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Final

from .._model.extras import checkout
from .._model.kinds import CODES
from .._model.redaction import printable
from .._model.words import many

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .._baseline.baseline import Comparison
    from .._report.result import Site
    from .options import Options
    from .outcome import Outcome

SCHEMA: Final = 1
"""Of the line of JSON."""


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
        show_leaks(console, outcome, comparison.new)
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
