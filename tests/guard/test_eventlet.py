"""Programs of eventlet, whose sockets have none of the methods of Python's."""

from __future__ import annotations

import json
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from tests.program import run, write

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server import Server

pytestmark = pytest.mark.skipif(
    find_spec("eventlet") is None, reason="eventlet is not installed"
)

PROGRAM = """
import warnings; warnings.simplefilter("ignore")
import eventlet; eventlet.monkey_patch()
import json, sys, urllib.request
import httpguard; httpguard.install(check_interval=0, max_idle=0.2)
import requests
url = sys.argv[1]
taken = []
def wait(response):
    taken.append(response.read())  # Ten bytes come, no more.
def answers():
    with requests.get(url + "/slow/eventlet-1", stream=True) as response:
        taken.extend(response.iter_lines(chunk_size=1))
eventlet.spawn(wait, urllib.request.urlopen(url + "/slow/eventlet-2"))
eventlet.spawn(answers)
{more}
eventlet.sleep(0.1)
httpguard.check()
eventlet.sleep(0.3)
snapshot = httpguard.check()
leaks = [(leak.kind, leak.site.lineno, leak.count) for leak in snapshot.leaks]
print(json.dumps([leaks, snapshot.counters["errors"]]))
"""
KEPT = """
kept = [urllib.request.urlopen(url + "/bytes/90000") for _ in range(2)]  # 16
requests.get(url + "/lines", stream=True)  # 17
"""
READ = """
kept = [urllib.request.urlopen(url + "/bytes/90000").read() for _ in range(2)]
requests.get(url + "/lines", stream=True).close()
"""


def _found(tmp_path: Path, server: Server, more: str) -> list[object]:
    program = write(tmp_path / "program.py", PROGRAM.format(more=more.strip()))
    # Its resolver imports all that dnspython can use, which trio is not made for.
    done = run(program, server.url(""), env={"EVENTLET_NO_GREENDNS": "yes"})
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


def test_what_greenlets_of_eventlet_keep_and_drop(
    tmp_path: Path, server: Server
) -> None:
    found = _found(tmp_path, server, KEPT)
    assert found == [[["held", 16, 2], ["dropped", 17, 1]], 0]


def test_what_greenlets_of_eventlet_read(tmp_path: Path, server: Server) -> None:
    assert _found(tmp_path, server, READ) == [[], 0]
