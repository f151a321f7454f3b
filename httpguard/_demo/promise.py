"""What the demo promises, and whether that is what was seen."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from .._model.leak import LeakKind
from .program import FIXED, LEAKY, Outcome, Place, find_marks

if TYPE_CHECKING:
    from collections.abc import Iterable


def judge_leaky(outcome: Outcome) -> list[str]:
    """What went otherwise than promised in the leaky program's run.

    Args:
        outcome: Of that run.

    Returns:
        A sentence each; empty if all is well.
    """
    promised = find_marks(LEAKY)
    # Each leak has its twin.
    return [
        *_judge_counters(LEAKY, outcome, promised, opened=2 * len(promised)),
        *_judge_reports(outcome, promised),
    ]


def judge_fixed(outcome: Outcome, leaky: Outcome) -> list[str]:
    """What went otherwise than promised in the fixed program's run.

    Args:
        outcome: Of that run.
        leaky: Of the leaky program: the fixed one does the same work.

    Returns:
        A sentence each; empty if all is well.
    """
    opened = leaky.counters.get("opened", 0)
    said = [line for line in outcome.log if " httpguard: " in line]
    return [
        *_judge_counters(FIXED, outcome, [], opened=opened),
        *(f"{FIXED} was to be silent, but its log says: {line}" for line in said),
    ]


def _judge_reports(outcome: Outcome, promised: Iterable[Place]) -> list[str]:
    """The reports in the log against the marks in the source."""
    seen, due = Counter(outcome.reported), Counter(promised)
    return [
        *(f"not reported: {place}" for place in sorted((due - seen).elements())),
        *(f"reported, not promised: {place}" for place in sorted(seen - due)),
    ]


def _judge_counters(
    name: str, outcome: Outcome, promised: Iterable[Place], *, opened: int
) -> list[str]:
    """The counters and the exit code of a program."""
    if outcome.exit_code != 0 or not outcome.counters:
        return [f"{name} did not get to its end (exit code {outcome.exit_code})"]
    due = dict.fromkeys(LeakKind, 0) | Counter(place.kind for place in promised)
    leaks = sum(due.values())
    due |= {"opened": opened, "leaks": leaks, "errors": 0}
    # The rest was read, released, or closed where that is enough.
    ended = sum(outcome.counters.get(key, 0) for key in ("released", "closed"))
    wrong = [
        f"{name} counted {outcome.counters.get(key)} {key}, not {number}"
        for key, number in due.items()
        if outcome.counters.get(key) != number
    ]
    if ended != opened - leaks:
        wrong.append(f"{name} gave {ended} connections back, not {opened - leaks}")
    return wrong
