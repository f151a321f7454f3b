"""Programs that run without httpguard, and the command that comes into them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import pytest

from tests.program import ROOT, write
from tests.running import environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

VERSIONS = ("3.14", "3.15")
# What the command and the programs of these tests import.
NEEDED = "requests, httpx, wrapt, structlog, typer, rich, psutil"
# Says what httpguard could leave behind, when it is asked on standard input.
PROBE = """
import gc, json, logging, os, sys, threading, traceback
def probe():
    import requests, urllib3
    classes = urllib3.connectionpool.HTTPConnectionPool, requests.Session
    gc.disable()  # CPython 3.11 may fail where it collects as it makes frames.
    frames = sys._current_frames().values()
    stacks = [str(traceback.extract_stack(frame)) for frame in frames]
    del frames
    gc.enable()
    return {
        "ours": [name for name in sys.modules if name.split(".")[0] in
            ("httpguard", "wrapt", "structlog")],
        "foreign": sorted(name for name in sys.modules if name.split(".")[0] not in
            sys.stdlib_module_names and not name.startswith("_sysconfigdata")),
        "finders": len(sys.meta_path),
        "patches": [[str(id(value)) for value in vars(one).values()]
            for one in classes],
        "threads": sorted(one.name for one in threading.enumerate()),
        "watchers": sum("_guard/watcher.py" in stack for stack in stacks),
        "descriptors": sorted(os.listdir("/proc/self/fd")),
        "loggers": sorted(n for n in logging.root.manager.loggerDict if "guard" in n),
        "paths": [path for path in sys.path_importer_cache if "httpguard" in path],
    }
def answer():
    for line in sys.stdin:
        print(json.dumps(eval(line)), flush=True)
threading.Thread(target=answer, name="answers", daemon=True).start()
"""
READY = """
print(os.getpid(), flush=True)
"""
LOOP = f"""
{READY}
import time
while True:
    time.sleep(0.02)
"""


@lru_cache
def interpreter(version: str) -> str | None:
    """An interpreter of a version that has the packages; None: there is none.

    ``HTTPGUARD_TEST_PYTHON_3_14`` and ``_3_15`` name others than those on PATH.
    """
    name = f"HTTPGUARD_TEST_PYTHON_{version.replace('.', '_')}"
    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    own = sys.executable if here == version else None
    found = os.environ.get(name) or own or shutil.which(f"python{version}")
    if found is None:
        return None
    return found if has(found, NEEDED) else None


def has(python: str, modules: str) -> bool:
    """Whether an interpreter can import some modules."""
    tried = subprocess.run(
        [python, "-c", f"import {modules}"], capture_output=True, check=False
    )
    return not tried.returncode


@pytest.fixture(params=VERSIONS)
def python(request: pytest.FixtureRequest) -> str:
    found = interpreter(request.param)
    if found is None:
        pytest.skip(f"no CPython {request.param} with {NEEDED} is on PATH, or named")
    return found


class Program:
    """A program that runs.

    Args:
        process: It.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.pid = int(self._line())

    def ask(self, expression: str) -> Any:
        """What an expression is in it."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{expression}\n")
        self.process.stdin.flush()
        return json.loads(self._line())

    def wait_for(self, expression: str) -> None:
        """Until it is true in it."""
        until(lambda: self.ask(expression))

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def end(self) -> str:
        """What it has written to standard error until now."""
        self.process.kill()
        return self.process.communicate(timeout=30)[1]


def until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 90
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@contextmanager
def running(
    python: str, tmp_path: Path, source: str, *options: str, **env: str
) -> Iterator[Program]:
    """A program in which there is no httpguard, nor can it be imported."""
    path = write(tmp_path / "program.py", f"{PROBE}\n{source}")
    clean = {k: v for k, v in os.environ.items() if not k.startswith("HTTPGUARD_")}
    clean.pop("PYTHONPATH", None)
    process = subprocess.Popen(
        [python, *options, str(path)],
        env={**clean, **env},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    try:
        yield Program(process)
    finally:
        process.kill()
        process.communicate(timeout=30)


def command(python: str, pid: int, *options: str) -> list[str]:
    return [python, "-m", "httpguard.cli", "attach", str(pid), *options]


def attach(
    python: str, pid: int, *options: str, **env: str
) -> subprocess.CompletedProcess[str]:
    """The command, to its end."""
    return subprocess.run(
        command(python, pid, *options),
        env=environment(**env),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def look(python: str, pid: int, *options: str) -> dict[str, Any]:
    """What the command shows of one process."""
    ended = attach(python, pid, "--json", *options)
    assert ended.returncode == 0, ended.stderr
    (line,) = ended.stdout.splitlines()
    state: dict[str, Any] = json.loads(line)
    return state
