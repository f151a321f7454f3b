"""The guard costs little where it has nothing to say, or where all goes wrong."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
import requests
import urllib3
from urllib3.exceptions import EmptyPoolError
from urllib3.response import HTTPResponse

import httpguard
from httpguard._clients.gate import GATE
from httpguard._guard.calls import Calls
from httpguard._guard.guard import Guard
from tests.program import watchers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import GuardControl
    from tests.server import Server


@pytest.fixture
def entered(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The guarded calls that have entered the guard."""
    found: list[object] = []
    before = Calls.before_request

    def before_request(self: Guard) -> None:
        found.append(self)
        before(self)

    monkeypatch.setattr(Guard, "before_request", before_request)
    return found


def leak(server: Server) -> None:
    requests.get(server.url("/bytes/90000"), stream=True)


def test_requests_pass_by_below_max_leaks(
    server: Server, entered: list[object]
) -> None:
    httpguard.install(check_interval=60, strict=True, max_leaks=10)
    try:
        leak(server)
        httpguard.check()
        for _ in range(3):
            requests.get(server.url("/bytes/5"))
        assert entered == []
    finally:
        httpguard.uninstall()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_requests_pass_by_in_a_child(server: Server, entered: list[object]) -> None:
    httpguard.install(check_interval=60, strict=True)
    try:
        leak(server)
        threading.Thread(target=httpguard.snapshot).start()
        httpguard.snapshot()
        assert GATE.registry.alert
        child = os.fork()
        if not child:
            try:
                requests.get(server.url("/bytes/5"))
            finally:
                os._exit(len(entered) + 10 * GATE.registry.alert)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        with pytest.raises(httpguard.LeakError):
            httpguard.check()
    finally:
        httpguard.uninstall()


def test_a_storm_of_timeouts_is_explained_once_a_second(
    guard: GuardControl, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []
    short: Any = 0.001
    calls: Any = sys.modules[Calls.__module__]
    describe: Callable[..., Any] = calls.describe_shortage

    def looked(*args: Any) -> Any:
        looks.append(args)
        return describe(*args)

    monkeypatch.setattr(calls, "describe_shortage", looked)
    guard.install()
    pool = urllib3.HTTPConnectionPool(server.host, server.port, maxsize=1, block=True)
    held = pool.urlopen("GET", "/bytes/90000", preload_content=False)

    def storm() -> None:
        for _ in range(20):
            with pytest.raises(EmptyPoolError) as caught:
                pool.urlopen("GET", "/", pool_timeout=short)
            notes = getattr(caught.value, "__notes__", ["httpguard"])
            assert "httpguard" in notes[0]

    storm()
    many = len(looks)
    assert many <= 1
    guard.advance(1.1)
    storm()
    assert len(looks) == 2 * many
    held.close()


def test_the_watcher_goes_on_in_another_rhythm(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    httpguard.install(check_interval=60)
    try:
        held = requests.get(server.url("/bytes/90000"), stream=True)
        assert len(watchers()) == 1
        httpguard.install(check_interval=0.02)
        leak(server)
        deadline = time.monotonic() + 30
        while not caplog.records and time.monotonic() < deadline:
            time.sleep(0.001)
        assert "leak dropped" in caplog.text
        assert len(watchers()) == 1
        held.close()
    finally:
        httpguard.uninstall()


def test_a_log_of_an_install_while_another_thread_uninstalls(
    server: Server, tmp_path: Path
) -> None:
    installed, reporting = threading.Event(), threading.Event()

    class Slow(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            del record
            reporting.set()
            installed.wait(30)

    log, slow = tmp_path / "log.jsonl", Slow()
    logger = logging.getLogger("httpguard")
    logger.addHandler(slow)
    try:
        httpguard.install(check_interval=0)
        leak(server)
        thread = threading.Thread(target=httpguard.uninstall)
        thread.start()
        assert reporting.wait(30)
        httpguard.install(check_interval=0, log=str(log))
        installed.set()
        thread.join()
        leak(server)
        assert httpguard.check().counters["leaks"] == 1
        assert '"httpguard.leak"' in log.read_text(encoding="utf-8")
    finally:
        installed.set()
        logger.removeHandler(slow)
        httpguard.uninstall()


def test_a_response_that_is_only_half_one_is_stepped_over(guard: GuardControl) -> None:
    class Half(HTTPResponse):
        def __init__(self, connection: object) -> None:
            self._connection: Any = connection

        def __del__(self) -> None:
            pass

        def close(self) -> None:
            pass

    class Connection:
        sock = object()

    class Pool(urllib3.HTTPConnectionPool):
        def urlopen(self, *_: Any, **__: Any) -> Any:
            return Half(Connection())

    guard.install()
    pool = Pool("localhost")
    kept = [pool.urlopen("GET", "/") for _ in range(5)]
    counters = guard.check().counters
    assert (counters["errors"], counters["opened"]) == (0, 0)
    assert kept
