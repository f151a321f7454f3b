"""What the model found, each as a program of its own.

The model (`tests/test_model.py`) runs random programs; where it and the guard
disagreed and the guard was wrong, the program was cut down to the lines here.
"""

from __future__ import annotations

import contextlib
import contextvars
import io
import threading
from typing import TYPE_CHECKING

import pytest
import requests
import urllib3

import httpguard
from httpguard import LeakError
from httpguard._clients.urllib3.client import Urllib3
from httpguard._guard import watcher as _watcher
from httpguard._leases.client import Ending
from httpguard._model.threads import OwnThread

if TYPE_CHECKING:
    from collections.abc import Iterator

    from httpguard import Snapshot
    from tests.conftest import GuardControl
    from tests.server import Server

pytestmark = pytest.mark.usefixtures("small_heap")


@pytest.fixture
def plain(server: Server) -> Iterator[urllib3.HTTPConnectionPool]:
    with urllib3.HTTPConnectionPool(server.host, server.port, maxsize=2) as pool:
        yield pool


@pytest.fixture
def blocking(server: Server) -> Iterator[urllib3.HTTPConnectionPool]:
    with urllib3.HTTPConnectionPool(
        server.host, server.port, maxsize=2, block=True
    ) as pool:
        yield pool


def opened(pool: urllib3.HTTPConnectionPool) -> urllib3.BaseHTTPResponse:
    return pool.request("GET", "/bytes/90000", preload_content=False)


def held(
    guard: GuardControl, pool: urllib3.HTTPConnectionPool
) -> urllib3.BaseHTTPResponse:
    guard.install()
    response = opened(pool)
    guard.advance(100)
    guard.check()
    return response


def found(state: Snapshot) -> list[tuple[str, int, int]]:
    return [(str(leak.kind), leak.count, leak.resolved) for leak in state.leaks]


def test_chunks_taken_from_a_stream_are_progress(
    guard: GuardControl, plain: urllib3.HTTPConnectionPool
) -> None:
    guard.install()
    response = plain.request("GET", "/chunked/1000", preload_content=False)
    chunks = response.stream(100)
    for _ in range(4):
        assert next(chunks)
        guard.advance(50)
        assert found(guard.check()) == []
    response.release_conn()


def test_held_then_closed_then_collected_is_resolved(
    guard: GuardControl, plain: urllib3.HTTPConnectionPool
) -> None:
    response = held(guard, plain)
    response.close()
    del response
    state = guard.check()
    assert found(state) == [("held", 1, 1)]
    assert state.counters["closed"] == 1


def test_what_an_inner_scope_did_not_raise_the_outer_one_does(
    guard: GuardControl, plain: urllib3.HTTPConnectionPool
) -> None:
    guard.install()
    with pytest.raises(LeakError), httpguard.no_leaks():  # noqa: SIM117
        with contextlib.suppress(KeyError), httpguard.no_leaks():
            opened(plain)
            raise KeyError


def test_the_slot_of_a_held_response_is_lost_when_it_is_dropped(
    guard: GuardControl, blocking: urllib3.HTTPConnectionPool
) -> None:
    response = held(guard, blocking)
    del response
    (use,) = guard.check().pools
    assert (use.open, use.lost) == (0, 1)


def test_a_slot_given_back_late_is_not_lost(
    guard: GuardControl, blocking: urllib3.HTTPConnectionPool
) -> None:
    guard.install()
    response = opened(blocking)
    response.close()
    guard.advance(100)
    (use,) = guard.check().pools
    assert use.lost == 1
    response.release_conn()
    (use,) = guard.check().pools
    assert use.lost == 0


def test_a_resolved_leak_that_is_dropped_at_once_counts_once(
    guard: GuardControl, server: Server
) -> None:
    guard.install()
    response = requests.get(server.url("/bytes/90000"), stream=True)
    guard.advance(100)
    guard.check()
    response.close()
    del response
    state = guard.check()
    assert found(state) == [("held", 1, 1)]
    assert (state.counters["released"], state.counters["closed"]) == (0, 1)


def test_released_and_dropped_during_a_sweep_is_no_leak(
    guard: GuardControl,
    plain: urllib3.HTTPConnectionPool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    guard.install()
    first, second = (opened(plain) for _ in range(2))
    rest = [second]
    del second

    def another_thread_meanwhile(_client: object, _response: object) -> Ending:
        if rest:
            rest.pop().release_conn()
        return Ending.OPEN

    monkeypatch.setattr(Urllib3, "state", another_thread_meanwhile)
    guard.check()
    state = guard.check()
    assert found(state) == []
    assert state.counters["released"] == 1
    first.release_conn()


def test_the_slot_of_a_held_response_is_lost_when_it_is_closed_only(
    guard: GuardControl, blocking: urllib3.HTTPConnectionPool
) -> None:
    response = held(guard, blocking)
    response.close()
    guard.advance(100)
    (use,) = guard.check().pools
    assert (use.open, use.lost) == (0, 1)
    response.release_conn()
    (use,) = guard.check().pools
    assert (use.open, use.lost) == (0, 0)


def test_progress_is_seen_at_the_end_of_a_scope(
    guard: GuardControl, plain: urllib3.HTTPConnectionPool
) -> None:
    guard.install()
    with pytest.raises(LeakError) as raised, httpguard.no_leaks():
        response = opened(plain)
        guard.advance(50)
        response.read(10)
    (leak,) = raised.value.leaks
    assert (leak.age, leak.idle, leak.bytes_read) == (50, 0, 10)
    guard.advance(20)
    (still_open,) = httpguard.snapshot().open
    assert (still_open.age, still_open.idle) == (70, 20)
    response.release_conn()


def test_what_is_opened_in_a_scope_that_is_over_the_one_around_raises(
    guard: GuardControl, plain: urllib3.HTTPConnectionPool
) -> None:
    guard.install()
    kept = []

    def task() -> None:
        kept.append(plain.request("GET", "/bytes/90000", preload_content=False))

    with pytest.raises(LeakError) as raised, httpguard.no_leaks():
        with httpguard.no_leaks():
            context = contextvars.copy_context()
        context.run(task)
    (leak,) = raised.value.leaks
    assert (str(leak.kind), leak.count, leak.site.function) == ("open", 1, "task")
    kept.pop().release_conn()


def test_what_is_dropped_in_a_scope_that_is_over_the_one_around_raises(
    guard: GuardControl, plain: urllib3.HTTPConnectionPool
) -> None:
    guard.install()

    def task() -> None:
        plain.request("GET", "/bytes/90000", preload_content=False)

    with pytest.raises(LeakError) as raised, httpguard.no_leaks():
        with httpguard.no_leaks():
            context = contextvars.copy_context()
        context.run(task)
        httpguard.check()
    (leak,) = raised.value.leaks
    assert (str(leak.kind), leak.count, leak.site.function) == ("dropped", 1, "task")


def test_a_scope_that_is_over_and_has_none_around_raises_nowhere(
    guard: GuardControl, plain: urllib3.HTTPConnectionPool
) -> None:
    guard.install()
    with httpguard.no_leaks():
        context = contextvars.copy_context()
    context.run(opened, plain)
    with httpguard.no_leaks():
        pass
    assert found(httpguard.check()) == [("dropped", 1, 0)]


def test_progress_is_seen_when_a_wrapper_is_dropped(
    guard: GuardControl, plain: urllib3.HTTPConnectionPool
) -> None:
    guard.install()
    response = opened(plain)
    wrapper: io.BufferedIOBase = io.BufferedReader(response, 64)
    guard.advance(5)
    response.read(10)
    del wrapper  # It closes the response, which the program has not.
    (still_open,) = guard.check().open
    assert (still_open.bytes_read, still_open.idle) == (10, 0)
    response.release_conn()


@pytest.mark.parametrize("looks", [Ending.CUT, Ending.CLOSED])
def test_closed_by_a_finalizer_during_a_sweep_is_not_closed_by_the_program(
    guard: GuardControl,
    plain: urllib3.HTTPConnectionPool,
    monkeypatch: pytest.MonkeyPatch,
    looks: Ending,
) -> None:
    guard.install()
    wrappers: list[io.BufferedIOBase] = [io.BufferedReader(opened(plain))]
    # Whether it is closed is asked of suspects only, when they were looked at once.
    before = [Ending.OPEN] if looks is Ending.CLOSED else []

    def another_thread_meanwhile(_client: object, _response: object) -> Ending:
        if before:
            return before.pop()
        if not wrappers:
            return Ending.OPEN
        wrappers.clear()  # Its finalizer closes the response.
        return looks

    monkeypatch.setattr(Urllib3, "state", another_thread_meanwhile)
    guard.advance(100)
    guard.check()
    assert found(guard.check()) == [("dropped", 1, 0)]


def test_the_watcher_is_stopped_before_it_has_begun() -> None:
    watcher = _watcher.Watcher(lambda: None, 60)
    watcher._thread = OwnThread(target=lambda: None)
    watcher._stop = threading.Event()
    watcher.stop(60)
    assert watcher.idle
