"""The end of the interpreter, its modes, and its subinterpreters."""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING

import pytest

from tests.program import run, write

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server import Server

# Nobody waits for them, so that the program ends in the middle of their requests.
DAEMONS = """
import os, sys, threading, time
import httpguard; httpguard.install(check_interval=0.001)
import requests, urllib3
urllib3.disable_warnings()
begun = threading.Barrier(5)
def work(number):
    session = requests.Session()
    first = True
    while True:
        response = session.get(sys.argv[1], stream=True)
        if number % 2:
            response.content
        response = None
        if first:
            begun.wait()
        first = False
for number in range(4):
    threading.Thread(target=work, args=(number,), daemon=True).start()
begun.wait()
kept = [requests.get(sys.argv[1], stream=True) for _ in range(3)]
{before}
print("the end", flush=True)
"""
# Where daemon threads meet the end of the interpreter, CPython itself may say so.
OURS = re.compile(r"Traceback|Exception ignored|stepped aside|Fatal Python error")


def test_daemon_threads_in_the_middle_of_requests(
    server: Server, tmp_path: Path
) -> None:
    program = write(tmp_path / "app.py", DAEMONS.format(before=""))
    for _ in range(3):
        done = run(program, server.url("/bytes/90000"))
        assert (done.returncode, done.stdout) == (0, "the end\n"), done.stderr
        assert not OURS.search(done.stderr), done.stderr
        assert done.stderr.count("summary: ") == 1


@pytest.mark.parametrize("how", ["os.close(2)", "sys.stderr.close()"])
def test_daemon_threads_and_no_stderr(server: Server, tmp_path: Path, how: str) -> None:
    program = write(tmp_path / "app.py", DAEMONS.format(before=how))
    for _ in range(2):
        done = run(program, server.url("/bytes/90000"))
        assert (done.returncode, done.stdout) == (0, "the end\n"), done.stderr
        assert not OURS.search(done.stderr), done.stderr


def test_the_end_waits_for_no_read(server: Server, tmp_path: Path) -> None:
    source = """
    import sys, threading, time
    import httpguard; httpguard.install(check_interval=0.001, max_idle=2)
    import requests
    kept = requests.get(sys.argv[1], stream=True)
    threading.Thread(target=kept.raw.read, daemon=True).start()
    time.sleep(2.5)
    print("the end", flush=True)
    """
    # The server keeps this one waiting for as long as the test runs.
    done = run(write(tmp_path / "app.py", source), server.url("/slow"))
    assert (done.returncode, done.stdout) == (0, "the end\n"), done.stderr
    assert done.stderr == ""


@pytest.mark.parametrize("allocator", ["debug", "malloc_debug", "malloc"])
def test_other_allocators(server: Server, tmp_path: Path, allocator: str) -> None:
    source = """
    import gc, sys
    import httpguard; httpguard.install(check_interval=0.001)
    import requests
    def leak(number):
        knot = [requests.get(sys.argv[1], stream=True)]
        if number % 2:
            knot.append(knot)
    for number in range(40):
        leak(number)
        requests.get(sys.argv[1])
    gc.collect()
    (found,) = httpguard.check().leaks
    print(found.kind, found.count, found.site.lineno)
    """
    done = run(
        write(tmp_path / "app.py", source),
        server.url("/bytes/90000"),
        env={"PYTHONMALLOC": allocator},
    )
    assert (done.returncode, done.stdout) == (0, "dropped 40 6\n"), done.stderr


SUBINTERPRETER = """
import sys
import httpguard; httpguard.install()
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
source = '''
import sys
sys.path[:] = {path!r}
import httpguard
for attempt in (httpguard.install, httpguard.no_leaks().__enter__):
    try:
        attempt()
    except httpguard.ConfigError as error:
        print(error, flush=True)
httpguard.install(enabled=False)
patched = any("wrapt" in name for name in sys.modules)
print({{*httpguard.check().counters.values()}}, patched, flush=True)
'''.format(path=sys.path)
interpreter = interpreters.create()
failure = interpreters.run_string(interpreter, source)
assert failure is None, failure
interpreters.destroy(interpreter)
print("main", httpguard.check().counters["errors"])
"""


def test_subinterpreters_are_refused(tmp_path: Path) -> None:
    pytest.importorskip(
        "_interpreters" if sys.version_info >= (3, 13) else "_xxsubinterpreters"
    )
    done = run(write(tmp_path / "app.py", SUBINTERPRETER))
    assert done.returncode == 0, done.stderr
    first, second, none, main = done.stdout.splitlines()
    assert first == second
    assert first.startswith(
        "httpguard supports the main interpreter only, and this is a subinterpreter."
    )
    assert (none, main) == ("{0} False", "main 0")


@pytest.mark.skipif(not os.path.isdir("/dev/fd"), reason="lists open files there")
def test_what_is_open_at_the_end_is_left_alone(server: Server, tmp_path: Path) -> None:
    source = """
    import atexit, os, sys
    # Registered before ours: runs after it.
    atexit.register(lambda: print(len(os.listdir("/dev/fd")) - before))
    import httpguard; httpguard.install(check_interval=0)
    import requests
    before = len(os.listdir("/dev/fd"))
    kept = [requests.get(sys.argv[1], stream=True) for _ in range(3)]
    """
    done = run(write(tmp_path / "app.py", source), server.url("/bytes/90000"))
    # They are the program's to keep: httpguard closed none of them.
    assert (done.stdout, done.stderr) == ("3\n", "")
