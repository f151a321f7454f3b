"""The judgement of a test or a fixture: what it leaked, and whether it is told."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from .._leases.table import leaks_of
from .._model.errors import LeakError
from .._stacks.capture import find_site
from .places import relocated
from .record import crowd_record, make_record, place_of_record
from .traceback import Crowd, summarize

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pytest

    from .._baseline.baseline import Baseline
    from .._guard.guard import Guard
    from .._leases.detector import Finding
    from .._model.leak import Leak
    from .record import Record
    from .subject import Subject

# What another thread is about to close at a test's end gets this long, in steps.
_GRACE_STEPS: Final = 50
_GRACE_STEP: Final = 0.01
_MAIN_THREAD: Final = "MainThread"
# Kept, since tests put other clocks in its place.
_sleep: Final = time.sleep


class Verdict:
    """What a phase of a test, or a fixture, is told.

    Args:
        leaks: That the baseline does not know.
        crowd: Responses that were too many.
        whose: ``test``, or the fixture's name.
    """

    def __init__(self, leaks: Sequence[Leak], crowd: Crowd | None, whose: str) -> None:
        """Make the error, and have it raised where there is something to say."""
        self.leaks = tuple(leaks)
        self.crowd = crowd
        self.whose = whose
        self.error = LeakError(summarize(leaks, crowd, whose), self.leaks)

    def __bool__(self) -> bool:
        """Whether there is something to say."""
        return bool(self.leaks or self.crowd)


class Apart(NamedTuple):
    """What is reported on its own, and not with a test."""

    subject: Subject
    verdict: Verdict
    records: list[Record]


class Judge:
    """Judges subjects, and keeps the records of what it found.

    Args:
        guard: Of the process.
        baseline: What is tolerated.
        fail: Whether leaks fail tests.
    """

    def __init__(self, guard: Guard, baseline: Baseline | None, *, fail: bool) -> None:
        """Nothing judged yet."""
        self._guard = guard
        self._baseline = baseline
        self.fail = fail
        # What is not said in a report of its own goes with the next one.
        self._records: list[Record] = []
        # What was found of subjects that had ended. No lock: see `_registry`.
        self._late: deque[tuple[Subject, Finding]] = deque()

    def take_records(self) -> list[Record]:
        """The records since the last time."""
        records, self._records = self._records, []
        return records

    def end(self, subject: Subject) -> None:
        """A subject has ended: what is found of it from here on is late."""
        subject.end(self._note_late)

    def judge(
        self, subject: Subject, item: pytest.Item | None, *, ended: bool = False
    ) -> Verdict | None:
        """What a subject has leaked since the last time; None if nothing.

        Args:
            subject: A test or a fixture.
            item: The test that runs.
            ended: Whether what is still open is leaked.
        """
        try:
            return self._judged(subject, item, ended=ended)
        except Exception as error:
            self._guard.step_aside("judge", error)
            return None

    def _judged(
        self, subject: Subject, item: pytest.Item | None, *, ended: bool
    ) -> Verdict | None:
        """As `judge`, which lets no fault of ours into the test."""
        if subject.failed:
            self._guard.snapshot()  # Only what is collected by now.
        elif ended:
            self._wait_for_threads(subject)
            self._guard.close_scope(subject, raising=False)
        else:
            self._guard.bury(subject)
        crowd = None
        if subject.crowd and subject.max_open is not None:
            origins = self._guard.registry.origins
            sites = tuple(find_site(stack, origins) for stack in subject.crowd)
            crowd = Crowd(subject.max_open, sites)
            subject.crowd = []
        return self._verdict(subject, subject.take(), crowd, item)

    def judge_apart(self, subject: Subject) -> Apart | None:
        """As `judge`, for a fixture that was torn down.

        Args:
            subject: The fixture.
        """
        kept = self.take_records()
        verdict = self.judge(subject, None, ended=True)
        self.end(subject)
        return self._apart(subject, verdict, kept)

    def judge_rest(self, root: Subject) -> Iterator[Apart]:
        """At the end: what code outside of tests dropped, and what was found late.

        Args:
            root: The subject of that code. What it keeps open is no leak.
        """
        self._guard.bury(root)
        rest: dict[Subject, list[Finding]] = {root: root.take()}
        while self._late:
            subject, finding = self._late.popleft()
            rest.setdefault(subject, []).append(finding)
        for subject, findings in rest.items():
            kept = self.take_records()
            verdict = self._verdict(subject, findings, None, None)
            apart = self._apart(subject, verdict, kept)
            if apart is not None:
                if subject is not root:
                    verdict = apart.verdict
                    verdict.whose = f"{subject.name} {subject.nodeid} after its end"
                yield apart

    def _apart(
        self, subject: Subject, verdict: Verdict | None, kept: list[Record]
    ) -> Apart | None:
        """A verdict with its records, which then go with no other report."""
        records = self.take_records()
        if verdict and self.fail:
            self._records = kept
            return Apart(subject, verdict, records)
        self._records = kept + records
        return None

    def _note_late(self, subject: Subject, finding: Finding) -> None:
        """A subject had ended. Called under the guard's lock: no work here."""
        self._late.append((subject, finding))

    def _wait_for_threads(self, subject: Subject) -> None:
        """A server in a thread may be just about to close what it has proxied."""
        for _ in range(_GRACE_STEPS):
            left = self._guard.detector.left_open(subject)
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
        """The verdict on findings, known ones left out; all are recorded."""
        if not findings and crowd is None:
            return None
        new: list[Leak] = []
        for found in leaks_of(findings, self._guard.registry.origins):
            leak = relocated(found, item)
            record = make_record(leak, subject.nodeid)
            if self._baseline is not None:
                record["known"] = bool(self._baseline.matches(place_of_record(record)))
            if not record["known"]:
                new.append(leak)
            self._records.append(record)
        if crowd is not None:
            self._records.append(crowd_record(crowd, subject.nodeid))
        return Verdict(new, crowd, subject.name) if self.fail else None
