"""Reports of what goes with no test: wide fixtures, and what was found late."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .collector import report_apart
from .found import FOUND, NODEID, packed
from .traceback import represent

if TYPE_CHECKING:
    import pytest

    from .collector import Collector
    from .judge import Apart, Judge, Verdict


def shown(verdict: Verdict, config: pytest.Config) -> Any:
    style = config.getoption("tbstyle", "auto")
    return represent(verdict.leaks, verdict.crowd, verdict.whose, style)


class ApartReports:
    """Reports on their own, not as a failure of the last test.

    Args:
        config: Of the session.
        judge: Has what was found.
        collector: Takes what no report can carry.
    """

    def __init__(
        self, config: pytest.Config, judge: Judge, collector: Collector
    ) -> None:
        self._config = config
        self._judge = judge
        self._collector = collector
        # To be reported when no output is captured.
        self.waiting: list[Apart] = []

    def report(self, item: pytest.Item | None) -> None:
        """Report fixtures on their own, not as a failure of the last test."""
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
