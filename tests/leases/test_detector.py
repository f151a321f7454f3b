"""Judging: progress, readers, resolved, ignore, sampling, counters."""

from __future__ import annotations

import contextlib
import gc
import io
import json
import socket
import threading
import time
import weakref
from http.client import IncompleteRead
from typing import TYPE_CHECKING

import pytest
import requests
import urllib3
from urllib3.connection import HTTPConnection
from urllib3.exceptions import ProtocolError
from urllib3.response import HTTPResponse

from httpguard import LeakKind
from httpguard._clients import client_packages
from httpguard._leases.lease import lease_of
from httpguard._leases.readers import being_read
from httpguard._process import process as _process
from httpguard._stacks.ownership import Origins

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import GuardControl
    from tests.server import Server

ORIGINS = Origins(clients=client_packages())


@pytest.fixture
def url(server: Server) -> str:
    return server.url("/bytes/90000")


def stream(url: str) -> HTTPResponse:
    response = urllib3.PoolManager().request("GET", url, preload_content=False)
    assert isinstance(response, HTTPResponse)
    return response


def test_progress_keeps_a_response_innocent(guard: GuardControl, url: str) -> None:
    guard.install()
    response = stream(url)
    for _ in range(4):
        response.read(10)
        guard.advance(50)
        assert guard.check().leaks == ()
    guard.advance(50)
    assert guard.check().leaks == ()  # 50 s since the sweep that saw progress.
    guard.advance(20)
    (leak,) = guard.check().leaks
    assert (leak.kind, leak.bytes_read, leak.length) == (LeakKind.HELD, 40, 90000)
    assert leak.idle == 70
    response.release_conn()


def test_the_next_request_says_what_is_resolved(
    guard: GuardControl, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    guard.install(check_interval=60)
    response = stream(url)
    guard.advance(100)
    assert [leak.kind for leak in guard.check().leaks] == [LeakKind.HELD]
    response.drain_conn()
    caplog.clear()
    stream(url).drain_conn()
    (record,) = caplog.records
    assert record.getMessage().startswith("resolved held ")


def test_held_is_said_once_and_resolved(
    guard: GuardControl, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    guard.install()
    response = stream(url)
    for _ in range(3):
        guard.advance(100)
        guard.check()
    assert caplog.text.count("leak held") == 1
    response.read()
    state = guard.check()
    assert [(leak.count, leak.resolved) for leak in state.leaks] == [(1, 1)]
    assert state.counters["resolved"] == 1
    assert "resolved held" in caplog.text


def test_closing_resolves_too(guard: GuardControl, url: str) -> None:
    guard.install()
    response = requests.get(url, stream=True)
    guard.advance(100)
    guard.check()
    response.close()
    assert guard.check().leaks[0].resolved == 1


def test_held_then_dropped_is_one_leak(guard: GuardControl, url: str) -> None:
    guard.install()
    response = stream(url)
    guard.advance(100)
    guard.check()
    del response
    state = guard.check()
    assert [(leak.kind, leak.count) for leak in state.leaks] == [(LeakKind.HELD, 1)]
    assert state.counters["leaks"] == 1


def read_to_the_bitter_end(read: Callable[[], object]) -> None:
    with contextlib.suppress(ProtocolError, IncompleteRead):
        read()


def is_read(response: HTTPResponse) -> bool:
    lease = lease_of(response)
    assert lease is not None
    return bool(being_read([(lease, response)], ORIGINS))


def hang_up(response: HTTPResponse) -> None:
    """Wake a reader: the connection's socket, or the one the response took over."""
    connection = response._connection
    assert connection is not None
    connection.sock.shutdown(socket.SHUT_RDWR)


def test_a_reader_blocked_in_a_read_is_innocent(
    guard: GuardControl, server: Server
) -> None:
    guard.install()
    response = stream(server.url("/slow"))
    reader = threading.Thread(target=read_to_the_bitter_end, args=(response.read,))
    reader.start()
    while not is_read(response):
        time.sleep(0.01)
    for _ in range(3):
        guard.advance(100)
        assert guard.check().leaks == ()
    hang_up(response)
    reader.join()
    assert guard.check().leaks == ()


def test_a_reader_below_urllib3_is_innocent(
    guard: GuardControl, server: Server
) -> None:
    guard.install()
    response = stream(server.url("/slow"))
    read = response._fp.read  # type: ignore[union-attr]  # open, so it is there
    reader = threading.Thread(target=read_to_the_bitter_end, args=(read,))
    reader.start()
    while not is_read(response):
        time.sleep(0.01)
    guard.advance(100)
    assert guard.check().leaks == ()
    hang_up(response)
    reader.join()
    response.release_conn()


def test_sweeps_do_not_take_each_other_for_readers(
    guard: GuardControl, url: str
) -> None:
    guard.install()
    response = stream(url)
    assert not is_read(response)
    response.release_conn()


@pytest.mark.parametrize(
    "pattern",
    [
        "http://127.0.0.1:*/bytes/*",
        "*/bytes/90000",
        "tests.leases.test_detector",
        "tests.*",
    ],
)
def test_ignored_responses_are_not_judged(
    guard: GuardControl, url: str, pattern: str
) -> None:
    guard.install(ignore=(pattern,))
    stream(url + "?a=b")
    state = guard.check()
    assert (state.leaks, state.counters["excused"]) == ((), 1)


@pytest.mark.parametrize("pattern", ["http://*/other/*", "tests.test_scopes", "test"])
def test_other_patterns_ignore_nothing(
    guard: GuardControl, url: str, pattern: str
) -> None:
    guard.install(ignore=(pattern,))
    stream(url)
    assert len(guard.check().leaks) == 1


def test_sampling_keeps_the_counters_exact(guard: GuardControl, url: str) -> None:
    guard.install(sample=0)
    for _ in range(3):
        stream(url)
    stream(url).release_conn()
    kept = stream(url)
    state = guard.check()
    assert state.leaks == ()
    assert {
        name: state.counters[name] for name in ("opened", "released", "dropped")
    } == {
        "opened": 5,
        "released": 1,
        "dropped": 3,
    }
    guard.advance(100)
    assert guard.check().counters["held"] == 1
    kept.release_conn()
    assert guard.check().counters["resolved"] == 1


def test_counters_tell_how_leases_ended(guard: GuardControl, server: Server) -> None:
    guard.install()
    pool = urllib3.HTTPConnectionPool(server.host, server.port, maxsize=3)
    for how in ("read", "drain_conn", "release_conn", "close"):
        response = pool.request("GET", "/bytes/90000", preload_content=False)
        getattr(response, how)()
        del response
    # Left early: the pool has its slot again, and the connection was thrown away.
    for path in ("/bytes/90000", "/chunked/500"):
        requests.get(server.url(path), stream=True).close()
        with requests.get(server.url(path), stream=True) as whole:
            assert whole.content
    counters = guard.check().counters
    assert (counters["opened"], counters["released"], counters["closed"]) == (8, 5, 3)
    assert counters["leaks"] == 0


def test_closed_and_parked_ends_well_without_a_leak(
    guard: GuardControl, server: Server
) -> None:
    guard.install()
    pool = urllib3.HTTPConnectionPool(server.host, server.port)
    response = pool.request("GET", "/bytes/90000", preload_content=False)
    response.close()
    assert guard.check().open == ()
    guard.advance(100)
    state = guard.check()
    assert (state.leaks, state.counters["closed"]) == ((), 1)


def test_unreleased_is_known_a_while_after_the_close(
    guard: GuardControl, server: Server
) -> None:
    guard.install()
    pool = urllib3.HTTPConnectionPool(server.host, server.port, maxsize=2, block=True)
    response = pool.request("GET", "/bytes/90000", preload_content=False)
    response.close()
    guard.advance(59)
    assert guard.check().leaks == ()
    guard.advance(2)
    (leak,) = guard.check().leaks
    assert (leak.kind, leak.count) == (LeakKind.UNRELEASED, 1)
    assert guard.check().pools[0].lost == 1
    response.release_conn()
    assert guard.check().leaks[0].resolved == 1


def test_switched_protocols_are_not_held(guard: GuardControl, url: str) -> None:
    guard.install()
    response = stream(url)
    guard.check()
    current = _process.current()
    assert current is not None
    (lease,) = current.registry.leases.values()
    lease.status = 101
    guard.advance(100)
    assert guard.check().leaks == ()
    response.release_conn()


def test_a_response_closed_below_is_no_held_leak(guard: GuardControl, url: str) -> None:
    guard.install()
    response = stream(url)
    response._fp.close()  # type: ignore[union-attr]
    guard.advance(100)
    assert guard.check().leaks == ()
    guard.advance(100)
    state = guard.check()
    assert (state.leaks, state.counters["closed"]) == ((), 1)


def test_a_connection_taken_away_ends_the_lease(guard: GuardControl, url: str) -> None:
    guard.install()
    response = stream(url)
    connection, response._connection = response._connection, None
    assert guard.check().open == ()
    assert guard.check().counters["released"] == 1
    assert connection is not None


@pytest.mark.parametrize("wrapper", [io.BufferedReader, io.TextIOWrapper])
def test_a_wrapper_in_a_cycle_is_dropped(
    guard: GuardControl, url: str, wrapper: type
) -> None:
    guard.install()
    cycle = [wrapper(stream(url))]
    cycle.append(cycle)
    del cycle
    gc.collect()
    (leak,) = guard.check().leaks
    assert (leak.kind, leak.count) == (LeakKind.DROPPED, 1)


def test_a_leak_tells_its_facts(guard: GuardControl, server: Server) -> None:
    guard.install()

    def fetch() -> None:
        response = requests.post(
            server.url("/bytes/90000?token=secret#part"), data=b"x", stream=True
        )
        response.raw.read(100)

    thread = threading.Thread(target=fetch, name="worker-3")
    thread.start()
    thread.join()
    guard.advance(2)
    (leak,) = guard.check().leaks
    assert leak.method == "POST"
    assert leak.url == server.url("/bytes/90000?token=…")
    assert (leak.status, leak.client, leak.thread) == (200, "requests", "worker-3")
    assert leak.pool == server.url("")
    assert (leak.bytes_read, leak.length) == (100, 90000)
    assert leak.first_seen == leak.last_seen
    assert leak.first_seen.utcoffset() is not None
    assert leak.site.function == "fetch"
    assert leak.site in leak.stack
    assert "with requests.post(..., stream=True)" in leak.hint


def test_an_open_response_tells_its_facts(guard: GuardControl, url: str) -> None:
    guard.install()
    response = stream(url)
    response.read(7)
    guard.advance(3)
    (opened,) = guard.check().open
    assert (opened.method, opened.url, opened.client) == ("GET", url, "urllib3")
    assert (opened.bytes_read, opened.age, opened.allowed) == (7, 3, None)
    assert opened.site.function == "stream"
    assert guard.check().pools[0].open == 1
    response.release_conn()


def test_a_snapshot_is_json_ready(guard: GuardControl, url: str) -> None:
    guard.install()
    stream(url)
    kept = stream(url)
    state = json.loads(json.dumps(guard.check().to_dict()))
    assert state["leaks"][0]["kind"] == "dropped"
    assert state["leaks"][0]["site"]["function"] == "stream"
    assert state["open"][0]["url"] == url
    assert state["counters"]["opened"] == 2
    assert state["pools"][0]["block"] is False
    kept.release_conn()


def test_a_sweep_that_meets_a_finalizer_is_not_fooled(
    guard: GuardControl, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reference answers while another thread finalizes the response."""
    guard.install()
    closing, swept = threading.Event(), threading.Event()

    def close(connection: HTTPConnection) -> None:
        real_close(connection)
        if threading.current_thread() is dropper:
            closing.set()
            swept.wait(30)

    real_close = HTTPConnection.close
    monkeypatch.setattr(HTTPConnection, "close", close)
    dropper = threading.Thread(target=stream, args=(url,))
    dropper.start()
    assert closing.wait(30)
    guard.check()
    swept.set()
    dropper.join()
    state = guard.check()
    assert (state.counters["dropped"], state.counters["closed"]) == (1, 0)


def test_a_wrapper_dropped_before_the_response_is_closed(
    guard: GuardControl, url: str
) -> None:
    guard.install()
    response = stream(url)
    wrapper = io.BufferedReader(response)
    del wrapper
    response.close()
    del response
    state = guard.check()
    assert (state.counters["dropped"], state.counters["closed"]) == (0, 1)


def test_a_wrapper_dropped_before_the_response_is(
    guard: GuardControl, url: str
) -> None:
    guard.install()
    response = stream(url)
    wrapper = io.BufferedReader(response)
    del wrapper
    guard.check()
    del response
    assert [leak.kind for leak in guard.check().leaks] == [LeakKind.DROPPED]


def test_a_sweep_keeps_nothing_alive(guard: GuardControl, url: str) -> None:
    """Not even until the cycle collector comes: no frame of ours is in a cycle."""
    guard.install()
    gc.collect()
    gc.disable()
    try:
        response = stream(url)
        guard.advance(100)
        guard.check()
        reference = weakref.ref(response)
        del response
        assert reference() is None
    finally:
        gc.enable()


def test_a_response_that_cannot_be_asked_spares_the_others(
    guard: GuardControl, url: str
) -> None:
    guard.install(max_idle=30)
    strange = urllib3.PoolManager().request("GET", url, preload_content=False)
    strange._fp_bytes_read = None  # type: ignore[attr-defined]  # as a subclass may do
    kept = requests.get(url, stream=True)
    requests.get(url, stream=True)
    guard.advance(40)
    found = guard.check()
    assert sorted((leak.kind.value, leak.count) for leak in found.leaks) == [
        ("dropped", 1),
        ("held", 1),
    ]
    assert found.counters["errors"] == 1
    guard.advance(40)
    assert guard.check().counters["errors"] == 1
    kept.close()
    strange.close()
