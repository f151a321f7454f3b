"""What `install` says on interpreters that are unlike CPython with its lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.program import run, write

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server import Server

NO_LOCK = "import sys; sys._is_gil_enabled = lambda: False\n"
ELSEWHERE = "import sys; sys.implementation.name = 'pypy'\n"
SAID = "on pypy httpguard finds a dropped response once the collector has run"


def test_without_the_lock_it_is_refused(tmp_path: Path) -> None:
    source = f"""{NO_LOCK}
import http.client
import httpguard
before = http.client.HTTPConnection.getresponse
try:
    httpguard.install()
except httpguard.ConfigError as error:
    print(error)
try:
    with httpguard.no_leaks():
        print("it goes on")
except httpguard.HTTPGuardError as error:
    print(error)
print(http.client.HTTPConnection.getresponse is before, httpguard.snapshot().open)
httpguard.install(enabled=False)
"""
    done = run(write(tmp_path / "app.py", source))
    assert done.returncode == 0, done.stderr
    first, second, last = done.stdout.splitlines()
    assert first == second
    assert "relies on the global interpreter lock" in first
    assert "-X gil=1" in first
    assert last == "True ()"


def test_with_the_lock_switched_on_nothing_is_said(tmp_path: Path) -> None:
    source = "import sys; sys._is_gil_enabled = lambda: True\n"
    done = run(
        write(tmp_path / "app.py", source + "import httpguard\nhttpguard.install()")
    )
    assert (done.returncode, done.stdout) == (0, "")
    assert "lock" not in done.stderr


def test_a_program_under_run_goes_on_without(tmp_path: Path) -> None:
    pytest.importorskip("typer")
    app = write(tmp_path / "app.py", NO_LOCK + "import http.client; print('goes on')")
    done = run("-m", "httpguard", "run", app)
    assert done.stdout == "goes on\n"
    assert "relies on the global interpreter lock" in done.stderr


def test_a_test_session_is_refused_too(tmp_path: Path) -> None:
    write(tmp_path / "nolock.py", NO_LOCK)
    write(tmp_path / "test_it.py", "def test_it(): pass")
    done = run("-m", "pytest", "-p", "nolock", "--httpguard", tmp_path, cwd=tmp_path)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "ERROR: httpguard relies on the global interpreter lock" in done.stderr


def test_what_is_missed_is_said_once(server: Server, tmp_path: Path) -> None:
    source = f"""{ELSEWHERE}
import requests
import httpguard
httpguard.install(check_interval=0, max_idle=0)
httpguard.install(check_interval=0, max_idle=0)
httpguard.uninstall()
httpguard.install(check_interval=0, max_idle=0)
kept = requests.get({server.url("/bytes/90000")!r}, stream=True)
print([str(leak.kind) for leak in httpguard.check().leaks])
kept.close()
"""
    done = run(write(tmp_path / "app.py", source))
    assert done.stdout == "['held']\n", done.stderr
    assert done.stderr.count(SAID) == 1
