"""Celery's prefork workers: each reports its own leak, once, and sums up."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.program import ROOT, line_of, write
from tests.running import events

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server import Server

pytest.importorskip("celery")

TASKS = """
import os, uuid
from pathlib import Path
import celery, celery.signals
import httpguard; httpguard.install(check_interval=0.05)
import requests

HERE = Path(__file__).parent
for name in ("queue", "done", "left"):
    (HERE / name).mkdir(exist_ok=True)
folder = str(HERE / "queue")
app = celery.Celery("leaky", broker="filesystem://")
app.conf.update(broker_transport_options={
                    "data_folder_in": folder, "data_folder_out": folder,
                    "control_folder": folder},
                worker_prefetch_multiplier=1,
                broker_connection_retry_on_startup=False)

@app.task
def leak():
    requests.get(os.environ["UPSTREAM"], stream=True)  # LEAK
    part = HERE / uuid.uuid4().hex
    part.write_text(str(os.getpid()))
    part.rename(HERE / "done" / part.name)

@celery.signals.worker_process_shutdown.connect
def last_look(**_):
    counts = [leak.count for leak in httpguard.check().leaks]
    (HERE / "left" / str(os.getpid())).write_text(repr(counts))
"""
COUNT = 6


def wait_for(folder: Path, count: int, log: Path) -> list[str]:
    """The texts of the files there, once there are so many."""
    deadline = time.monotonic() + 90
    while len(list(folder.glob("*"))) < count:
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)
    return [path.read_text() for path in folder.iterdir()]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="prefork needs fork")
def test_celery(server: Server, tmp_path: Path) -> None:
    write(tmp_path / "leaky.py", TASKS)
    log = tmp_path / "log.txt"
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(tmp_path)]),
        "UPSTREAM": server.url("/bytes/90000"),
        "HTTPGUARD_LOG": str(tmp_path / "leaks.jsonl"),
    }
    send = f"import leaky\nfor _ in range({COUNT}): leaky.leak.delay()"
    subprocess.run([sys.executable, "-c", send], env=environment, check=True)
    command = ["-m", "celery", "-A", "leaky", "worker", "-P", "prefork", "-c", "2"]
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, *command, "--without-gossip", "--without-mingle"],
            cwd=tmp_path,
            env=environment,
            stdout=output,
            stderr=output,
        )
    try:
        workers = wait_for(tmp_path / "done", COUNT, log)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(150)
    text = log.read_text()
    line = line_of(TASKS, "# LEAK")
    reported = re.findall(
        rf"/(ForkPoolWorker-\d+)\].* leak dropped leaky\.py:{line} in leak", text
    )
    assert len(reported) == len(set(reported)) == len(set(workers)), text
    left = {path.name: path.read_text() for path in (tmp_path / "left").iterdir()}
    # A worker that had nothing to do has found nothing.
    assert {pid: counts for pid, counts in left.items() if counts != "[]"} == {
        pid: f"[{workers.count(pid)}]" for pid in set(workers)
    }
    # They leave by `os._exit`, and their last counts are in the log all the same.
    summed = {
        str(event["pid"]): [leak["count"] for leak in event["leaks"]]
        for event in events(tmp_path / "leaks.jsonl")
        if event["event"] == "httpguard.summary"
    }
    assert summed == {pid: [workers.count(pid)] for pid in set(workers)}
    assert "stepped aside" not in text
