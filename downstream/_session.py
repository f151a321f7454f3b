"""One project: runs in turn without and with the guard, until all is told."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from ._compare import MISSING, Trials, Verdict, all_passed, judge, suspects
from ._environment import prepared
from ._sdist import unpacked
from ._suite import Run, Suite

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ._project import Project

# Suspects run on their own this often, and as more runs of the suite at most.
_ALONE: Final = 3
_MORE_ROUNDS: Final = 2
# More than this many is no question of one flaky test.
_MOST_ALONE: Final = 50
_NOTHING: Final[dict[str, Any]] = {
    "installed_first": False,
    "counters": {"opened": 0, "leaks": 0},
    "leaks": [],
}


@dataclass(slots=True)
class Result:
    """What is known of one project.

    Args:
        project: Which.
        plain: Runs of the suite without the guard.
        guarded: Runs with it.
        lost: Passes lost: test -> how it ended in each run.
        noise: Differences that are none of the guard's.
        root: Of the unpacked sdist, for paths that people read.
        measured: Of the runs, this many are timed; further ones only decide.
    """

    project: Project
    root: str
    plain: list[Run] = field(default_factory=list)
    guarded: list[Run] = field(default_factory=list)
    lost: dict[str, Trials] = field(default_factory=dict)
    noise: dict[str, Trials] = field(default_factory=dict)
    measured: int = 1

    @property
    def passes(self) -> int:
        """Tests that passed in every run without the guard."""
        return _passes(self.plain)

    @property
    def guarded_passes(self) -> int:
        """Tests that passed in every run with it."""
        return _passes(self.guarded)

    @property
    def seconds(self) -> tuple[float, float]:
        """The median wall time of a run without and with the guard."""
        return self._medians(lambda run: run.seconds)

    @property
    def cpu(self) -> tuple[float, float]:
        """The median CPU time of a run without and with the guard."""
        return self._medians(lambda run: run.cpu)

    def _medians(self, figure: Callable[[Run], float]) -> tuple[float, float]:
        """A figure's median over the runs that are measured."""
        plain, guarded = (
            median(map(figure, runs[: self.measured]))
            for runs in (self.plain, self.guarded)
        )
        return plain, guarded

    @property
    def found(self) -> dict[str, Any]:
        """The guard's snapshot of its first run, an empty one if that died."""
        return self.guarded[0].found or _NOTHING

    @property
    def failures(self) -> int:
        """How often httpguard failed inside; 1 too if it left no snapshot."""
        return sum(
            run.found["counters"]["errors"] if run.found else 1 for run in self.guarded
        )


def compare(
    project: Project,
    wheel: Path,
    cache: Path,
    say: Callable[[str], None],
    *,
    rounds: int,
    quick: bool,
    plugin: bool = False,
) -> Result:
    """Run a project's suite without and with the guard, and tell what differs.

    Args:
        project: Which.
        wheel: httpguard's.
        cache: Where everything is kept.
        say: Takes a line about what is being done.
        rounds: Runs of each kind, in turn.
        quick: The short form.
        plugin: Guard by httpguard's pytest plugin.

    Raises:
        DownstreamError: The suite cannot be fetched, installed or run.
    """
    folder = cache / f"{project.package}-{project.version}"
    folder.mkdir(parents=True, exist_ok=True)
    say("fetching")
    source = unpacked(project, folder)
    say("installing")
    python = prepared(project, source, wheel, folder)
    tests = project.quick if quick else project.tests
    suite = Suite(project, source, python, folder, tests, plugin)
    result = Result(project, str(source), measured=rounds)
    for number in range(rounds):
        _round(suite, result, say, f"round {number + 1} of {rounds}", turn=number)
    _decide(suite, result, say)
    return result


def _round(
    suite: Suite, result: Result, say: Callable[[str], None], name: str, *, turn: int
) -> None:
    """One run of each kind; who goes first alternates, for the sake of the times."""
    for guarded in (False, True) if turn % 2 == 0 else (True, False):
        say(f"{name}, {'with' if guarded else 'without'} the guard")
        runs = result.guarded if guarded else result.plain
        runs.append(suite.run(guarded=guarded))


def _decide(suite: Suite, result: Result, say: Callable[[str], None]) -> None:
    """Run what differs again, until each difference is a loss or noise."""
    alone = _Alone()
    doubtful = list(_suspects(result, alone))
    if 0 < len(doubtful) <= _MOST_ALONE:
        say(f"{len(doubtful)} in doubt, on their own")
        alone.run(suite, doubtful)
    for _ in range(_MORE_ROUNDS):
        verdicts = {judge(trials) for trials in _suspects(result, alone).values()}
        if Verdict.OPEN not in verdicts:
            break
        _round(suite, result, say, "once more", turn=0)
    for test, trials in _suspects(result, alone).items():
        lost = judge(trials, last=True) is Verdict.LOST
        (result.lost if lost else result.noise)[test] = trials


@dataclass(slots=True)
class _Alone:
    """Runs of some tests on their own."""

    tests: list[str] = field(default_factory=list)
    plain: list[Run] = field(default_factory=list)
    guarded: list[Run] = field(default_factory=list)

    def run(self, suite: Suite, tests: list[str]) -> None:
        """Run them, several times, in turn."""
        self.tests = tests
        for _ in range(_ALONE):
            self.plain.append(suite.run(guarded=False, tests=tests))
            self.guarded.append(suite.run(guarded=True, tests=tests))


def _suspects(result: Result, alone: _Alone) -> dict[str, Trials]:
    """The suspects of all runs so far, with what they did on their own."""
    found = suspects(
        [run.outcomes for run in result.plain],
        [run.outcomes for run in result.guarded],
    )
    for test in set(found).intersection(alone.tests):
        trials = found[test]
        trials.plain_alone = [run.outcomes.get(test, MISSING) for run in alone.plain]
        trials.guarded_alone = [
            run.outcomes.get(test, MISSING) for run in alone.guarded
        ]
    return found


def _passes(runs: list[Run]) -> int:
    """Tests that passed in every one of the runs."""
    return sum(
        all_passed(run.outcomes.get(test, "") for run in runs)
        for test in runs[0].outcomes
    )
