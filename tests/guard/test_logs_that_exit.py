"""A handler of the program's logs that exits: the watcher goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.program import run, write

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server import Server

PROGRAM = """
import logging, sys, threading
import requests
import httpguard

said = threading.Semaphore(0)

class Exits(logging.Handler):
    def emit(self, record):
        said.release()
        raise SystemExit(3)

logging.getLogger("httpguard").addHandler(Exits())
httpguard.install(check_interval=0.02)

def first(url):
    requests.get(url, stream=True)  # LEAK

def second(url):
    requests.get(url, stream=True)  # LEAK

for leak in (first, second):
    leak(sys.argv[1])
    print(leak.__name__, said.acquire(timeout=10))
leaks = httpguard.snapshot().leaks
print(sorted((str(one.kind), one.site.lineno, one.count) for one in leaks))
"""


def test_each_leak_is_said(server: Server, tmp_path: Path) -> None:
    program = write(tmp_path / "program.py", PROGRAM)
    done = run(program, server.url("/bytes/90000"))
    lines = [
        number
        for number, line in enumerate(program.read_text().splitlines(), 1)
        if line.endswith("# LEAK")
    ]
    expected = [("dropped", number, 1) for number in lines]
    assert done.stdout.splitlines() == ["first True", "second True", str(expected)]
