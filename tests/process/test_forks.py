"""A fork while another thread is inside one of our locks."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.program import bare, run, write

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server import Server

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

# The parent waits for the child as long as it takes: the test's own timeout ends
# a child that hangs.
PROLOGUE = """
import logging, os, sys, threading, time
import netrc  # As requests does in its first call: a fork meanwhile would wait for it.
logging.basicConfig(format="pid %(process)d %(message)s")
import httpguard; httpguard.install(check_interval=0.02)
from httpguard._process import process as _process
import requests
def drop():
    requests.get(sys.argv[1], stream=True)
def child():
    assert not httpguard.snapshot().leaks
    drop()
    state = httpguard.check()
    assert [leak.count for leak in state.leaks] == [1], state
    with httpguard.no_leaks():
        requests.get(sys.argv[1], stream=True).close()
    httpguard.install(check_interval=0.01)
    assert httpguard.snapshot().counters["errors"] == 0
    httpguard.uninstall()
    # The watcher may be about to say it.
    for thread in set(threading.enumerate()) - {threading.current_thread()}:
        thread.join()
    print("child", os.getpid(), flush=True)
    os._exit(0)
"""
HOLD = """
locks = {{
    "sweep": lambda: _process.current().registry.judging,
    "process": lambda: _process.PROCESS.lock,
}}
kept = requests.get(sys.argv[1], stream=True)  # Starts the watcher.
held, forked = threading.Event(), threading.Event()
def hold():
    with locks["{lock}"]():
        held.set()
        forked.wait()
threading.Thread(target=hold).start()
held.wait()
pid = os.fork()
if not pid:
    child()
forked.set()
assert os.waitpid(pid, 0)[1] == 0
kept.close()
assert not httpguard.check().leaks
"""
# The lock of its event belongs to C code, and is held for moments only.
WATCHER = """
kept = requests.get(sys.argv[1], stream=True)
lock = _process.current().watcher._stop._cond
held = threading.Event()
def hold():
    with lock:
        held.set()
        time.sleep(0.3)
threading.Thread(target=hold).start()
held.wait()
pid = os.fork()
if not pid:
    child()
assert os.waitpid(pid, 0)[1] == 0
kept.close()
assert not httpguard.check().leaks
"""
REPORT = """
logging.getLogger("httpguard").setLevel("CRITICAL")
begun, forked = threading.Event(), threading.Event()
class Slow(logging.Handler):
    def emit(self, record):
        begun.set()
        forked.wait()
slow = Slow()
logging.getLogger("httpguard").addHandler(slow)
logging.getLogger("httpguard").setLevel("WARNING")
drop()
begun.wait()  # The watcher is in the middle of a report, in a log handler's lock.
pid = os.fork()
if not pid:
    forked.set()
    child()
forked.set()
assert os.waitpid(pid, 0)[1] == 0
slow.close()
"""
IMPORT = """
import importlib.machinery
begun = threading.Event()
class Slow:
    def find_spec(self, name, path=None, target=None):
        if name == "sysconfig":
            begun.set()
            time.sleep(0.5)
        return None
assert "sysconfig" not in sys.modules
sys.meta_path.insert(0, Slow())
leaking = threading.Thread(target=drop)
leaking.start()
begun.wait()  # The watcher, or the request, is in the middle of the import.
pid = os.fork()
if not pid:
    child()
assert os.waitpid(pid, 0)[1] == 0
leaking.join()
"""
# The watcher writes, in a lock of a stream's that nobody makes anew in a child.
FILE = """
import io
parent, begun = os.getpid(), threading.Event()
class Slow(io.RawIOBase):
    def writable(self):
        return True
    def write(self, data):
        if os.getpid() == parent:
            begun.set()
            time.sleep(0.3)
        return len(data)
stream = io.TextIOWrapper(io.BufferedWriter(Slow()))
logging.getLogger("httpguard").addHandler(logging.StreamHandler(stream))
drop()
begun.wait()
pid = os.fork()
if not pid:
    child()
assert os.waitpid(pid, 0)[1] == 0
"""
# A request of another thread is what reports.
REQUEST = FILE.replace(
    "drop()\n",
    """
httpguard.install(check_interval=0)
def work():
    drop()
    requests.get(sys.argv[1])
threading.Thread(target=work).start()
""",
)
# The collector has the watcher run a finalizer: whoever is forked meanwhile has a
# collector that is at work for ever, and never collects.
COLLECTION = """
import gc, weakref
begun = threading.Event()
class Slow:
    def __del__(self):
        begun.set()
        time.sleep(0.3)
class Collects(logging.Handler):
    def emit(self, record):
        if not begun.is_set():
            slow = Slow()
            slow.knot = slow
            del slow
            gc.collect()
logging.getLogger("httpguard").addHandler(Collects())
drop()
begun.wait()
pid = os.fork()
if not pid:
    knot = threading.Event()
    knot.knot, gone = knot, weakref.ref(knot)
    del knot
    gc.collect()
    assert gone() is None
    child()
assert os.waitpid(pid, 0)[1] == 0
"""
# Each import asks wrapt whether it is one to tell of.
HOOKS = """
requests.get(sys.argv[1], stream=True).close()  # What it imports is there.
from httpguard._clients.wrapping import register_post_import_hook
held, forked = threading.Event(), threading.Event()
def hold():
    with register_post_import_hook.__globals__["_post_import_hooks_lock"]:
        held.set()
        forked.wait()
threading.Thread(target=hold).start()
held.wait()
assert "colorsys" not in sys.modules
pid = os.fork()
if not pid:
    import colorsys
    child()
forked.set()
assert os.waitpid(pid, 0)[1] == 0
"""
# The child of a thread that forks while another one installs.
INSTALL = """
import os, sys, threading, time
import httpguard
begun = threading.Event()
class Slow:
    def find_spec(self, name, path=None, target=None):
        if name == "httpguard._guard.guard":
            begun.set()
            time.sleep(0.5)
        return None
sys.meta_path.insert(0, Slow())
installing = threading.Thread(target=httpguard.install)
installing.start()
begun.wait()
pid = os.fork()
import requests
if not pid:
    httpguard.install(check_interval=0)
    requests.get(sys.argv[1], stream=True)
    os._exit(httpguard.check().counters["dropped"])
assert os.waitpid(pid, 0)[1] >> 8 == 1
installing.join()
"""
BUSY = """
stop = threading.Event()
def work():
    while not stop.is_set():
        httpguard.check()
        httpguard.install(check_interval=0.001)
        requests.get(sys.argv[1], stream=True).close()
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads: thread.start()
for _ in range(10):
    pid = os.fork()
    if not pid:
        child()
    assert os.waitpid(pid, 0)[1] == 0
stop.set()
for thread in threads: thread.join()
assert not httpguard.check().leaks
"""


def children(source: str, server: Server, tmp_path: Path) -> list[str]:
    program = write(tmp_path / "app.py", PROLOGUE + source)
    done = run(program, server.url("/bytes/200"), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    pids = [line.split()[1] for line in done.stdout.splitlines()]
    for pid in pids:
        assert done.stderr.count(f"pid {pid} leak dropped") == 1, done.stderr
    assert "Traceback" not in done.stderr
    return pids


@pytest.mark.parametrize("lock", ["sweep", "process"])
def test_a_fork_inside_a_lock(server: Server, tmp_path: Path, lock: str) -> None:
    assert len(children(HOLD.format(lock=lock), server, tmp_path)) == 1


def test_a_fork_inside_the_watchers_lock(server: Server, tmp_path: Path) -> None:
    assert len(children(WATCHER, server, tmp_path)) == 1


def test_a_fork_inside_a_report(server: Server, tmp_path: Path) -> None:
    assert len(children(REPORT, server, tmp_path)) == 1


def test_a_fork_inside_a_write_to_the_programs_log(
    server: Server, tmp_path: Path
) -> None:
    assert len(children(FILE, server, tmp_path)) == 1


def test_a_fork_inside_a_report_of_a_request(server: Server, tmp_path: Path) -> None:
    assert len(children(REQUEST, server, tmp_path)) == 1


def test_a_fork_inside_a_collection_of_the_watchers(
    server: Server, tmp_path: Path
) -> None:
    assert len(children(COLLECTION, server, tmp_path)) == 1


def test_a_fork_inside_the_import_hooks_lock(server: Server, tmp_path: Path) -> None:
    assert len(children(HOOKS, server, tmp_path)) == 1


@bare
def test_a_fork_inside_an_import(server: Server, tmp_path: Path) -> None:
    assert len(children(IMPORT, server, tmp_path)) == 1


def test_a_fork_while_a_thread_installs(server: Server, tmp_path: Path) -> None:
    program = write(tmp_path / "app.py", INSTALL)
    done = run(program, server.url("/bytes/200"), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


def test_forks_while_threads_do_everything(server: Server, tmp_path: Path) -> None:
    assert len(children(BUSY, server, tmp_path)) == 10
