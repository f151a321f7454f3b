"""Programs under `httpguard run`, and the same ones without it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

from tests.program import ROOT

if TYPE_CHECKING:
    from pathlib import Path

CLI = [sys.executable, "-m", "httpguard.cli", "run"]


def environment(**env: str) -> dict[str, str]:
    """Ours without settings; httpguard is importable; tables are wide."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("HTTPGUARD_")}
    path = os.pathsep.join(filter(None, [str(ROOT), clean.get("PYTHONPATH", "")]))
    plain = {"_TYPER_FORCE_DISABLE_TERMINAL": "1", "PYTHONUTF8": "1", "COLUMNS": "200"}
    return {**clean, "PYTHONPATH": path, **plain, **env}


def execute(
    command: list[str], env: dict[str, str] | None = None, **options: Any
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        command,
        env=environment(**(env or {})),
        capture_output=True,
        encoding="utf-8",
        timeout=150,
        check=False,
        **options,
    )


def guarded(
    *words: object, env: dict[str, str] | None = None, **options: Any
) -> subprocess.CompletedProcess[str]:
    """``httpguard run`` and these words."""
    return execute([*CLI, *map(str, words)], env, **options)


def start(*words: object, **options: Any) -> subprocess.Popen[str]:
    """``httpguard run`` and these words, to be ended by the test."""
    env = environment(**options.pop("env", {}))
    command = [*CLI, *map(str, words)]
    return subprocess.Popen(command, env=env, encoding="utf-8", **options)


def wait_for(condition: Any, process: subprocess.Popen[str], what: str) -> Any:
    """Until it is true; a process that has ended will not make it so."""
    deadline = time.monotonic() + 150
    while not (value := condition()):
        assert process.poll() is None, f"ended before {what}"
        assert time.monotonic() < deadline, what
        time.sleep(0.02)
    return value


def end(process: subprocess.Popen[str], number: int = signal.SIGTERM) -> int:
    """Send a signal to httpguard alone, and wait."""
    process.send_signal(number)
    return process.wait(150)


def events(path: Path) -> list[dict[str, Any]]:
    """The lines of a log that is being written."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines() if line]


def leaks(path: Path) -> dict[int, int]:
    """How many leaks each process of a log has told of."""
    counts: dict[int, int] = {}
    for event in events(path):
        for leak in event.get("leaks", [event]):
            counts[event["pid"]] = max(counts.get(event["pid"], 0), leak["count"])
    return counts
