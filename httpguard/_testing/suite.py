"""Whether every test of the suite ran, and ran to its end."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

import pytest

from .found import RAN

if TYPE_CHECKING:
    from collections.abc import Iterable

# Options that leave tests out; what each does is not looked at.
_CHOOSING: Final = (
    *("keyword", "markexpr", "deselect", "ignore", "ignore_glob", "lf"),
    *("noconftest", "override_ini", "stepwise"),
)
_OUTPUT: Final = "httpguard_left_out"


class Suite:
    """Follows a session, and its workers.

    What did not run says nothing of the leaks that it may have. A test that failed
    or was skipped did not run to its end.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._collected: set[str] = set()
        # The phases that ran, by the id of the test; None: one did not.
        self._ran: dict[str, set[str] | None] = {}
        self._left_out = False

    def is_whole(self, root: str) -> bool:
        """Whether all tests ran to their ends that may meet the leaks of a baseline.

        Where the suite is but a part of what lies below the baseline's directory, other
        suites may have their leaks there.
        """
        ran = {
            name for name, phases in self._ran.items() if phases and "call" in phases
        }
        return (
            not self._left_out
            and not any(self._config.getoption(name, None) for name in _CHOOSING)
            and _is_below(root, str(self._config.rootpath))
            and _asks_for_all(self._config)
            and bool(self._collected)
            and self._collected <= ran
        )

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        """It may yet be deselected, in whatever way."""
        self._collected.add(item.nodeid)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: Iterable[str]) -> None:
        self._collected.update(ids)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A file that is skipped, or that fails, has tests that are not known."""
        self._left_out = self._left_out or not report.passed

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        name = report.nodeid
        if not getattr(report, RAN, report.passed):
            # Unless it is run again.
            self._ran[name] = None
        elif report.when == "setup":
            self._ran[name] = {"setup"}
        elif (phases := self._ran.get(name)) is not None:
            phases.add(report.when)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """A worker says whether it left something out, which its id's do not show."""
        output = getattr(self._config, "workeroutput", None)
        if output is not None:
            items = {item.nodeid for item in getattr(session, "items", ())}
            output[_OUTPUT] = self._left_out or items != self._collected

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        output = getattr(node, "workeroutput", None) or {}
        self._left_out = self._left_out or output.get(_OUTPUT, True)


def _asks_for_all(config: pytest.Config) -> bool:
    if config.getoption("pyargs"):
        return False
    if config.args_source is pytest.Config.ArgsSource.TESTPATHS:
        return True
    suite = config.getini("testpaths") or [""]
    return all(
        any(
            _is_below(
                os.path.join(config.rootpath, path),
                # With a test's name it is no path that has anything below it.
                os.path.join(config.invocation_params.dir, given),
            )
            for given in config.args
        )
        for path in suite
    )


def _is_below(path: str, directory: str) -> bool:
    path, directory = os.path.realpath(path), os.path.realpath(directory)
    return path == directory or path.startswith(os.path.join(directory, ""))
