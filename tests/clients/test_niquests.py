"""niquests, and what it does to urllib3: left alone, which the log says.

It needs an environment of its own: installing it puts urllib3-future in the place of
urllib3, where the sdist of that one is not built with ``URLLIB3_NO_OVERRIDE=1``.
"""

from __future__ import annotations

import gc
import sys
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import pytest

import httpguard
from httpguard import HTTPGuardError
from tests.program import run

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import GuardControl
    from tests.server import Server

real = pytest.mark.skipif(
    find_spec("niquests") is None, reason="an environment of its own has niquests"
)
LINE = (
    "httpguard leaves niquests unguarded: it stands on urllib3-future, whose"
    " connections come back by other ways"
)
REPLACED = (
    "httpguard leaves urllib3 unguarded: urllib3-future is in the place of urllib3"
)


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the log says of clients that are left alone."""
    records = [one.getMessage() for one in caplog.records if one.name == "httpguard"]
    return [text for text in records if "unguarded" in text]


def use(module: Any, server: Server) -> None:
    """As programs should."""
    url = server.url("/bytes/90000")
    assert len(module.get(url).content) == 90_000
    assert len(module.get(url, stream=True).content) == 90_000
    with module.get(url, stream=True) as response:
        assert response.content
    with module.Session() as session:
        assert session.get(url).content
        assert session.get(server.url("/lines")).content


def test_one_line_says_that_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "niquests.py").touch()
    program = f"""
import sys, logging, httpguard
logging.basicConfig(format="%(message)s")
sys.path.insert(0, {str(tmp_path)!r})
httpguard.install(check_interval=0)
import niquests
httpguard.uninstall()
httpguard.install(check_interval=0)
with httpguard.no_leaks():
    pass
"""
    done = run("-c", program)
    assert done.stderr.splitlines() == [LINE]


@real
def test_niquests_itself(
    guard: GuardControl, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    guard.install(max_idle=30)
    niquests = import_module("niquests")

    use(niquests, server)
    kept = [niquests.get(server.url("/lines"), stream=True)]
    gc.collect()
    guard.check()
    guard.advance(40)
    snapshot = guard.check()
    assert (snapshot.leaks, snapshot.counters["errors"]) == ((), 0)
    assert snapshot.counters["opened"] == 0
    assert said(caplog).count(LINE) == 1
    kept[0].close()


@real
def test_requests_on_top_of_the_fork(guard: GuardControl, server: Server) -> None:
    requests = import_module("requests")
    urllib3 = import_module("urllib3")

    replaced = hasattr(urllib3, "ResponsePromise")
    guard.install(max_idle=30)
    use(requests, server)
    http = urllib3.PoolManager()
    for _ in range(3):
        response = http.request(
            "GET", server.url("/bytes/90000"), preload_content=False
        )
        assert len(response.read()) == 90_000
    gc.collect()
    guard.check()
    guard.advance(40)
    snapshot = guard.check()
    assert (snapshot.leaks, snapshot.counters["errors"]) == ((), 0)
    if replaced:
        assert snapshot.counters["opened"] == 0
        with pytest.raises(HTTPGuardError, match="cannot watch urllib3"):  # noqa: SIM117
            with httpguard.no_leaks():
                pass


@real
def test_one_line_for_each() -> None:
    program = """
import logging, httpguard
logging.basicConfig(format="%(message)s")
httpguard.install(check_interval=0)
import urllib3, requests, niquests
"""
    replaced = hasattr(import_module("urllib3"), "ResponsePromise")
    lines = run("-c", program).stderr.splitlines()
    assert lines == ([REPLACED, LINE] if replaced else [LINE])


@real
def test_others_stay_guarded(guard: GuardControl, server: Server) -> None:
    niquests = import_module("niquests")

    httpx = pytest.importorskip("httpx")
    guard.install(max_idle=30)
    niquests.get(server.url("/lines"))
    client = httpx.Client()
    kept: list[Any] = [
        client.send(client.build_request("GET", server.url("/lines")), stream=True)
    ]
    kept.append(urlopen(server.url("/lines")))
    guard.check()
    guard.advance(40)
    found = [(str(leak.kind), leak.client) for leak in guard.check().leaks]
    assert sorted(found) == [("held", "httpx"), ("held", "urllib.request")]
    assert "niquests" in sys.modules
    for response in kept:
        response.close()
