"""Writes down how each test ended: one line of JSON a test, as soon as it is known.

Line by line, so that a suite which hangs or dies leaves what it had by then.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import pytest

OUTCOMES: Final = "DOWNSTREAM_OUTCOMES"
# What says more about a test than that its other phases went well.
_RANK: Final = ("error", "failed", "xpassed", "xfailed", "skipped", "passed")

_file: Final = Path(os.environ[OUTCOMES]).open("w", encoding="utf-8", buffering=1)  # noqa: SIM115  # As long as the process.
_phases: Final[dict[str, list[str]]] = {}


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note a phase; after the last one, write the test down."""
    phases = _phases.setdefault(report.nodeid, [])
    phases.append(_outcome(report))
    if report.when == "teardown":
        worst = min(_phases.pop(report.nodeid), key=_RANK.index)
        _file.write(json.dumps({"test": report.nodeid, "outcome": worst}) + "\n")


def pytest_unconfigure() -> None:
    """Leave nothing open: some suites turn a ResourceWarning into a failure."""
    _file.close()


def _outcome(report: pytest.TestReport) -> str:
    """The word for a phase: as pytest's own summary counts it."""
    if hasattr(report, "wasxfail"):
        return "xfailed" if report.skipped else "xpassed"
    if report.failed and report.when != "call":
        return "error"
    return str(report.outcome)
