"""The watcher as a greenlet: in time, in nobody's way, and in forked children."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.program import run, write

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server import Server

pytest.importorskip("gevent")

PATCHED = """
import sys
from gevent import monkey; monkey.patch_all({options})
import gevent, gevent.event, gevent.os
"""
PROLOGUE = """
import os, sys, threading
import httpguard; httpguard.install(check_interval=0.02)
import requests
def leak():
    requests.get(sys.argv[1], stream=True)
def found():
    return [leak.count for leak in httpguard.snapshot().leaks]
said = []
import logging
class Said(logging.Handler):
    def emit(self, record):
        said.append(record.threadName)
logging.getLogger("httpguard").addHandler(Said())
def wait_for(count):
    for _ in range(500):
        if len(said) >= count:
            break
        gevent.sleep(0.02)
    return len(said)
"""
ENDLESS = """
def endless():
    try:
        gevent.event.Event().wait()
    except gevent.exceptions.LoopExit:
        print("LoopExit")
kept = requests.get(sys.argv[1], stream=True)
leak()
print(wait_for(1), {*said})
endless()
timer = gevent.get_hub().loop.timer(0.01, 0.01, ref=False)
timer.start(lambda: None)
endless()
timer.close()
httpguard.uninstall()
while len(threading.enumerate()) > 1:
    gevent.sleep(0.01)
"""
FORKS = """
leak()
wait_for(1)
for fork in (os.fork, gevent.os.fork):
    pid = fork()
    if not pid:
        before = found()
        said.clear()
        leak()
        # Longer than the watcher of the parent sleeps, which is here too.
        print("child", before, wait_for(1), found(), flush=True)
        gevent.sleep(0.1)
        httpguard.uninstall()
        # CPython 3.15 has the main thread twice after gevent's fork.
        while {thread.name for thread in threading.enumerate()} != {"MainThread"}:
            gevent.sleep(0.01)
        os._exit(0)
    while True:
        done, status = gevent.os.waitpid(pid, os.WNOHANG)
        if done:
            break
        gevent.sleep(0.01)
    assert status == 0
print("parent", found())
"""


@pytest.mark.parametrize("options", ["", "Event=False"])
def test_who_waits_for_ever_is_told(
    server: Server, tmp_path: Path, options: str
) -> None:
    source = PATCHED.format(options=options) + PROLOGUE + ENDLESS
    done = run(write(tmp_path / "app.py", source), server.url("/bytes/90000"))
    assert done.returncode == 0, done.stderr
    assert done.stdout == "1 {'httpguard-watcher'}\nLoopExit\nLoopExit\n", done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_forked_children_have_one_of_their_own(server: Server, tmp_path: Path) -> None:
    source = PATCHED.format(options="") + PROLOGUE + FORKS
    done = run(write(tmp_path / "app.py", source), server.url("/bytes/90000"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [*["child [] 1 [1]"] * 2, "parent [1]"]
    for trouble in ("Traceback", "KeyError", "stepped aside"):
        assert trouble not in done.stderr, done.stderr


def test_threads_that_were_there_before_gevent(server: Server, tmp_path: Path) -> None:
    source = """
    kept = requests.get(sys.argv[1], stream=True)
    from gevent import monkey; monkey.patch_all()
    import gevent
    kept.close()
    leak()
    print(wait_for(1))
    """
    program = write(tmp_path / "app.py", source)
    program.write_text(PROLOGUE + program.read_text())
    done = run(program, server.url("/bytes/90000"))
    assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr
