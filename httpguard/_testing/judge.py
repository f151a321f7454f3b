"""The judgement of a test or a fixture: what it leaked, and whether it is told."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from .._leases.table import leaks_of
from .._model.errors import LeakError
from .._stacks.sites import find_site
from .found import Crowd, found_crowd, found_of
from .traceback import relocated, summarize

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pytest

    from .._baseline.baseline import Baseline
    from .._guard.guard import Guard
    from .._leases.lease import Finding
    from .._model.leak import Leak
    from .found import Found
    from .subject import Subject

# What another thread is about to close at a test's end gets this long, in steps.
_GRACE_STEPS: Final = 50
_GRACE_STEP: Final = 0.01
_MAIN_THREAD: Final = "MainThread"
# Kept, since tests put other clocks in its place.
_sleep: Final = time.sleep


@dataclass(frozen=True)
class Verdict:
    """What a phase of a test, or a fixture, is told; `whose` as of `represent`."""

    leaks: tuple[Leak, ...]
    crowd: Crowd | None
    whose: str

    def error(self) -> LeakError:
        return LeakError(summarize(self.leaks, self.crowd, self.whose), self.leaks)


class Apart(NamedTuple):
    """What is reported on its own, and not with a test."""

    subject: Subject
    verdict: Verdict
    found: list[Found]


class Judge:
    """Judges subjects, and keeps what it found of them."""

    def __init__(self, guard: Guard, baseline: Baseline | None, *, fail: bool) -> None:
        self._guard = guard
        self._baseline = baseline
        self.fail = fail
        # What is not said in a report of its own goes with the next one.
        self._found: list[Found] = []
        # What was found of subjects that had ended. No lock: only `deque.append`.
        self._late: deque[tuple[Subject, Finding]] = deque()

    def take(self) -> list[Found]:
        found, self._found = self._found, []
        return found

    def end(self, subject: Subject) -> None:
        """A subject has ended: what is found of it from here on is late."""
        # Under the guard's lock: no work there.
        subject.end(lambda subject, finding: self._late.append((subject, finding)))

    def judge(
        self, subject: Subject, item: pytest.Item | None, *, ended: bool = False
    ) -> Verdict | None:
        """What a subject has leaked since the last time; None if nothing.

        No fault of ours gets into the test. Once it has `ended`, what is still open is
        leaked.
        """
        try:
            return self._judged(subject, item, ended=ended)
        except Exception as error:
            self._guard.step_aside("judge", error)
            return None

    def _judged(
        self, subject: Subject, item: pytest.Item | None, *, ended: bool
    ) -> Verdict | None:
        if subject.failed:
            self._guard.snapshot()  # Only what is collected by now.
        elif ended:
            self._wait_for_threads(subject)
            self._guard.scopes.close(subject, raising=False)
        else:
            self._guard.scopes.bury(subject)
        crowd = None
        if subject.crowd and subject.max_open is not None:
            origins = self._guard.table.origins
            sites = tuple(find_site(stack, origins) for stack in subject.crowd)
            crowd = Crowd(subject.max_open, sites)
            subject.crowd = []
        return self._verdict(subject, subject.take(), crowd, item)

    def judge_apart(self, subject: Subject) -> Apart | None:
        kept = self.take()
        verdict = self.judge(subject, None, ended=True)
        self.end(subject)
        return self._apart(subject, verdict, kept)

    def judge_rest(self, root: Subject) -> Iterator[Apart]:
        """At the end: what code outside of tests dropped, and what was found late.

        What the root, the subject of that code, keeps open is no leak.
        """
        self._guard.scopes.bury(root)
        rest: dict[Subject, list[Finding]] = {root: root.take()}
        while self._late:
            subject, finding = self._late.popleft()
            rest.setdefault(subject, []).append(finding)
        for subject, findings in rest.items():
            kept = self.take()
            verdict = self._verdict(subject, findings, None, None)
            if verdict is not None and subject is not root:
                whose = f"{subject.name} {subject.nodeid} after its end"
                verdict = replace(verdict, whose=whose)
            apart = self._apart(subject, verdict, kept)
            if apart is not None:
                yield apart

    def _apart(
        self, subject: Subject, verdict: Verdict | None, kept: list[Found]
    ) -> Apart | None:
        """A verdict with what was found, which then goes with no other report."""
        found = self.take()
        if verdict is not None:
            self._found = kept
            return Apart(subject, verdict, found)
        self._found = kept + found
        return None

    def _wait_for_threads(self, subject: Subject) -> None:
        """A server in a thread may be just about to close what it has proxied."""
        for _ in range(_GRACE_STEPS):
            left = self._guard.registry.left_open(subject)
            if all(lease.thread == _MAIN_THREAD for lease in left):
                return
            del left
            _sleep(_GRACE_STEP)

    def _verdict(
        self,
        subject: Subject,
        findings: Sequence[Finding],
        crowd: Crowd | None,
        item: pytest.Item | None,
    ) -> Verdict | None:
        new: list[Leak] = []
        for leak in leaks_of(findings, self._guard.table.origins):
            shown = relocated(leak, item)
            found = found_of(shown, subject.nodeid)
            if self._baseline is not None and self._baseline.matches(found.place):
                found = replace(found, known=True)
            else:
                new.append(shown)
            self._found.append(found)
        if crowd is not None:
            self._found.append(found_crowd(crowd, subject.nodeid))
        if not self.fail or not (new or crowd):
            return None
        return Verdict(tuple(new), crowd, subject.name)
