"""A leaking gunicorn and a real Prometheus that scrapes it, for a time."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Any

from tests.process.test_servers import port_of
from tests.program import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FILES = ROOT / "examples" / "observability"
PATIENCE = 60.0


def ask(url: str) -> str:
    with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
        return str(answer.read().decode())


def until(read: Callable[[], Any], *, url: str = "") -> Any:
    """What it reads, when that is something."""
    deadline = time.monotonic() + PATIENCE
    found = None
    while not found:
        assert time.monotonic() < deadline, f"nothing within {PATIENCE} s of {url}"
        with contextlib.suppress(urllib.error.URLError, ConnectionError):
            found = read()
        time.sleep(0.05)
    return found


@contextlib.contextmanager
def running(command: list[str], log: Path, **options: Any) -> Iterator[int]:
    """A server, until the block ends; its process id."""
    with log.open("w") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, **options
        )
    try:
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


@contextlib.contextmanager
def service(
    upstream: str, tmp_path: Path, **settings: str
) -> Iterator[tuple[str, int]]:
    """The example's service under gunicorn, four workers; address and process id."""
    log = tmp_path / "gunicorn.txt"
    command = [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py"]
    environment = {
        **os.environ,
        "BIND": "127.0.0.1:0",
        "HTTPGUARD_CHECK_INTERVAL": "0.1",
        **settings,
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "TMPDIR": str(tmp_path),
        "UPSTREAM": upstream,
    }
    with running(
        [*command, "service:application"], log, cwd=FILES, env=environment
    ) as master:
        address = f"http://127.0.0.1:{port_of(log)}"
        until(lambda: ask(f"{address}/metrics"))
        yield address, master
    assert "stepped aside" not in log.read_text()


def scraping(target: str, interval: str = "200ms") -> str:
    """The example's configuration for one service."""
    config = (FILES / "prometheus.yml").read_text(encoding="utf-8")
    config = config.replace("service:8000", target.removeprefix("http://"))
    return re.sub(r"interval: \d+s", f"interval: {interval}", config)


@contextlib.contextmanager
def prometheus(config: str, tmp_path: Path) -> Iterator[str]:
    """A Prometheus with the example's rules at hand; its address."""
    shutil.copy(FILES / "alerts.yml", tmp_path)
    (tmp_path / "prometheus.yml").write_text(config, encoding="utf-8")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        "prometheus",
        f"--config.file={tmp_path / 'prometheus.yml'}",
        f"--storage.tsdb.path={tmp_path / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    address = f"http://127.0.0.1:{port}"
    with running(command, tmp_path / "prometheus.txt"):
        until(lambda: ask(f"{address}/-/ready"), url=address)
        yield address


def query(address: str, expression: str) -> list[dict[str, Any]]:
    """The samples of a query, which has to be a good one."""
    quoted = urllib.parse.quote(expression)
    try:
        answer = json.loads(ask(f"{address}/api/v1/query?query={quoted}"))
    except urllib.error.HTTPError as error:
        raise AssertionError(f"{expression}: {error.read().decode()}") from error
    found: list[dict[str, Any]] = answer["data"]["result"]
    return found


def total(address: str, expression: str) -> float:
    return sum(float(sample["value"][1]) for sample in query(address, expression))
