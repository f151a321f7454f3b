"""Reports of what goes with no test: wide fixtures, and what was found late."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from .collector import report_apart
from .found import FOUND, NODEID, packed
from .subject import Subject, subject_for_fixture
from .traceback import represent

if TYPE_CHECKING:
    from collections.abc import Generator

    from .collector import Collector
    from .judge import Apart, Judge, Verdict
    from .subject import Attribution


def shown(verdict: Verdict, config: pytest.Config) -> Any:
    style = config.getoption("tbstyle", "auto")
    return represent(verdict.leaks, verdict.crowd, verdict.whose, style)


class ApartFromTests:
    """What goes with no test: fixtures of a wider scope, and what was found late.

    Each such fixture is a subject. It is reported on its own, not as a failure of the
    last test.
    """

    def __init__(
        self,
        config: pytest.Config,
        running: Attribution,
        judge: Judge,
        collector: Collector,
    ) -> None:
        self._config = config
        self._running = running
        self._judge = judge
        self._collector = collector
        # To be judged at the end of the phase.
        self._torn_down: list[Subject] = []
        # To be reported when no output is captured.
        self.waiting: list[Apart] = []

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Generator[None, Any, Any]:
        """What its set-up and tear-down open is the fixture's."""
        if fixturedef.scope == "function":
            return (yield)
        subject = subject_for_fixture(fixturedef, request.node, self._config.rootpath)
        # Finalizers run in reverse: these two around those of the fixture, after
        # those of the fixtures that use it.
        fixturedef.addfinalizer(partial(self._leave, subject))
        self._running.enter(subject)
        try:
            return (yield)
        except BaseException:
            subject.failed = True
            raise
        finally:
            self._running.leave(subject)
            fixturedef.addfinalizer(partial(self._running.enter, subject))

    def _leave(self, subject: Subject) -> None:
        self._running.leave(subject)
        self._torn_down.append(subject)

    def judge_torn_down(self) -> None:
        """Judge the fixtures torn down in a phase, now that all of them are.

        One may close what another has opened.
        """
        subjects, self._torn_down = self._torn_down, []
        for subject in subjects:
            apart = self._judge.judge_apart(subject)
            if apart is not None:
                self.waiting.append(apart)

    def report(self, item: pytest.Item | None) -> None:
        reports, self.waiting = self.waiting, []
        for subject, verdict, found in reports:
            text = shown(verdict, self._config)
            report = report_apart(subject.nodeid, subject.location, text)
            setattr(report, FOUND, found)
            hook = self._config.hook if item is None else item.ihook
            if item is not None and hasattr(self._config, "workerinput"):
                setattr(report, NODEID, subject.nodeid)
                report.nodeid = item.nodeid
            hook.pytest_runtest_logreport(report=report)

    def finish(self) -> None:
        """Report what is left; an xdist worker, which runs no test, hands it over."""
        output = getattr(self._config, "workeroutput", None)
        if output is None:
            self.report(None)
            self._collector.found += self._judge.take()
            return
        for subject, verdict, found in self.waiting:
            apart = {
                "nodeid": subject.nodeid,
                "location": list(subject.location),
                "text": str(shown(verdict, self._config)),
                "found": packed(found),
            }
            output.setdefault("httpguard_reports", []).append(apart)
        output.setdefault(FOUND, []).extend(packed(self._judge.take()))
        self.waiting = []
