"""A program of the demo, run as a user runs one: a process, its log, its output."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_HERE: Final = os.path.dirname(os.path.abspath(__file__))
# A program takes less than a second; one that hangs is ended.
_PATIENCE: Final = 30.0
_HEADLINE: Final = re.compile(
    r" httpguard: leak (?P<kind>\w+) (?P<file>.+?):(?P<line>\d+) in "
)
_MARK: Final = re.compile(r"# LEAK (?P<kind>\w+)$")
_PROXIES: Final = frozenset({"http_proxy", "https_proxy", "all_proxy"})


@dataclass(frozen=True, slots=True, order=True)
class Place:
    file: str
    line: int
    kind: str

    def __str__(self) -> str:
        return f"{self.kind} at {self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a program did; its counters are the guard's, which it has printed."""

    log: tuple[str, ...]
    counters: Mapping[str, int]
    exit_code: int


def find_report(line: str) -> Place | None:
    match = _HEADLINE.search(line)
    if match is None:
        return None
    return Place(os.path.basename(match["file"]), int(match["line"]), match["kind"])


def read_source(name: str) -> list[str]:
    with open(os.path.join(_HERE, name), encoding="utf-8") as file:
        return file.read().splitlines()


def find_marks(name: str) -> list[Place]:
    """The leaks that a program's comments own up to, sorted."""
    lines = enumerate(read_source(name), 1)
    found = [(number, _MARK.search(line)) for number, line in lines]
    return sorted(Place(name, number, mark["kind"]) for number, mark in found if mark)


def run(arguments: list[str], show: Callable[[str], None]) -> Outcome:
    """Run a program, whose file comes first, to its end.

    It runs from a directory of its own, so that it is nobody's library: what is
    installed in site-packages does not count as the application's code. `show` is
    called with each line of its log as it comes.
    """
    with tempfile.TemporaryDirectory(prefix="httpguard-demo-") as directory:
        shutil.copy(os.path.join(_HERE, arguments[0]), directory)
        log = []
        with subprocess.Popen(  # noqa: S603  # This interpreter, our own file.
            [sys.executable, *arguments],
            cwd=directory,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
        ) as process:
            timer = threading.Timer(_PATIENCE, process.kill)
            timer.daemon = True
            timer.start()
            try:
                for line in process.stderr or ():
                    log.append(line.rstrip("\n"))
                    show(log[-1])
                output = process.stdout.read() if process.stdout else ""
            except BaseException:
                process.kill()
                raise
            finally:
                timer.cancel()
    return Outcome(tuple(log), _parse_counters(output), process.returncode)


def _environment() -> dict[str, str]:
    """The user's environment without what would change the programs' ways."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("HTTPGUARD_") and name.lower() not in _PROXIES
    }
    root = os.path.dirname(os.path.dirname(_HERE))
    # Run from a checkout that is not installed; site-packages must not come
    # before the standard library.
    if os.path.basename(root) not in {"site-packages", "dist-packages"}:
        paths = [root, environment.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    return environment | {"PYTHONUTF8": "1", "PYTHONIOENCODING": "utf-8"}


def _parse_counters(output: str) -> dict[str, int]:
    try:
        counters = json.loads(output)
    except ValueError:
        return {}
    return counters if isinstance(counters, dict) else {}


def judge(name: str, outcome: Outcome, promised: list[Place]) -> list[str]:
    """What went otherwise than promised, a sentence each; empty if all is well.

    Each promised leak is to be reported once; where there are none, the log has not a
    word of ours.
    """
    if outcome.exit_code != 0 or not outcome.counters:
        return [f"{name} did not get to its end (exit code {outcome.exit_code})"]
    seen = Counter(filter(None, map(find_report, outcome.log)))
    due = Counter(promised)
    said = [] if promised else [it for it in outcome.log if " httpguard: " in it]
    return [
        *(f"not reported: {place}" for place in sorted((due - seen).elements())),
        *(f"reported, not promised: {place}" for place in sorted(seen - due)),
        *(f"{name} was to be silent, but its log says: {line}" for line in said),
    ]
