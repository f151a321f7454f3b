"""Threads that have the context of who starts them: CPython 3.14, if it is asked."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.program import run, write

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server import Server

pytestmark = pytest.mark.skipif(sys.version_info < (3, 14), reason="came with 3.14")

WATCHER = """
import contextvars, logging, sys, threading, time
import httpguard, requests

name = contextvars.ContextVar("name", default="nobody")
said = threading.Event()

class Handler(logging.Handler):
    def emit(self, record):
        print(threading.current_thread().name, name.get())
        said.set()

logging.getLogger("httpguard").addHandler(Handler())
name.set("a request")
httpguard.install(check_interval=0.1)
requests.get(sys.argv[1], stream=True)
print(said.wait(30))
"""

SCOPE = """
import sys, threading
import httpguard, requests

def leak():
    requests.get(sys.argv[1], stream=True)

httpguard.install(check_interval=60)
try:
    with httpguard.no_leaks():
        thread = threading.Thread(target=leak)
        thread.start()
        thread.join()
except httpguard.LeakError as error:
    (leak,) = error.leaks
    print(leak.kind, leak.count, leak.site.lineno)
else:
    print("nothing")
"""


def test_a_watcher_has_no_request_s(server: Server, tmp_path: Path) -> None:
    program = write(tmp_path / "program.py", WATCHER)
    url = server.url("/bytes/90000")
    done = run("-X", "thread_inherit_context=1", program, url)
    assert done.stdout.splitlines()[:2] == ["httpguard-watcher nobody", "True"]


@pytest.mark.parametrize(("inherits", "found"), [(0, "nothing"), (1, "dropped 1 6")])
def test_a_thread_belongs_to_the_scope_by_its_context(
    server: Server, tmp_path: Path, inherits: int, found: str
) -> None:
    program = write(tmp_path / "program.py", SCOPE)
    url = server.url("/bytes/90000")
    done = run("-X", f"thread_inherit_context={inherits}", program, url)
    assert done.stdout == f"{found}\n"
