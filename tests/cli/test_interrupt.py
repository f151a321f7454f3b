"""Ctrl-C ends every command with 130, and without a traceback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.program import ROOT

if TYPE_CHECKING:
    from pathlib import Path

# Ctrl-C comes while the command is at work in the function that is named.
PROGRAM = """
import os, signal, sys
from httpguard.cli import main
signal.signal(signal.SIGINT, signal.default_int_handler)
def interrupt(frame, event, argument):
    if event == "call" and frame.f_code.co_name == sys.argv[1]:
        sys.setprofile(None)
        os.kill(os.getpid(), signal.SIGINT)
sys.setprofile(interrupt)
main(sys.argv[2:])
"""


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        ("report", ["report", "{log}"]),
        ("take", ["report", "{log}"]),
        ("_print", ["report", "{log}"]),
        ("find_target", ["run", "{log}"]),
        ("show_demo", ["demo"]),
        ("find", ["top", "http://127.0.0.1:9/"]),
        ("fetch", ["top", "http://127.0.0.1:9/"]),
        ("_read_source", ["baseline", "update", "{log}.json", "{log}"]),
        ("build", ["report", "{log}"]),
    ],
)
@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
def test_it_ends_with_130(function: str, arguments: list[str], tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text('{"event": "httpguard.summary", "leaks": []}\n')
    words = [word.format(log=log) for word in arguments]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, function, *words],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=150,
    )
    assert done.returncode == 130, done.stderr
    assert "Traceback" not in done.stderr
    assert signal.Signals.SIGINT.name not in done.stderr
