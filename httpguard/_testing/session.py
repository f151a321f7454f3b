"""The hooks of a guarded session: each test is a subject."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from .apart import ApartFromTests, shown
from .found import FOUND, RAN
from .subject import Attribution, Subject, subject_for

if TYPE_CHECKING:
    from collections.abc import Generator

    from .._guard.guard import Guard
    from .._leases.lease import Lease
    from .._leases.sessions import SessionRef
    from .._model.errors import LeakError
    from .collector import Collector
    from .judge import Judge, Verdict

_OUTSIDE: Final = "code outside of tests"


class GuardedSession:
    """Told by pytest what runs; tells it what leaked."""

    def __init__(
        self, config: pytest.Config, guard: Guard, judge: Judge, collector: Collector
    ) -> None:
        self._config = config
        self._guard = guard
        self._judge = judge
        self._root = Subject(_OUTSIDE, "outside of tests")
        self._running = Attribution(guard.detector, self._root)
        self._outer_claim = guard.registry.claim
        guard.registry.claim_by(self._claim)
        self._item: pytest.Item | None = None
        self._test: Subject | None = None
        self._verdict: Verdict | None = None
        # The failure of a phase, where it is its leaks.
        self._raised: LeakError | None = None
        self._apart = ApartFromTests(config, self._running, judge, collector)
        config.pluginmanager.register(self._apart, "httpguard-fixtures")

    def _claim(self, lease: Lease | SessionRef) -> None:
        """Say whose a lease is; a failure of ours costs that alone."""
        try:
            self._running.claim(lease)
        except Exception as error:
            self._guard.step_aside("claim", error)

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        """Leave the claims to the session outside, if there is one."""
        self._guard.registry.claim_by(self._outer_claim)

    # A test.

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Report the fixtures that a test was the last to use."""
        try:
            return (yield)
        finally:
            self._end_test()
            self._apart.report(item)

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
            self._fail(self._test)
            raise
        finally:
            self._apart.judge_torn_down()

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
            self._fail(test)
            raise
        # unittest's test cases keep what they raise.
        test.failed = bool(getattr(item, "_excinfo", None))
        self._judge_now(test)
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
                self._fail(test)
            raise
        finally:
            self._apart.judge_torn_down()
        if test is not None:
            self._judge_now(test, ended=True)
        return result

    def _fail(self, test: Subject) -> None:
        """It failed by itself: its leaks are told beside that."""
        test.failed = True
        self._verdict = self._judge.judge(test, self._item)

    def _judge_now(self, test: Subject, *, ended: bool = False) -> None:
        """Its leaks make it fail."""
        self._verdict = self._judge.judge(test, self._item, ended=ended)
        if self._verdict and not test.failed:
            self._raised = self._verdict.error()
            raise self._raised

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, call: pytest.CallInfo[Any]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Show leaks where they are the failure, and beside a failure else."""
        report = yield
        verdict, self._verdict = self._verdict, None
        raised, self._raised = self._raised, None
        error = None if call.excinfo is None else call.excinfo.value
        ours = error is not None and error is raised
        setattr(report, RAN, ours or error is None)
        found = self._judge.take()
        if found:
            setattr(report, FOUND, found)
        if verdict:
            text = shown(verdict, self._config)
            if ours:
                report.longrepr = text
            else:
                report.sections.append((f"httpguard {report.when}", str(text)))
        if report.when == "teardown":
            self._end_test()
        return report

    def _end_test(self) -> None:
        test, self._test, self._item = self._test, None, None
        if test is not None:
            self._running.leave(test)
            self._judge.end(test)

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
        self._apart.judge_torn_down()
        self._apart.waiting += self._judge.judge_rest(self._root)
        self._apart.finish()
