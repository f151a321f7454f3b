"""The comparison: which passes were lost, and which differences are noise."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

PASSED: Final = "passed"
MISSING: Final = "missing"
"""The outcome of a test of which a run says nothing: it hung or died before."""
# A flaky test may fail once under the guard and not again.
_TWICE: Final = 2


class Verdict(enum.Enum):
    """What a test that passed without the guard and not with it is."""

    LOST = "lost"
    """It passes without the guard and, again and again, not with it."""
    NOISE = "noise"
    """It is flaky without the guard too, or failed once and not again."""
    OPEN = "open"
    """More runs have to tell."""


@dataclass(slots=True)
class Trials:
    """How a test ended, in runs of the whole suite and in runs on its own.

    What a test does on its own need not be what it does in the suite: others
    may leave something for it. So the two are never mixed.

    Args:
        plain: Without the guard, in the suite.
        guarded: With it, in the suite.
        plain_alone: Without the guard, on its own.
        guarded_alone: With it, on its own.
    """

    plain: list[str] = field(default_factory=list)
    guarded: list[str] = field(default_factory=list)
    plain_alone: list[str] = field(default_factory=list)
    guarded_alone: list[str] = field(default_factory=list)


def suspects(
    plain: Sequence[Mapping[str, str]], guarded: Sequence[Mapping[str, str]]
) -> dict[str, Trials]:
    """The tests that passed without the guard and not in every run with it.

    Args:
        plain: The outcomes of each run of the suite without the guard; the first
            says what is there to be lost.
        guarded: Those of each run with it.

    Returns:
        Each such test with how it ended.
    """
    found = {}
    for test, outcome in plain[0].items():
        trials = Trials(
            plain=[outcomes.get(test, MISSING) for outcomes in plain],
            guarded=[outcomes.get(test, MISSING) for outcomes in guarded],
        )
        if outcome == PASSED and not all_passed(trials.guarded):
            found[test] = trials
    return found


def judge(trials: Trials, *, last: bool = False) -> Verdict:
    """Tell a lost pass from noise.

    Args:
        trials: How the test ended so far.
        last: No more runs follow: one failure, not seen again, is noise; one
            that had no chance to be seen again is a loss.
    """
    if not all_passed(trials.plain) or _mixed(trials.plain_alone):
        return Verdict.NOISE
    # A test that cannot run on its own says nothing by failing there.
    if trials.guarded_alone and all_passed(trials.plain_alone):
        if PASSED not in trials.guarded_alone:
            return Verdict.LOST
        if _mixed(trials.guarded_alone):
            return Verdict.LOST if last else Verdict.OPEN
    failures = sum(outcome != PASSED for outcome in trials.guarded)
    if failures >= _TWICE:
        return Verdict.LOST
    if not last:
        return Verdict.OPEN
    return Verdict.NOISE if len(trials.guarded) > 1 else Verdict.LOST


def all_passed(outcomes: Iterable[str]) -> bool:
    """Whether every run passed."""
    return all(outcome == PASSED for outcome in outcomes)


def _mixed(outcomes: Iterable[str]) -> bool:
    """Whether some runs passed and some did not."""
    outcomes = list(outcomes)
    return PASSED in outcomes and not all_passed(outcomes)
