"""Whoever holds which lock, and whatever the collector runs there: nobody hangs."""

from __future__ import annotations

import contextlib
import gc
import re
import threading
import weakref
from typing import TYPE_CHECKING, Any

import pytest
import requests
import urllib3

import httpguard
from httpguard import LeakError
from httpguard._guard import guard as _guard
from httpguard._process import process as _process
from tests.program import run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from httpguard._guard.guard import Guard
    from tests.conftest import GuardControl
    from tests.server import Server


@pytest.fixture
def url(server: Server) -> str:
    return server.url("/bytes/90000")


@contextlib.contextmanager
def sweep_under_way() -> Iterator[Guard]:
    """Another thread is in a sweep, and waits there for something of ours."""
    guard = _process.current()
    assert guard is not None
    begun, let_go = threading.Event(), threading.Event()

    def sweep() -> None:
        with guard.registry.judging:
            begun.set()
            let_go.wait()

    thread = threading.Thread(target=sweep)
    thread.start()
    begun.wait()
    try:
        yield guard
    finally:
        let_go.set()
        thread.join()


def test_a_snapshot_does_not_wait_for_ever(guard: GuardControl, url: str) -> None:
    guard.install()
    kept = requests.get(url, stream=True)
    with sweep_under_way():
        state = httpguard.snapshot()
    assert (len(state.open), state.counters["errors"]) == (1, 0)
    kept.close()


def test_a_check_says_that_it_could_not(
    guard: GuardControl,
    url: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    guard.install()
    monkeypatch.setattr(_guard, "_PATIENCE", 0.05)
    requests.get(url, stream=True)
    with sweep_under_way():
        state = guard.check()
    assert state.counters["errors"] == 1
    assert "another thread has been in a sweep for 0.05 s" in caplog.text
    assert [leak.count for leak in guard.check().leaks] == [1]


def test_the_end_of_a_scope_does_not_wait_for_ever(
    guard: GuardControl, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    guard.install()
    monkeypatch.setattr(_guard, "_PATIENCE", 0.05)
    with sweep_under_way(), httpguard.no_leaks():
        requests.get(url, stream=True)
    state = guard.check()
    assert state.counters["errors"] == 1
    assert [leak.count for leak in state.leaks] == [1]


def test_a_request_raises_what_is_due_while_another_thread_sweeps(
    guard: GuardControl, url: str
) -> None:
    guard.install(strict=True)
    requests.get(url, stream=True)
    current = _process.current()
    assert current is not None
    current.watch()
    with sweep_under_way():
        with pytest.raises(LeakError):
            requests.get(url)
        requests.get(url)


def test_a_request_that_is_too_many_raises_while_another_thread_sweeps(
    guard: GuardControl, url: str
) -> None:
    guard.install(strict=True, max_open=1)
    kept = requests.get(url, stream=True)
    with sweep_under_way(), pytest.raises(LeakError):
        requests.get(url, stream=True)
    kept.close()
    assert guard.check().counters["too_many_open"] == 1


class Passenger:
    """Garbage beside a response."""


def test_a_scope_ends_between_a_reference_cleared_and_its_callback(
    guard: GuardControl, server: Server
) -> None:
    # The collector clears all weak references first, then runs their callbacks,
    # and those of others may come first, in which anything can happen.
    guard.install()
    manager = httpguard.no_leaks()
    raised: list[LeakError] = []

    def end(_: object) -> None:
        try:
            manager.__exit__(None, None, None)
        except LeakError as error:
            raised.append(error)

    with urllib3.HTTPConnectionPool(server.host, server.port) as pool:
        manager.__enter__()
        knot: list[Any] = [Passenger()]
        watched = weakref.ref(knot[0], end)
        gc.collect()  # The elder ones come first.
        knot += [pool.request("GET", "/bytes/90000", preload_content=False), knot]
        del knot
        gc.collect()
        assert watched() is None
        (leak,) = raised[0].leaks
        assert (str(leak.kind), leak.count) == ("dropped", 1)
        assert guard.check().counters["leaks"] == 1


def test_a_collection_at_every_allocation_stops_nobody() -> None:
    done = run(
        "-m", "tests.stress_gc", "--minutes", "0.06", "--patience", "60", timeout=110
    )
    assert done.returncode == 0, done.stdout + done.stderr
    dropped = re.search(r"([\d,]+) of them dropped in cycles", done.stdout)
    assert dropped is not None
    assert int(dropped[1].replace(",", "")) > 0
