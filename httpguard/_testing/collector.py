"""What all tests leaked, of every worker: the summary and the baseline."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

import pytest

from .._baseline.baseline import Baseline
from .._model.errors import BaselineError
from .._model.words import leaked, many
from .record import MAX_OPEN, NODEID, RECORDS, place_of_record

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from .._baseline.file import Entry
    from .record import Record

# Of the tests that leak at a site so many are named.
_MOST_TESTS: Final = 5


class Collector:
    """Told of every report, also by xdist of those of its workers.

    Args:
        config: Of the session.
        baseline: What is tolerated.
        update: Whether to write the baseline.
    """

    def __init__(
        self, config: pytest.Config, baseline: Baseline | None, *, update: bool
    ) -> None:
        """Nothing told yet."""
        self._config = config
        self._baseline = baseline
        self._update = update
        self.records: list[Record] = []
        self._partial = False
        self._problem: str | None = None

    @property
    def _is_worker(self) -> bool:
        """Whether the session is that of an xdist worker."""
        return hasattr(self._config, "workerinput")

    def pytest_report_header(self) -> str:
        """Say that the session is guarded."""
        name = self._config.option.httpguard_baseline
        if self._baseline is None:
            return "httpguard: on"
        count = len(self._baseline.entries)
        return f"httpguard: on, {many(count, 'leak')} known in {os.path.relpath(name)}"

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        """A part of the suite says nothing of leaks that it does not meet."""
        self._partial = self._partial or bool(items)

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_from_serializable(self, data: dict[str, Any]) -> None:
        """A worker may report a fixture only under the name of a test."""
        if NODEID in data:
            data["nodeid"] = data[NODEID]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_logreport(
        self, report: pytest.TestReport
    ) -> Generator[None, Any, Any]:
        """Keep what a report carries."""
        records = getattr(report, RECORDS, ())
        self.records += records
        # A test's report has its keywords.
        if not records or report.keywords:
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
        self.records += output.get(RECORDS, ())
        for entry in output.get("httpguard_reports", ()):
            report = pytest.TestReport(
                entry["nodeid"],
                tuple(entry["location"]),
                {},
                "failed",
                entry["text"],
                "teardown",
            )
            setattr(report, RECORDS, entry["records"])
            self._config.hook.pytest_runtest_logreport(report=report)

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(
        self, session: pytest.Session
    ) -> Generator[None, Any, Any]:
        """Write the baseline, once, at the end of the whole session."""
        try:
            return (yield)
        finally:
            self._finish(session)

    def _finish(self, session: pytest.Session) -> None:
        """Know whether the whole suite ran, and write what is to be written."""
        given = [
            argument for argument in self._config.args if not os.path.isdir(argument)
        ]
        ended = session.exitstatus in (
            pytest.ExitCode.OK,
            pytest.ExitCode.TESTS_FAILED,
        )
        stopped = bool(session.shouldfail or session.shouldstop)
        self._partial = self._partial or bool(given) or not ended or stopped
        if not self._update or self._baseline is None or self._is_worker:
            return
        path = self._config.option.httpguard_baseline
        try:
            self._updated(self._baseline, os.path.dirname(path)).save(path)
        except BaselineError as error:
            self._problem = str(error)
            session.exitstatus = pytest.ExitCode.USAGE_ERROR

    def _updated(self, baseline: Baseline, root: str) -> Baseline:
        """The baseline after this session: fixed entries go, new ones come."""
        places = [place_of_record(record) for record in self._leaks()]
        comparison = baseline.split(places)
        kept = baseline if self._partial else baseline.without(comparison.fixed)
        return kept.merged(Baseline.of(comparison.new, root))

    def _leaks(self) -> Iterable[Record]:
        """The records that a baseline may have."""
        return (record for record in self.records if record["kind"] != MAX_OPEN)

    # The summary.

    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter
    ) -> None:
        """What leaked, by site."""
        lines = [*self._sites(), *self._about_baseline()]
        if not lines:
            return
        terminalreporter.section("httpguard")
        for line, markup in lines:
            terminalreporter.line(line, **markup)

    def _sites(self) -> Iterable[tuple[str, dict[str, bool]]]:
        """The lines about each site, the worst first; those known are counted."""
        groups: dict[tuple[Any, ...], list[Record]] = {}
        for record in self.records:
            if not record["known"]:
                names = ("kind", "filename", "lineno", "function")
                key = tuple(record[name] for name in names)
                groups.setdefault(key, []).append(record)
        ranked = sorted(groups.values(), key=lambda group: (-_total(group), _at(group)))
        for group in ranked:
            first = group[0]
            yield f"{_total(group)} {first['kind']} at {_at(group)}", {"bold": True}
            if first["source"]:
                yield f"    {first['source']}", {}
            yield f"  {first['request']}", {}
            yield f"  fix: {first['hint']}", {}
            yield f"  in {_subjects(group)}", {}
        leaks = [group for group in ranked if group[0]["kind"] != MAX_OPEN]
        if leaks:
            totals = leaked((r["kind"], r["count"]) for group in leaks for r in group)
            yield f"{totals} at {many(len(leaks), 'site')}", {"red": True}

    def _about_baseline(self) -> Iterable[tuple[str, dict[str, bool]]]:
        """The lines about the baseline."""
        if self._problem:
            yield f"httpguard: {self._problem}", {"red": True}
        if self._baseline is None or self._problem:
            return
        name = os.path.relpath(self._config.option.httpguard_baseline)
        places = [place_of_record(record) for record in self._leaks()]
        comparison = self._baseline.split(places)
        known = leaked((r["kind"], r["count"]) for r in self.records if r["known"])
        if known:
            yield f"{known} known in {name}", {}
        if self._update:
            count = len(self._updated(self._baseline, os.path.dirname(name)).entries)
            yield f"wrote {many(count, 'known leak')} to {name}", {"green": True}
        elif comparison.fixed and self._partial:
            unseen = many(len(comparison.fixed), "known leak")
            yield f"{unseen} of {name} not met in this part of the suite", {}
        elif comparison.fixed:
            fixed = many(len(comparison.fixed), "known leak")
            yield f"{fixed} of {name} did not occur any more:", {"green": True}
            for entry in comparison.fixed:
                yield f"  {_entry(entry)}", {}
            yield "  take them out with --httpguard-baseline-update", {}


def _total(group: list[Record]) -> int:
    """How many responses leaked."""
    return sum(record["count"] for record in group)


def _at(group: list[Record]) -> str:
    """``file:line in function`` of a group."""
    first = group[0]
    filename = first["filename"]
    if os.path.isabs(filename):
        below = os.path.relpath(filename)
        filename = filename if below.startswith("..") else below
    return f"{filename}:{first['lineno']} in {first['function']}"


def _subjects(group: list[Record]) -> str:
    """The tests and fixtures involved."""
    subjects = list(dict.fromkeys(record["subject"] for record in group))
    more = len(subjects) - _MOST_TESTS
    text = ", ".join(subjects[:_MOST_TESTS])
    return f"{text} and {more} more" if more > 0 else text


def _entry(entry: Entry) -> str:
    """An entry on one line."""
    return f"{entry.kind} {entry.file} in {entry.function}: {entry.source}"
