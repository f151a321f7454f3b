"""Pools at the limits of what is reported: just enough, just too much, once more."""

from __future__ import annotations

import errno
import os
import threading
from typing import TYPE_CHECKING, Any

import pytest
import requests
import urllib3

import httpguard
from httpguard._model.event import FD_PRESSURE, POOL_PRESSURE, POOL_STARVED
from httpguard._pressure import descriptors as _descriptors
from tests.pressure.test_pools import (
    Waiting,
    blocking,
    crowd,
    guard_waiters,
    leak,
    line,
    until,
)

if TYPE_CHECKING:
    from httpguard._model.event import Event
    from tests.conftest import GuardControl
    from tests.server import Server


def opened(pool: urllib3.HTTPConnectionPool) -> urllib3.BaseHTTPResponse:
    return pool.urlopen("GET", "/bytes/90000", preload_content=False)


def end(held: list[urllib3.BaseHTTPResponse], waiting: list[Waiting]) -> None:
    """Whoever waits gets a connection. Before anything can fail, which would hang."""
    for response in held:
        response.drain_conn()
    for thread in waiting:
        thread.join()


def named(events: list[Event], name: str) -> list[dict[str, Any]]:
    return [dict(event.details) for event in events if event.name == name]


# Starving.


def test_starving_is_said_once_for_as_long_as_it_lasts(
    guard: GuardControl, server: Server, events: list[Event]
) -> None:
    guard.install(max_wait=5)
    pool = blocking(server, 1)

    def starve(seconds: float) -> int:
        """How often it was said when a request has waited, look by look."""
        held = opened(pool)
        waiting = Waiting(pool)
        for _ in range(5):
            guard.advance(seconds / 5)
            guard.check()
        end([held], [waiting])
        guard.check()
        return len(named(events, POOL_STARVED))

    assert starve(4.9) == 0
    assert starve(200) == 1
    # Anew, and a minute after it was said the last time.
    assert starve(25) == 2
    # Anew, but within that minute.
    assert starve(25) == 2
    guard.advance(60)
    assert starve(25) == 3


def test_whoever_waits_next_starves_too(
    guard: GuardControl, server: Server, events: list[Event]
) -> None:
    guard.install(max_wait=5)
    pool = blocking(server, 1)
    first = opened(pool)
    got, go_on = threading.Event(), threading.Event()

    def work() -> None:
        response = opened(pool)
        got.set()
        go_on.wait(30)
        response.drain_conn()

    second = threading.Thread(target=work, daemon=True)
    second.start()
    until(lambda: guard_waiters() == 1)
    guard.advance(6)
    guard.check()
    third = Waiting(pool)
    first.drain_conn()
    assert got.wait(30)
    for _ in range(4):
        guard.advance(100)
        guard.check()
    go_on.set()
    second.join()
    third.join()
    assert len(named(events, POOL_STARVED)) == 2


def test_a_wait_of_just_the_limit_is_too_long(
    guard: GuardControl, server: Server, events: list[Event]
) -> None:
    guard.install(max_wait=5)
    pool = blocking(server, 1)
    held = opened(pool)
    waiting = Waiting(pool)
    guard.advance(5)
    guard.check()
    end([held], [waiting])
    assert len(named(events, POOL_STARVED)) == 1


def test_pools_are_told_apart(
    guard: GuardControl, server: Server, events: list[Event]
) -> None:
    guard.install(max_wait=5)
    first, second = blocking(server, 1), blocking(server, 2)
    leak(first)
    held = [opened(second), opened(second)]
    waiting = [Waiting(first), Waiting(second)]
    guard.advance(3)
    waiting.append(Waiting(second))
    guard.advance(2)
    # Of pools of one name one is said at a time.
    guard.check()
    guard.advance(100)
    guard.check()
    first._put_conn(None)
    end(held, waiting)
    lost, busy = named(events, POOL_STARVED)
    assert (lost["maxsize"], lost["waiting"], lost["longest_wait"]) == (1, 1, 5)
    assert [(it["site"]["lineno"], it["count"]) for it in lost["lost"]] == [
        (line("DROPS"), 1)
    ]
    assert (lost["holders"], lost["lost_slots"], lost["unknown"]) == ([], 1, 0)
    assert lost["hint"].startswith("close or read the responses at the lines that lost")
    assert (busy["maxsize"], busy["waiting"], busy["longest_wait"]) == (2, 2, 105)
    assert [holder["count"] for holder in busy["holders"]] == [2]
    assert (busy["lost"], busy["lost_slots"], busy["unknown"]) == ([], 0, 0)
    assert busy["hint"].startswith("read or close the open responses")


def test_a_slot_that_nothing_explains(
    guard: GuardControl, server: Server, events: list[Event]
) -> None:
    pool = blocking(server, 2)
    before = opened(pool)
    guard.install(max_wait=5)
    held = opened(pool)
    waiting = Waiting(pool)
    guard.advance(5)
    guard.check()
    end([before, held], [waiting])
    (details,) = named(events, POOL_STARVED)
    assert [holder["count"] for holder in details["holders"]] == [1]
    assert (details["lost_slots"], details["unknown"]) == (0, 1)


def test_only_a_pool_that_blocks_can_lose_a_slot(
    guard: GuardControl, server: Server
) -> None:
    guard.install()
    free = urllib3.HTTPConnectionPool(server.host, server.port, maxsize=2)
    pools = [free, blocking(server, 2)]
    for pool in pools:
        leak(pool)
    guard.check()
    lost = {use.block: use.lost for use in httpguard.snapshot().pools}
    assert lost == {False: 0, True: 1}


# Pressure.


@pytest.mark.parametrize(
    ("turns", "single", "said"),
    [
        (10, 0, True),  # Ten discarded, a third of all.
        (9, 0, False),
        (10, 7, False),  # Ten of a hundred are just a tenth.
        (10, 6, True),
    ],
)
def test_so_many_discards_are_pressure(
    guard: GuardControl,
    server: Server,
    events: list[Event],
    *,
    turns: int,
    single: int,
    said: bool,
) -> None:
    guard.install()
    pool = urllib3.HTTPConnectionPool(server.host, server.port, maxsize=2)
    for _ in range(turns):
        crowd(pool, 3)
        for _ in range(single):
            pool.request("GET", "/lines")
    guard.advance(59.9)
    guard.check()
    assert events == []
    guard.advance(0.2)
    guard.check()
    found = named(events, POOL_PRESSURE)
    assert [details["lately"] for details in found] == [turns] * said
    # The next minutes have none.
    for _ in range(12):
        pool.request("GET", "/lines")
        guard.advance(100)
        guard.check()
    assert len(named(events, POOL_PRESSURE)) == said


def test_pressure_is_said_of_the_first_minute_and_of_the_tenth(
    guard: GuardControl, server: Server, events: list[Event]
) -> None:
    guard.install()
    pool = urllib3.HTTPConnectionPool(server.host, server.port, maxsize=2)
    said = []
    for _ in range(11):
        for _ in range(10):
            crowd(pool, 3)
        guard.advance(100)
        guard.check()
        said.append(len(named(events, POOL_PRESSURE)))
    assert said == [1] * 9 + [2] * 2


# The process.


def test_where_no_descriptor_is_left_to_look_with(
    guard: GuardControl, events: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    guard.install()

    def fail(_path: str) -> list[str]:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(_descriptors, "limit_of_descriptors", lambda: 50)
    with monkeypatch.context() as patch:
        patch.setattr(_descriptors, "_listdir", fail)
        guard.check()
    (details,) = named(events, FD_PRESSURE)
    assert (details["descriptors"], details["limit"]) == (50, 50)


@pytest.mark.parametrize(("limit", "said"), [(100, False), (99, True)])
def test_four_fifths_of_the_descriptors_are_not_too_many(
    guard: GuardControl,
    events: list[Event],
    monkeypatch: pytest.MonkeyPatch,
    *,
    limit: int,
    said: bool,
) -> None:
    guard.install()
    monkeypatch.setattr(_descriptors, "limit_of_descriptors", lambda: limit)
    # With the one that the look itself has open.
    monkeypatch.setattr(_descriptors, "_listdir", lambda _path: ["fd"] * 81)
    guard.check()
    found = named(events, FD_PRESSURE)
    assert [details["descriptors"] for details in found] == [80] * said


def test_what_keeps_descriptors_is_named_by_line(
    guard: GuardControl,
    server: Server,
    events: list[Event],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    guard.install()
    session = requests.Session()
    unused = requests.Session()
    held = [
        session.get(server.url("/bytes/90000"), stream=True),
        session.get(server.url("/bytes/90000"), stream=True),
    ]
    monkeypatch.setattr(_descriptors, "limit_of_descriptors", lambda: 1)
    guard.check()
    (details,) = named(events, FD_PRESSURE)
    assert [response["count"] for response in details["responses"]] == [1, 1]
    assert [made["sockets"] for made in details["sessions"]] == [2]
    for response in held:
        response.close()
    session.close()
    unused.close()
