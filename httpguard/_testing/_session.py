"""The hooks of a guarded session: each test and each wider fixture is a subject."""

from __future__ import annotations

import os
import time
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import pytest

from .._leak import LeakError
from .._stack import find_site
from .._table import leaks_of
from ._attribution import Attribution
from ._marker import subject_for
from ._places import relocated
from ._record import NODEID, RECORDS, crowd_record, make_record, place_of_record
from ._subject import Subject
from ._traceback import Crowd, represent, summarize

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from .._baseline import Baseline
    from .._detector import Finding
    from .._guard import Guard
    from .._leak import Leak
    from ._record import Record

# What another thread is about to close at a test's end gets this long, in steps.
_GRACE_STEPS: Final = 50
_GRACE_STEP: Final = 0.01
_MAIN_THREAD: Final = "MainThread"
# Of some time-freezing libraries, this one is the clock on the wall.
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


class GuardedSession:
    """Told by pytest what runs; tells it what leaked.

    Args:
        config: Of the session.
        guard: Of the process.
        baseline: What is tolerated.
        fail: Whether leaks fail tests.
    """

    def __init__(
        self,
        config: pytest.Config,
        guard: Guard,
        baseline: Baseline | None,
        *,
        fail: bool,
    ) -> None:
        """Claim every lease from now on."""
        self._config = config
        self._guard = guard
        self._baseline = baseline
        self._fail = fail
        self._root = Subject("code outside of tests", "outside of tests")
        self._running = Attribution(guard.detector, self._root)
        self._outer_claim = guard.registry.claim
        guard.registry.claim = self._claim
        self._item: pytest.Item | None = None
        self._test: Subject | None = None
        self._verdict: Verdict | None = None
        # Fixtures that were torn down, to be judged at the end of the phase.
        self._torn_down: list[Subject] = []
        # Their verdicts, to be reported when no output is captured.
        self._verdicts: list[tuple[Subject, Verdict, list[Record]]] = []
        # What is not said in a report of its own: it goes with the next one.
        self._records: list[Record] = []
        # What was found of subjects that had ended. No lock: see `_registry`.
        self._late: deque[tuple[Subject, Finding]] = deque()

    def _claim(self, lease: Any) -> None:
        """Say whose a lease is; a failure of ours costs that alone."""
        try:
            self._running.claim(lease)
        except Exception as error:
            self._guard.step_aside("claim", error)

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        """Leave the claims to the session outside, if there is one."""
        self._guard.registry.claim = self._outer_claim

    # A test.

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Report the fixtures that a test was the last to use."""
        try:
            return (yield)
        finally:
            self._end_test()
            self._report_fixtures(item)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """A test begins, for the first time or again."""
        self._end_test()
        self._item = item
        self._test, wrong = subject_for(item)
        self._running.enter(self._test)
        try:
            result = yield
            if wrong is not None:
                pytest.fail(wrong, pytrace=False)
            return result  # noqa: TRY300  # As the twin in `pytest_runtest_call`.
        except BaseException:
            self._test.failed = True
            self._verdict = self._judge(self._test)
            raise
        finally:
            self._judge_torn_down()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """What the test and its set-up have dropped makes it fail.

        What they have open may yet be closed by a tear-down.
        """
        test = self._test
        if test is None:
            return (yield)
        try:
            result = yield
        except BaseException:
            test.failed = True
            self._verdict = self._judge(test)
            raise
        # unittest's test cases keep what they raise.
        test.failed = bool(getattr(item, "_excinfo", None))
        self._verdict = self._judge(test)
        if self._verdict and not test.failed:
            raise self._verdict.error
        return result

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self) -> Generator[None, Any, Any]:
        """What is open now, nobody closes any more."""
        self._verdict = None
        test = self._test
        try:
            result = yield
        except BaseException:
            if test is not None:
                test.failed = True
                self._verdict = self._judge(test)
            raise
        finally:
            self._judge_torn_down()
        if test is not None:
            self._verdict = self._judge(test, ended=True)
            if self._verdict and not test.failed:
                raise self._verdict.error
        return result

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, call: pytest.CallInfo[Any]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Show leaks where they are the failure, and beside a failure else."""
        report = yield
        verdict, self._verdict = self._verdict, None
        records, self._records = self._records, []
        if records:
            setattr(report, RECORDS, records)
        if verdict:
            shown = self._represent(verdict)
            if call.excinfo is not None and call.excinfo.value is verdict.error:
                report.longrepr = shown
            elif self._fail:
                report.sections.append((f"httpguard {report.when}", str(shown)))
        if report.when == "teardown":
            self._end_test()
        return report

    def _end_test(self) -> None:
        """The test, if one runs, has come to its end."""
        test, self._test, self._item = self._test, None, None
        if test is not None:
            self._running.leave(test)
            test.end(self._note_late)

    # A fixture of wider scope than a function's.

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Generator[None, Any, Any]:
        """What its set-up and tear-down open is the fixture's."""
        if fixturedef.scope == "function":
            return (yield)
        subject = self._fixture(fixturedef, request)
        # Finalizers run in reverse: these two around those of the fixture, after
        # those of the fixtures that use it.
        fixturedef.addfinalizer(partial(self._leave_fixture, subject))
        self._running.enter(subject)
        try:
            return (yield)
        except BaseException:
            subject.failed = True
            raise
        finally:
            self._running.leave(subject)
            fixturedef.addfinalizer(partial(self._running.enter, subject))

    def _fixture(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Subject:
        """The subject for a fixture."""
        name = fixturedef.argname
        # pytest makes fixtures of set-ups in the style of unittest and nose.
        if name.startswith("_") and "_fixture_" in name:
            name = name[1:].partition("_fixture_")[0].removeprefix("unittest_")
            name = name.removeprefix("xunit_")
        code = getattr(fixturedef.func, "__code__", None)
        filename = code.co_filename if code else ""
        line = code.co_firstlineno - 1 if code else None
        path = os.path.relpath(filename, self._config.rootpath) if filename else ""
        nodeid = f"{request.node.nodeid or path.replace(os.sep, '/')}::{name}"
        title = f"{fixturedef.scope} fixture {name!r}"
        subject = Subject(title, nodeid)
        subject.location = (path, line, title)
        return subject

    def _leave_fixture(self, subject: Subject) -> None:
        """A fixture's finalizers have run."""
        self._running.leave(subject)
        self._torn_down.append(subject)

    def _judge_torn_down(self) -> None:
        """Judge the fixtures torn down in a phase, now that all of them are.

        One may close what another has opened.
        """
        subjects, self._torn_down = self._torn_down, []
        for subject in subjects:
            before = len(self._records)
            verdict = self._judge(subject, ended=True)
            subject.end(self._note_late)
            if verdict and self._fail:
                records = self._records[before:]
                del self._records[before:]
                self._verdicts.append((subject, verdict, records))

    def _report_fixtures(self, item: pytest.Item | None) -> None:
        """Report fixtures on their own, not as a failure of the last test."""
        verdicts, self._verdicts = self._verdicts, []
        for subject, verdict, records in verdicts:
            report = pytest.TestReport(
                subject.nodeid,
                subject.location,
                {},
                "failed",
                self._represent(verdict),
                "teardown",
            )
            setattr(report, RECORDS, records)
            hook = self._config.hook if item is None else item.ihook
            if item is not None and hasattr(self._config, "workerinput"):
                setattr(report, NODEID, subject.nodeid)
                report.nodeid = item.nodeid
            hook.pytest_runtest_logreport(report=report)

    # The session.

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self) -> Generator[None, Any, Any]:
        """After the tests: what was found too late, and what was nobody's."""
        try:
            return (yield)
        finally:
            self._finish()

    # Inside of the terminal's, which shows the summary.
    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(
        self, session: pytest.Session
    ) -> Generator[None, Any, Any]:
        """Fixtures that are torn down here only: the session was broken off."""
        try:
            return (yield)
        finally:
            self._finish()
            if session.testsfailed and session.exitstatus == pytest.ExitCode.OK:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _finish(self) -> None:
        """Judge and report what no test's end has."""
        self._judge_torn_down()
        self._guard.bury(self._root)
        late: dict[Subject, list[Finding]] = {self._root: self._root.take()}
        while self._late:
            subject, finding = self._late.popleft()
            late.setdefault(subject, []).append(finding)
        for subject, findings in late.items():
            before = len(self._records)
            verdict = self._verdict_on(subject, findings, None)
            if verdict and self._fail:
                if subject is not self._root:
                    verdict.whose = f"{subject.name} {subject.nodeid} after its end"
                records = self._records[before:]
                del self._records[before:]
                self._verdicts.append((subject, verdict, records))
        self._hand_in()

    def _hand_in(self) -> None:
        """Report; an xdist worker, which runs no test any more, hands it over."""
        output = getattr(self._config, "workeroutput", None)
        if output is None:
            self._report_fixtures(None)
            if self._records:
                collector: Any = self._config.pluginmanager.get_plugin(
                    "httpguard-collector"
                )
                collector.records += self._records
                self._records = []
            return
        for subject, verdict, records in self._verdicts:
            entry = {
                "nodeid": subject.nodeid,
                "location": list(subject.location),
                "text": str(self._represent(verdict)),
                "records": records,
            }
            output.setdefault("httpguard_reports", []).append(entry)
        output.setdefault(RECORDS, []).extend(self._records)
        self._verdicts, self._records = [], []

    # Judging.

    def _note_late(self, subject: Subject, finding: Finding) -> None:
        """A subject had ended. Called under the guard's lock: no work here."""
        self._late.append((subject, finding))

    def _judge(self, subject: Subject, *, ended: bool = False) -> Verdict | None:
        """What a subject has leaked since the last time.

        Args:
            subject: A test or a fixture.
            ended: Whether what is still open is leaked.
        """
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
        return self._verdict_on(subject, subject.take(), crowd)

    def _wait_for_threads(self, subject: Subject) -> None:
        """A server in a thread may be just about to close what it has proxied."""
        for _ in range(_GRACE_STEPS):
            left = self._guard.detector.left_open(subject)
            if all(lease.thread == _MAIN_THREAD for lease, _ in left):
                return
            del left
            _sleep(_GRACE_STEP)

    def _verdict_on(
        self, subject: Subject, findings: list[Finding], crowd: Crowd | None
    ) -> Verdict | None:
        """The verdict on findings, known ones left out; all are recorded."""
        if not findings and crowd is None:
            return None
        new = []
        for found in leaks_of(findings, self._guard.registry.origins):
            leak = relocated(found, self._item)
            record = make_record(leak, subject.nodeid)
            if self._baseline is not None:
                record["known"] = bool(self._baseline.matches(place_of_record(record)))
            if not record["known"]:
                new.append(leak)
            self._records.append(record)
        if crowd is not None:
            self._records.append(crowd_record(crowd, subject.nodeid))
        if not self._fail:
            return None
        return Verdict(new, crowd, subject.name)

    def _represent(self, verdict: Verdict) -> Any:
        """As pytest shows a failure."""
        style = self._config.getoption("tbstyle", "auto")
        return represent(verdict.leaks, verdict.crowd, verdict.whose, style)
