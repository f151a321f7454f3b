"""Programs of their own: written to a file and run as a user would run them."""

from __future__ import annotations

import contextlib
import importlib
import os
import subprocess
import sys
import textwrap
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from httpguard._stacks.running import frames_of_threads

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

ROOT = Path(__file__).parent.parent


def write(path: Path, source: str) -> Path:
    """Write a dedented program."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(source), encoding="utf-8")
    return path


def run(
    *arguments: str | Path,
    env: dict[str, str] | None = None,
    timeout: float = 150,
    **options: Any,
) -> subprocess.CompletedProcess[str]:
    """Run Python with arguments; httpguard is importable as in this process.

    Its streams are buffered as users have them, whatever this process was told.
    """
    clean = {k: v for k, v in os.environ.items() if not k.startswith("HTTPGUARD_")}
    clean.pop("PYTHONUNBUFFERED", None)
    path = os.pathsep.join(filter(None, [str(ROOT), clean.get("PYTHONPATH", "")]))
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        env={**clean, "PYTHONPATH": path, **(env or {})},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        **options,
    )


@contextlib.contextmanager
def installed(folder: Path, name: str, source: str) -> Iterator[ModuleType]:
    """A module of somebody else's, imported from a folder of installed packages."""
    packages = folder / "site-packages"
    write(packages / f"{name}.py", source)
    sys.path.insert(0, str(packages))
    sys.modules.pop(name, None)
    importlib.invalidate_caches()
    try:
        yield importlib.import_module(name)
    finally:
        sys.path.remove(str(packages))
        sys.modules.pop(name, None)


def run_without_packages(call: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """Run a call of httpguard where no extra is installed; prints what it raises."""
    program = f"""
    import httpguard, sys
    sys.modules |= dict.fromkeys(["opentelemetry", "prometheus_client"])
    try:
        {call}
    except httpguard.HTTPGuardError as error:
        print(error)
    """
    return run(write(tmp_path / "program.py", program))


# Leaks as many sessions as it is told, where `max_sessions` is 1; the last one is an
# innocent one.
SESSIONS = """
import sys
import requests
def ask():
    session = requests.Session()  # LEAK
    session.get(sys.argv[1])
    return session
kept = [ask() for _ in range(int(sys.argv[2]) + 1)]
with requests.Session() as twin:
    twin.get(sys.argv[1])
"""


def watchers() -> list[int]:
    """The numbers of the threads that sweep, which no list of threads has."""
    return [
        ident
        for ident, frame in frames_of_threads().items()
        if any(
            one.f_code.co_filename.endswith("_guard/watcher.py")
            for one, _ in traceback.walk_stack(frame)
        )
    ]


def no_watchers() -> bool:
    """Whether none is left, or soon will be."""
    deadline = time.monotonic() + 90
    while watchers() and time.monotonic() < deadline:
        time.sleep(0.001)
    return not watchers()


# Coverage measures the programs too, and has imported much before they begin.
bare = pytest.mark.skipif("coverage" in sys.modules, reason="coverage imports modules")


def line_of(source: str, mark: str) -> int:
    """The line, from 1, of a dedented program that carries a comment."""
    lines = textwrap.dedent(source).splitlines()
    numbers = [number for number, line in enumerate(lines, 1) if mark in line]
    assert len(numbers) == 1, numbers
    return numbers[0]
