"""What all tests leaked, of every worker: the summary and the baseline."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

import pytest

from .._model.errors import BaselineError
from .._model.settings import unknown_variables
from .._model.words import leaked, many
from .._text.leaks import short_path
from .found import FOUND, NODEID, packed, unpacked

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from .._baseline.baseline import Baseline
    from .found import Found
    from .suite import Suite

# Of the tests that leak at a site so many are named.
_MOST_TESTS: Final = 5


class Collector:
    """Told of every report, also by xdist of those of its workers."""

    def __init__(
        self, config: pytest.Config, baseline: Baseline | None, suite: Suite
    ) -> None:
        self._config = config
        self._baseline = baseline
        self._suite = suite
        self.found: list[Found] = []
        self._problem: str | None = None

    def pytest_report_header(self) -> str:
        if self._baseline is None:
            return "httpguard: on"
        known = many(len(self._baseline.entries), "leak")
        return f"httpguard: on, {known} known in {self._file}"

    @property
    def _file(self) -> str:
        return short_path(str(self._config.option.httpguard_baseline))

    # Reports, and xdist's wire.

    @pytest.hookimpl(wrapper=True)
    def pytest_report_to_serializable(
        self,
    ) -> Generator[None, dict[str, Any] | None, dict[str, Any] | None]:
        data = yield
        if data and FOUND in data:
            data[FOUND] = packed(data[FOUND])
        return data

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_from_serializable(self, data: dict[str, Any]) -> None:
        """A worker may report a fixture only under the name of a test."""
        if NODEID in data:
            data["nodeid"] = data[NODEID]
        if FOUND in data:
            data[FOUND] = unpacked(data[FOUND])

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_logreport(
        self, report: pytest.TestReport
    ) -> Generator[None, Any, Any]:
        found = getattr(report, FOUND, ())
        self.found += found
        # A test's report has its keywords.
        if not found or report.keywords:
            return (yield)
        # A fixture is no test to be counted, nor to be run again.
        manager = self._config.pluginmanager
        reporter = manager.get_plugin("terminalreporter")
        counted: Any = getattr(reporter, "_progress_nodeids_reported", None)
        before = set(counted) if isinstance(counted, set) else set()
        if before:
            counted.pop()
        try:
            return (yield)
        finally:
            if before:
                counted.clear()
                counted.update(before)
            failed = getattr(manager.get_plugin("lfplugin"), "lastfailed", None)
            if isinstance(failed, dict):
                # Since pytest 9.2 by ids, which are no texts.
                failed.pop(getattr(report, "id", report.nodeid), None)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """An xdist worker has ended: what it found last comes with its farewell."""
        output = getattr(node, "workeroutput", None) or {}
        self.found += unpacked(output.get(FOUND, ()))
        for apart in output.get("httpguard_reports", ()):
            location = tuple(apart["location"])
            report = report_apart(apart["nodeid"], location, apart["text"])
            setattr(report, FOUND, unpacked(apart["found"]))
            self._config.hook.pytest_runtest_logreport(report=report)

    # The baseline.

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(
        self, session: pytest.Session
    ) -> Generator[None, Any, Any]:
        try:
            return (yield)
        finally:
            option = self._config.option
            is_worker = hasattr(self._config, "workerinput")
            if option.httpguard_baseline_update and self._baseline and not is_worker:
                try:
                    self._updated(self._baseline).save(option.httpguard_baseline)
                except BaselineError as error:
                    self._problem = str(error)
                    session.exitstatus = pytest.ExitCode.USAGE_ERROR

    def _updated(self, baseline: Baseline) -> Baseline:
        """The baseline with what is new, and without what surely is fixed."""
        comparison = baseline.split(
            found.place for found in self.found if found.is_leak
        )
        if self._config.option.httpguard_baseline_prune or self._suite.is_whole(
            baseline.root
        ):
            baseline = baseline.without(comparison.fixed)
        return baseline.merged(type(baseline).of(comparison.new, baseline.root))

    # The summary.

    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter
    ) -> None:
        typos = ((text, {"yellow": True}) for text in unknown_variables(os.environ))
        lines = [*self._sites(), *self._about_baseline(), *typos]
        if lines:
            terminalreporter.section("httpguard")
        for line, markup in lines:
            terminalreporter.line(line, **markup)

    def _sites(self) -> Iterable[tuple[str, dict[str, bool]]]:
        """The lines about each site, the worst first; those known are counted."""
        groups: dict[Any, list[Found]] = {}
        for found in self.found:
            if not found.known:
                groups.setdefault((found.place, found.lineno), []).append(found)
        ranked = sorted(groups.values(), key=lambda group: (-_total(group), _at(group)))
        for group in ranked:
            place = group[0].place
            yield f"{_total(group)} {place.kind} at {_at(group)}", {"bold": True}
            if place.source:
                yield f"    {place.source}", {}
            yield f"  {group[0].request}", {}
            yield f"  fix: {group[0].hint}", {}
            yield f"  in {_subjects(group)}", {}
        leaks = [group for group in ranked if group[0].is_leak]
        if leaks:
            totals = leaked((group[0].place.kind, _total(group)) for group in leaks)
            yield f"{totals} at {many(len(leaks), 'site')}", {"red": True}

    def _about_baseline(self) -> Iterable[tuple[str, dict[str, bool]]]:
        baseline = self._baseline
        if self._problem:
            yield f"httpguard: {self._problem}", {"red": True}
        if baseline is None or self._problem:
            return
        name = self._file
        option = self._config.option
        known = [found for found in self.found if found.known]
        if known:
            totals = leaked((found.place.kind, found.count) for found in known)
            yield f"{totals} known in {name}", {}
        fixed = baseline.split(f.place for f in self.found if f.is_leak).fixed
        count = many(len(fixed), "known leak")
        whole = self._suite.is_whole(baseline.root)
        if option.httpguard_baseline_update:
            written = many(len(self._updated(baseline).entries), "known leak")
            yield f"wrote {written} to {name}", {"green": True}
        if not fixed:
            return
        if not whole and not option.httpguard_baseline_prune:
            yield f"{count} of {name} not met in this part of the suite", {}
            if option.httpguard_baseline_update:
                yield "  not every test ran to its end, so that all stay;", {}
                yield "  --httpguard-baseline-prune takes them out all the same", {}
        elif not option.httpguard_baseline_update:
            yield f"{count} of {name} did not occur any more:", {"green": True}
            for entry in fixed:
                yield f"  {entry}", {}
            yield "  take them out with --httpguard-baseline-update", {}


def report_apart(
    nodeid: str, location: tuple[str, int | None, str], text: Any
) -> pytest.TestReport:
    """The report of what is no test."""
    return pytest.TestReport(nodeid, location, {}, "failed", text, "teardown")


def _total(group: list[Found]) -> int:
    return sum(found.count for found in group)


def _at(group: list[Found]) -> str:
    place = group[0].place
    return f"{short_path(place.filename)}:{group[0].lineno} in {place.function}"


def _subjects(group: list[Found]) -> str:
    subjects = list(dict.fromkeys(found.subject for found in group))
    more = len(subjects) - _MOST_TESTS
    text = ", ".join(subjects[:_MOST_TESTS])
    return f"{text} and {more} more" if more > 0 else text
