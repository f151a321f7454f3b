"""Advice: lines that make and drop sessions whose connections nobody used again."""

from __future__ import annotations

import gc
import inspect
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest
import requests
import urllib3

from httpguard._model.event import SESSION_CHURN
from tests.program import line_of, write
from tests.running import guarded

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from httpguard._model.event import Event
    from tests.conftest import GuardControl
    from tests.server import Server

LIBRARY = """
import requests

class Service:
    def __init__(self):
        self.session = requests.Session()  # MADE
        self.session.me = self

    def ask(self, url):
        return self.session.get(url).status_code
"""


def of_requests(url: str) -> None:
    session = requests.Session()
    session.get(url)


def of_urllib3(url: str) -> None:
    manager = urllib3.PoolManager()
    manager.request("GET", url)


def line(function: Callable[..., object], mark: str) -> int:
    lines, first = inspect.getsourcelines(function)
    return first + next(at for at, text in enumerate(lines) if mark in text)


@pytest.mark.parametrize(
    ("client", "ask", "mark"),
    [
        ("requests", of_requests, "Session()"),
        ("urllib3", of_urllib3, "PoolManager()"),
    ],
)
def test_one_session_a_request(
    *,
    client: str,
    ask: Callable[[str], None],
    mark: str,
    guard: GuardControl,
    server: Server,
    events: list[Event],
) -> None:
    guard.install(strict=True)
    for _ in range(9):
        ask(server.url("/bytes/10"))
    gc.collect()
    assert guard.check().leaks == ()
    assert events == []  # Fewer are no matter.
    for _ in range(3):
        ask(server.url("/bytes/10"))
    gc.collect()
    assert guard.check().leaks == ()
    (event,) = events
    assert (event.name, event.level) == (SESSION_CHURN, "info")
    details = event.details
    assert details["client"] == client
    assert (details["sessions"], details["connects"], details["saved"]) == (12, 12, 11)
    assert details["hosts"] == [server.url("")]
    assert details["site"] == details["maker"]
    assert details["site"]["filename"] == __file__
    assert details["site"]["lineno"] == line(ask, mark)
    assert details["hint"] == (
        "one session for all 12 would have saved 11 connects:"
        " make it once, and use it for all requests"
    )


def shared(server: Server) -> None:
    session = requests.Session()
    for _ in range(12):
        session.get(server.url("/bytes/10"))


def used_again(server: Server) -> None:
    for _ in range(12):
        with requests.Session() as session:
            session.get(server.url("/bytes/10"))
            session.get(server.url("/bytes/10"))


def never_used(_server: Server) -> None:
    for _ in range(12):
        requests.Session()


def for_one_request(server: Server) -> None:
    for _ in range(12):
        requests.get(server.url("/bytes/10"))


@pytest.mark.parametrize("work", [shared, used_again, never_used, for_one_request])
def test_no_session_was_made_for_nothing(
    work: Callable[[Server], None],
    guard: GuardControl,
    server: Server,
    events: list[Event],
) -> None:
    guard.install(strict=True)
    work(server)
    gc.collect()
    assert guard.check().leaks == ()
    assert events == []


def test_a_library_makes_them(
    tmp_path: Path, guard: GuardControl, server: Server, events: list[Event]
) -> None:
    file = tmp_path / "site-packages" / "churnlib.py"
    write(file, LIBRARY)
    library: Any = ModuleType("churnlib")
    exec(compile(file.read_text(), str(file), "exec"), vars(library))
    guard.install()
    for _ in range(12):
        library.Service().ask(server.url("/bytes/10"))  # Here.
    gc.collect()
    assert guard.check().leaks == ()
    (event,) = events
    site, maker = event.details["site"], event.details["maker"]
    here = line(test_a_library_makes_them, "# Here.")
    assert (site["filename"], site["lineno"]) == (__file__, here)
    made = line_of(LIBRARY, "# MADE")
    assert (maker["filename"], maker["lineno"]) == (str(file), made)
    assert event.details["hint"].endswith(f"made at {file}:{made} in __init__")


def test_a_run_ends_with_advice(server: Server, tmp_path: Path) -> None:
    source = """
    import sys
    import requests
    def ask(url):
        session = requests.Session()  # CHURN
        session.get(url)
    for _ in range(12):
        ask(sys.argv[1])
    """
    write(tmp_path / "app.py", source)
    url = server.url("/bytes/10")
    done = guarded("--fail", "app.py", url, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "")
    told, verdict = done.stderr.splitlines()
    place = f"{tmp_path}/app.py:{line_of(source, '# CHURN')} in ask"
    assert told.startswith(f"httpguard: session churn (HG202): {place}: one session")
    assert verdict == "httpguard: 12 responses, none leaked"
    done = guarded("--fail", "--quiet", "app.py", url, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
