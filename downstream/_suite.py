"""One run of a suite, without or with the guard."""

from __future__ import annotations

import json
import os
import resource
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ._command import DownstreamError, run, tail
from ._environment import site_packages

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ._project import Project

_PLUGINS: Final = Path(__file__).resolve().parent / "plugins"
# The longest takes four minutes; a hang shall not take the whole day.
_TIMEOUT: Final = 1500.0
# pytest's exit codes for a session that went to its end: all passed, some failed.
_ENDED: Final = (0, 1)

Outcomes = dict[str, str]
"""Test -> passed, failed, error, skipped, xfailed or xpassed."""


@dataclass(frozen=True, slots=True)
class Run:
    """What came out of one run.

    Args:
        outcomes: Of every test that was reported.
        seconds: Wall time of the process, its start and imports included.
        cpu: CPU time of it and all it started. Most suites wait most of the time,
            so that this shows the guard's cost and wall time does not.
        ended: Whether the session went to its end; else it hung or died.
        found: The guard's snapshot as JSON; empty without the guard.
    """

    outcomes: Outcomes
    seconds: float
    cpu: float
    ended: bool = True
    found: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Suite:
    """A suite that is ready to run.

    Args:
        project: Whose.
        source: Its unpacked sdist.
        python: Of its environment.
        folder: Its part of the cache, for logs.
        tests: The arguments that select tests.
        plugin: Guard by httpguard's pytest plugin, test by test, instead of
            `httpguard.install`.
    """

    project: Project
    source: Path
    python: Path
    folder: Path
    tests: tuple[str, ...]
    plugin: bool = False

    def run(self, *, guarded: bool, tests: Sequence[str] = ()) -> Run:
        """Run it once.

        Args:
            guarded: With httpguard installed.
            tests: Only these, by id; empty: the suite.

        Raises:
            DownstreamError: Without the guard, no test passed.
        """
        name = "guarded" if guarded else "plain"
        outcomes = self.folder / f"{name}.jsonl"
        found = self.folder / f"{name}.json"
        for file in (outcomes, found):
            file.unlink(missing_ok=True)
        log = self.folder / f"{name}.log"
        command = [str(self.python), "-m", "pytest", *self._options(guarded=guarded)]
        begin, cpu = time.monotonic(), _children_cpu()
        code = run(
            [*command, *(tests or self.tests)],
            log,
            cwd=self.source,
            environ=self._environ(outcomes, found),
            timeout=_TIMEOUT,
        )
        seconds = time.monotonic() - begin
        found_out = read_outcomes(outcomes)
        # Where nothing passes, nothing can be lost.
        if not guarded and not tests and "passed" not in found_out.values():
            raise DownstreamError(
                f"{self.project.name}'s suite does not run:\n{tail(log)}"
            )
        return Run(
            outcomes=found_out,
            seconds=seconds,
            cpu=_children_cpu() - cpu,
            ended=code in _ENDED,
            found=json.loads(found.read_text("utf-8")) if found.exists() else {},
        )

    def _options(self, *, guarded: bool) -> list[str]:
        """The arguments of pytest that select no tests."""
        plugins = ["no:cacheprovider", "downstream_offline", "downstream_recorder"]
        options = ["-q", *self.project.options]
        if guarded and self.plugin:
            plugins.append("downstream_plugin")
            options.append("--httpguard=warn")
        elif guarded:
            plugins.append("downstream_guard")
        for plugin in plugins:
            options += ["-p", plugin]
        return options

    def _environ(self, outcomes: Path, found: Path) -> dict[str, str]:
        """A bare environment: no proxies, certificates or settings of this machine."""
        home = self.folder / "home"
        # What one run leaves in there is not for the next to find.
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir()
        site = site_packages(self.python)
        return {
            "PATH": os.pathsep.join([str(self.python.parent), os.defpath]),
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(_PLUGINS),
            "PYTHONHASHSEED": "0",
            "PYTHONDONTWRITEBYTECODE": "1",
            "DOWNSTREAM_OUTCOMES": str(outcomes),
            "DOWNSTREAM_LEAKS": str(found),
            **{name: value.format(site=site) for name, value in self.project.environ},
        }


def _children_cpu() -> float:
    """CPU seconds of the programs that ran to their end so far."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def read_outcomes(file: Path) -> Outcomes:
    """What the recorder wrote; a last line cut short by a kill does not count."""
    outcomes = {}
    if file.exists():
        for line in file.read_text("utf-8").splitlines():
            if line.endswith("}"):
                entry = json.loads(line)
                outcomes[entry["test"]] = entry["outcome"]
    return outcomes
