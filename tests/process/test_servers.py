"""Real servers: each worker of gunicorn reports its own leak, once."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest

from tests.program import ROOT, write

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server import Server

pytest.importorskip("gunicorn")

APP = """
import os
import httpguard; httpguard.install(check_interval=0.05)
import requests

def app(environ, start_response):
    requests.get(os.environ["UPSTREAM"], stream=True)  # LEAK
    start_response("200 OK", [("X-Worker", str(os.getpid()))])
    return [b"served"]
"""
OPTIONS = ["sync", "gthread --threads 2", "gevent", "sync --preload"]


def ask(port: int) -> str:
    """The worker that answered; waits for the server to be there."""
    deadline = time.monotonic() + 90
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/") as answer:
                return str(answer.headers["X-Worker"])
        except (urllib.error.URLError, ConnectionError):  # noqa: PERF203
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def port_of(log: Path) -> int:
    """The port that gunicorn says it listens on."""
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        found = re.search(r"Listening at: http://127\.0\.0\.1:(\d+)", log.read_text())
        if found:
            return int(found[1])
        time.sleep(0.05)
    raise AssertionError(log.read_text())


@pytest.mark.parametrize("options", OPTIONS)
def test_gunicorn(options: str, server: Server, tmp_path: Path) -> None:
    write(tmp_path / "leaky.py", APP)
    log = tmp_path / "log.txt"
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "UPSTREAM": server.url("/bytes/90000"),
    }
    command = ["-m", "gunicorn", "-w", "2", "-b", "127.0.0.1:0", "-k", *options.split()]
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, *command, "leaky:app"],
            cwd=tmp_path,
            env=environment,
            stderr=output,
        )
    try:
        port = port_of(log)
        workers = [ask(port) for _ in range(8)]
    finally:
        process.send_signal(signal.SIGTERM)
        # A worker that has not begun loses the signal: gunicorn kills it after 30 s.
        process.wait(150)
    text = log.read_text()
    place = r"leaky\.py:7 in app"
    # Two processes write to one file: a report may begin in another's line.
    assert len(re.findall(f"leak dropped {place}", text)) == len(set(workers))
    counts = re.findall(rf"> (\d+) dropped at {place}", text)
    assert sorted(map(int, counts)) == sorted(map(workers.count, set(workers)))
    assert "stepped aside" not in text
