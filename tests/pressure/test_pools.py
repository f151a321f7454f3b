"""Pools: figures, starving, slots given back, pressure."""

from __future__ import annotations

import gc
import os
import queue
import re
import threading
import time
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest
import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.util.connection import is_connection_dropped

import httpguard
from benchmarks._transport import memory_manager
from httpguard import PoolUse
from httpguard._model.event import FD_PRESSURE, POOL_PRESSURE, POOL_STARVED
from httpguard._pressure import descriptors as _descriptors
from httpguard._process import process as _process
from tests.program import line_of, run, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from httpguard._model.event import Event
    from tests.conftest import GuardControl
    from tests.server import Server


def blocking(server: Server, maxsize: int = 2) -> urllib3.HTTPConnectionPool:
    return urllib3.HTTPConnectionPool(
        server.host, server.port, maxsize=maxsize, block=True
    )


def leak(pool: urllib3.HTTPConnectionPool) -> int:
    return pool.urlopen("GET", "/bytes/90000", preload_content=False).status  # DROPS


def use() -> PoolUse:
    (pool,) = httpguard.snapshot().pools
    return pool


def until(what: Callable[[], Any]) -> None:
    """Wait for another thread to get somewhere; the test's own timeout ends it."""
    while not what():
        time.sleep(0.001)


def guard_waiters() -> int:
    guard = _process.current()
    assert guard is not None
    return len(guard.registry.waiters)


class Waiting(threading.Thread):
    """A thread whose request waits for a connection."""

    def __init__(self, pool: urllib3.HTTPConnectionPool, timeout: Any = None) -> None:
        super().__init__(name="worker", daemon=True)
        self.pool = pool
        self.timeout: Any = timeout
        self.status = 0
        self.error: Exception | None = None
        before = guard_waiters()
        self.start()
        until(lambda: guard_waiters() > before or not self.is_alive())

    def run(self) -> None:
        try:
            self.status = ask(self.pool, self.timeout)
        except urllib3.exceptions.EmptyPoolError as error:
            self.error = error


def ask(pool: urllib3.HTTPConnectionPool, timeout: Any) -> int:
    return pool.urlopen("GET", "/lines", pool_timeout=timeout).status  # WAITS


def line(mark: str) -> int:
    with open(__file__, encoding="utf-8") as source:
        lines = source.read().splitlines()
    (number,) = (n for n, text in enumerate(lines, 1) if text.endswith(f"  # {mark}"))
    return number


# Figures.


def test_connections_are_counted(guard: GuardControl, server: Server) -> None:
    guard.install()
    pool = urllib3.HTTPConnectionPool(server.host, server.port, maxsize=1)
    for _ in range(3):
        pool.request("GET", "/lines")
    held = [pool.urlopen("GET", "/lines", preload_content=False) for _ in range(3)]
    now = use()
    assert (now.in_use, now.peak, now.idle, now.open) == (3, 3, 0, 3)
    assert (now.connected, now.reused, now.reuse_rate) == (3, 3, 0.5)
    for response in held:
        response.drain_conn()
    now = use()
    assert (now.in_use, now.peak, now.idle, now.discarded) == (0, 3, 1, 2)
    counters = httpguard.snapshot().counters
    assert (counters["connected"], counters["reused"]) == (3, 3)
    assert counters["discarded"] == 2
    assert now.to_dict()["reuse_rate"] == 0.5


def test_a_connection_that_the_server_closed_counts_anew(
    guard: GuardControl, server: Server
) -> None:
    guard.install()
    pool: Any = urllib3.HTTPConnectionPool(server.host, server.port, maxsize=1)
    for _ in range(3):
        pool.request("GET", "/lines", headers={"Connection": "close"})
        until(lambda: is_connection_dropped(pool.pool.queue[-1]))
    assert (use().connected, use().reused, use().discarded) == (3, 0, 0)


def test_dropped_and_closed_responses_are_in_use_no_more(
    guard: GuardControl, server: Server
) -> None:
    guard.install()
    pool = urllib3.HTTPConnectionPool(server.host, server.port, maxsize=1)
    leak(pool)
    response = pool.urlopen("GET", "/bytes/90000", preload_content=False)
    response.close()
    gc.collect()
    assert (use().in_use, use().peak) == (0, 1)


def test_what_was_collected_is_no_peak(guard: GuardControl, server: Server) -> None:
    guard.install()
    pool = urllib3.HTTPConnectionPool(server.host, server.port, maxsize=1)
    for _ in range(5):
        pool.urlopen("GET", "/bytes/90000", preload_content=False)
    assert (use().in_use, use().peak, use().connected) == (0, 1, 5)


def test_connections_from_before_are_in_use_too(
    guard: GuardControl, server: Server
) -> None:
    pool = urllib3.HTTPConnectionPool(server.host, server.port, maxsize=1)
    pool.request("GET", "/lines")
    guard.install()
    response = pool.urlopen("GET", "/lines", preload_content=False)
    assert (use().in_use, use().idle, use().connected) == (1, 0, 0)
    response.drain_conn()
    assert (use().in_use, use().idle) == (0, 1)


def test_a_closed_pool_discards_nothing(guard: GuardControl, server: Server) -> None:
    guard.install()
    pool = urllib3.HTTPConnectionPool(server.host, server.port, maxsize=1)
    response = pool.urlopen("GET", "/lines", preload_content=False)
    pool.close()
    response.drain_conn()
    assert (use().in_use, use().discarded) == (0, 0)


def test_a_lost_connection_that_comes_back_is_in_use_again(
    guard: GuardControl, server: Server
) -> None:
    guard.install()
    pool = blocking(server, 2)
    response = pool.urlopen("GET", "/bytes/90000", preload_content=False)
    response.close()
    guard.advance(100)
    assert [leak.kind for leak in guard.check().leaks] == ["unreleased"]
    assert (use().in_use, use().lost) == (0, 1)
    response.release_conn()
    guard.check()
    assert (use().in_use, use().lost) == (0, 0)
    again = pool.urlopen("GET", "/lines", preload_content=False)
    assert (use().in_use, use().lost) == (1, 0)
    again.drain_conn()


def test_a_pool_that_is_gone_stays_in_the_counters(
    guard: GuardControl, server: Server
) -> None:
    guard.install()
    for _ in range(5):
        requests.get(server.url("/lines"))
    gc.collect()
    guard.check()
    snapshot = httpguard.snapshot()
    assert snapshot.pools == ()
    assert snapshot.counters["connected"] == 5


def test_figures_add_up_over_threads(guard: GuardControl, server: Server) -> None:
    guard.install()
    pool = blocking(server, 2)
    threads = [
        threading.Thread(
            target=lambda: [ask(pool, None) for _ in range(20)], daemon=True
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    now = use()
    assert now.connected + now.reused == 80
    assert now.peak <= 2
    assert (now.in_use, now.lost, now.waiting) == (0, 0, 0)
    assert now.waited >= 0
    assert now.wait_max <= now.wait_total
    assert httpguard.snapshot().counters["errors"] == 0


def test_a_subclass_that_takes_connections_its_own_way(
    guard: GuardControl, server: Server
) -> None:
    class Own(urllib3.HTTPConnectionPool):
        def _get_conn(self, timeout: float | None = None) -> Any:
            return self._new_conn()

    guard.install()
    Own(server.host, server.port).request("GET", "/lines")
    assert httpguard.snapshot().counters["errors"] == 0


# Starving.


def test_a_starved_pool_is_reported_while_it_hangs(
    guard: GuardControl, server: Server, events: list[Event]
) -> None:
    guard.install(max_wait=5)
    pool = blocking(server, 3)
    leak(pool)
    with pool.urlopen("GET", "/bytes/90000", preload_content=False):  # CLOSES
        pass  # Closed, not released, and collected.
    held = pool.urlopen("GET", "/bytes/90000", preload_content=False)  # HELD
    waiting = [Waiting(pool), Waiting(pool)]
    guard.advance(4.9)
    guard.check()
    assert [e for e in events if e.name == POOL_STARVED] == []
    assert use().waiting == 2
    guard.advance(0.2)
    guard.check()
    guard.advance(1)
    guard.check()
    (event,) = [e for e in events if e.name == POOL_STARVED]
    details = event.details
    assert details["pool"] == f"http://{server.host}:{server.port}"
    assert (details["maxsize"], details["waiting"]) == (3, 2)
    assert details["longest_wait"] == pytest.approx(5.1)
    (waiter,) = details["waiters"]
    assert (waiter["site"]["lineno"], waiter["count"]) == (line("WAITS"), 2)
    assert waiter["threads"] == ["worker", "worker"]
    (holder,) = details["holders"]
    assert (holder["site"]["lineno"], holder["count"]) == (line("HELD"), 1)
    assert holder["oldest"] == pytest.approx(5.1)
    lost = [(x["kind"], x["site"]["lineno"], x["count"]) for x in details["lost"]]
    assert sorted(lost) == [
        ("dropped", line("DROPS"), 1),
        ("unreleased", line("CLOSES"), 1),
    ]
    assert (details["lost_slots"], details["unknown"]) == (2, 0)
    assert httpguard.snapshot().counters["pool_starved"] == 1
    held.drain_conn()
    for thread in waiting:
        thread.join()
    assert [thread.status for thread in waiting] == [200, 200]
    assert (use().waiting, use().waited) == (0, 2)
    assert use().wait_max == pytest.approx(6.1)


def test_a_wait_that_ends_in_time_is_not_reported(
    guard: GuardControl, server: Server, events: list[Event]
) -> None:
    guard.install(max_wait=5)
    pool = blocking(server, 1)
    held = pool.urlopen("GET", "/bytes/90000", preload_content=False)
    waiting = Waiting(pool)
    guard.advance(4)
    guard.check()
    held.drain_conn()
    waiting.join()
    guard.advance(60)
    guard.check()
    assert [e.name for e in events] == []
    assert use().waited == 1


def test_no_limit_no_report(
    guard: GuardControl, server: Server, events: list[Event]
) -> None:
    guard.install(max_wait=None)
    pool = blocking(server, 1)
    held = pool.urlopen("GET", "/bytes/90000", preload_content=False)
    waiting = Waiting(pool)
    guard.advance(50)
    guard.check()
    held.drain_conn()
    waiting.join()
    assert [e.name for e in events] == []


def test_requests_under_way_are_named(
    guard: GuardControl, server: Server, events: list[Event]
) -> None:
    guard.install(max_wait=1)
    session = requests.Session()
    session.mount("http://", HTTPAdapter(pool_maxsize=1, pool_block=True))
    slow = server.url("/slow/pool_under_way")

    def read() -> None:
        session.get(slow)  # UNDER WAY

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    until(lambda: use().in_use if httpguard.snapshot().pools else 0)
    waiting = threading.Thread(
        target=lambda: session.get(server.url("/lines")), daemon=True
    )
    waiting.start()
    until(lambda: use().waiting)
    guard.advance(2)
    guard.check()
    requests.get(server.url("/finish/pool_under_way"))
    reader.join()
    waiting.join()
    (event,) = [e for e in events if e.name == POOL_STARVED]
    (busy,) = event.details["busy"]
    assert (busy["site"]["lineno"], busy["count"]) == (line("UNDER WAY"), 1)
    assert event.details["holders"] == event.details["lost"] == []
    assert event.details["unknown"] == 0
    assert "pool_maxsize" in event.details["hint"]


def test_the_error_carries_it_as_a_note(guard: GuardControl, server: Server) -> None:
    guard.install()
    pool = blocking(server, 1)
    leak(pool)
    with pytest.raises(urllib3.exceptions.EmptyPoolError) as caught:
        ask(pool, 0.001)
    error = caught.value
    assert type(error) is urllib3.exceptions.EmptyPoolError
    assert "httpguard" not in str(error)
    notes = getattr(error, "__notes__", [])
    if hasattr(error, "add_note"):
        (note,) = notes
        assert note.startswith("httpguard: pool starved http://")
        assert f"test_pools.py:{line('DROPS')} in leak" in note
        assert f"test_pools.py:{line('WAITS')} in ask" in note
    else:
        assert notes == []


HANGS = """
import logging, sys
import httpguard
import urllib3
logging.basicConfig(format="%(name)s: %(message)s")
httpguard.install(max_wait=0.2, check_interval={interval})
pool = urllib3.HTTPConnectionPool(sys.argv[1], int(sys.argv[2]), maxsize=1, block=True)
def status():
    return pool.urlopen("GET", "/bytes/90000", preload_content=False).status  # LEAK
class Seen(logging.Handler):
    def emit(self, record):
        if record.getMessage().startswith("pool starved"):
            pool._put_conn(None)  # Ends the hang.
logging.getLogger().addHandler(Seen())
status()
pool.urlopen("GET", "/lines")  # HANGS
print("alive")
"""


# With a greenlet that lives on: where all wait for ever, gevent itself says so.
GEVENT = """
from gevent import monkey, sleep, spawn; monkey.patch_all()
"""


@pytest.mark.parametrize("setup", ["", f"{GEVENT}spawn(sleep, 60)"])
def test_the_watcher_reports_it(setup: str, server: Server, tmp_path: Path) -> None:
    if setup:
        pytest.importorskip("gevent")
    # The watcher looks when it is due, not when its next sweep is.
    source = setup + HANGS.format(interval=3600)
    path = write(tmp_path / "app.py", source)
    done = run(path, server.host, str(server.port), cwd=tmp_path)
    assert done.stdout == "alive\n", done.stderr
    assert "pool starved http://" in done.stderr
    assert f"  > 1 waiting at app.py:{line_of(source, '# HANGS')} in" in done.stderr
    lost = f"1 lost by a dropped response opened at app.py:{line_of(source, '# LEAK')}"
    assert lost in done.stderr


@pytest.mark.parametrize("guarded", [True, False])
def test_gevent_says_that_nobody_is_left(
    server: Server, tmp_path: Path, *, guarded: bool
) -> None:
    """The watcher's timer is none that somebody waits for."""
    pytest.importorskip("gevent")
    source = GEVENT + HANGS.format(interval=0.05)
    if not guarded:
        source = source.replace("httpguard.install(", "dict(")
    path = write(tmp_path / "app.py", source.replace("max_wait=0.2", "max_wait=60"))
    done = run(path, server.host, str(server.port), cwd=tmp_path)
    assert "LoopExit: This operation would block forever" in done.stderr
    assert done.returncode == 1


# Giving back.


def test_a_slot_that_came_back_by_itself_is_not_given_back(
    guard: GuardControl, server: Server
) -> None:
    guard.install(reclaim=True)
    pool: Any = blocking(server, 2)
    dropped: Any = pool.urlopen("GET", "/bytes/90000", preload_content=False)
    held = pool.urlopen("GET", "/lines", preload_content=False)
    connection = dropped.connection
    del dropped
    pool._put_conn(connection)
    assert guard.check().leaks == ()
    assert (pool.pool.qsize(), use().reclaimed) == (1, 0)
    held.drain_conn()
    assert pool.pool.qsize() == 2


class Eager(queue.LifoQueue[Any]):
    """Somebody takes what is put back, before that call returns."""

    take: Callable[[], None] | None = None

    def put(self, *args: Any, **kwargs: Any) -> None:
        super().put(*args, **kwargs)
        take, self.take = self.take, None
        if take is not None:
            take()


def test_the_next_lease_of_a_connection_is_another_one(
    guard: GuardControl, server: Server
) -> None:
    class Pool(urllib3.HTTPConnectionPool):
        QueueCls = Eager

    guard.install()
    pool: Any = Pool(server.host, server.port, maxsize=1)
    first: Any = pool.urlopen("GET", "/lines", preload_content=False)
    connection = first.connection
    kept: list[Any] = []
    pool.pool.take = lambda: kept.append(
        pool.urlopen("GET", "/bytes/90000", preload_content=False)
    )
    first.drain_conn()
    assert kept[0].connection is connection
    counters = httpguard.snapshot().counters
    assert (counters["opened"], counters["released"]) == (2, 1)
    kept.clear()
    (leak,) = guard.check().leaks
    assert (leak.kind, leak.count) == ("dropped", 1)
    assert leak.url.endswith("/bytes/90000")


def test_a_connection_given_back_by_hand_is_no_leak(
    guard: GuardControl, server: Server
) -> None:
    guard.install()
    pool: Any = blocking(server, 2)
    kept: Any = pool.urlopen("GET", "/bytes/90000", preload_content=False)
    pool._put_conn(kept.connection)
    del kept
    state = guard.check()
    assert (state.leaks, state.counters["released"]) == ((), 1)


@pytest.mark.parametrize("block", [False, True])
@pytest.mark.parametrize("again", ["never", "before it goes", "before it is judged"])
def test_a_connection_given_back_unseen_is_no_leak(
    guard: GuardControl,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    *,
    block: bool,
    again: str,
) -> None:
    guard.install()
    monkeypatch.setattr(_process.current(), "before_request", lambda: None)
    pool: Any = urllib3.HTTPConnectionPool(
        server.host, server.port, maxsize=1, block=block
    )
    # As programs do that count connections, say.
    pool._put_conn = lambda connection: pool.pool.put(connection, block=False)
    response: Any = pool.urlopen("GET", "/lines", preload_content=False)
    response.drain_conn()
    kept: Any = None
    if again == "before it goes":
        kept = pool.urlopen("GET", "/lines", preload_content=False)
    del response
    if again == "before it is judged":
        kept = pool.urlopen("GET", "/lines", preload_content=False)
    state = guard.check()
    assert (state.leaks, state.counters["released"]) == ((), 1)
    del kept
    kinds = [leak.kind for leak in guard.check().leaks]
    assert kinds == ([] if again == "never" else ["dropped"])


@pytest.mark.parametrize("setup", ["", "from gevent import monkey; monkey.patch_all()"])
def test_reclaim_keeps_a_program_alive(
    setup: str, server: Server, tmp_path: Path
) -> None:
    if setup:
        pytest.importorskip("gevent")
    source = (
        setup
        + """
    import sys
    import httpguard; httpguard.install()
    import requests
    from requests.adapters import HTTPAdapter
    session = requests.Session()
    session.mount("http://", HTTPAdapter(pool_maxsize=2, pool_block=True))
    def status():
        return session.get(sys.argv[1], stream=True).status_code
    for _ in range(100):
        status()
    (pool,) = httpguard.check().pools
    print(pool.reclaimed, pool.lost, httpguard.snapshot().counters["errors"])
    """
    )
    path = write(tmp_path / "app.py", source.replace("\n    ", "\n"))
    env = {"HTTPGUARD_RECLAIM": "1"}
    done = run(path, server.url("/bytes/90000"), env=env)
    assert done.stdout == "100 0 0\n", done.stderr


def test_ten_thousand_leaks_and_two_slots(guard: GuardControl) -> None:
    guard.install(reclaim=True)
    manager = memory_manager(2)
    manager.connection_pool_kw["block"] = True
    for _ in range(10_000):
        manager.request("GET", "http://memory.test/item", preload_content=False)
    snapshot = guard.check()
    assert snapshot.counters["dropped"] == snapshot.counters["reclaimed"] == 10_000
    (pool,) = snapshot.pools
    assert (pool.maxsize, pool.peak, pool.lost, pool.in_use) == (2, 1, 0, 0)
    assert snapshot.counters["errors"] == 0


def test_without_it_the_third_request_waits(guard: GuardControl) -> None:
    guard.install()
    manager = memory_manager(2)
    manager.connection_pool_kw["block"] = True
    for _ in range(2):
        manager.request("GET", "http://memory.test/item", preload_content=False)
    with pytest.raises(urllib3.exceptions.EmptyPoolError):
        manager.request("GET", "http://memory.test/item", pool_timeout=0.001)
    assert use().lost == 2


def slots(pool: urllib3.HTTPConnectionPool) -> int:
    assert pool.pool is not None
    return pool.pool.qsize()


def test_never_more_slots_than_the_pool_had(
    guard: GuardControl, server: Server
) -> None:
    guard.install(reclaim=True, max_idle=60)
    pool = blocking(server, 2)
    leak(pool)
    guard.check()
    assert slots(pool) == 2
    kept = pool.urlopen("GET", "/bytes/90000", preload_content=False)
    kept.close()
    guard.check()
    assert slots(pool) == 1  # Its release may still come.
    guard.advance(100)
    guard.check()
    assert (slots(pool), use().reclaimed, use().lost) == (2, 2, 0)
    kept.release_conn()
    guard.check()
    assert slots(pool) == 2
    assert [ask(pool, 1) for _ in range(3)] == [200] * 3


def test_an_open_response_is_left_alone(guard: GuardControl, server: Server) -> None:
    guard.install(reclaim=True, max_idle=1)
    pool = blocking(server, 1)
    held = pool.urlopen("GET", "/bytes/90000", preload_content=False)
    guard.advance(2)
    assert [leak.kind for leak in guard.check().leaks] == ["held"]
    assert slots(pool) == 0
    assert len(held.read()) == 90_000
    assert (slots(pool), use().reclaimed) == (1, 0)


def test_a_connection_that_comes_back_late_is_closed(
    guard: GuardControl, server: Server
) -> None:
    guard.install(reclaim=True)
    pool = blocking(server, 1)
    response = pool.urlopen("GET", "/bytes/90000", preload_content=False)
    connection: Any = response._connection  # type: ignore[attr-defined]
    del response
    guard.check()
    assert slots(pool) == 1
    other = pool.urlopen("GET", "/bytes/90000", preload_content=False)
    pool._put_conn(connection)
    assert slots(pool) == 0
    other.drain_conn()
    assert (slots(pool), use().idle, use().in_use) == (1, 1, 0)


def test_an_excused_leak_is_left_alone(guard: GuardControl, server: Server) -> None:
    guard.install(reclaim=True)
    pool = blocking(server, 1)
    with httpguard.allow("gives the slot back itself"):
        leak(pool)
    guard.check()
    assert slots(pool) == 0
    pool._put_conn(None)
    assert ask(pool, 1) == 200


def test_garbage_in_cycles_is_collected_for_who_waits(
    guard: GuardControl, server: Server
) -> None:
    guard.install(reclaim=True)
    pool = blocking(server, 1)
    gc.disable()
    try:
        response: Any = pool.urlopen("GET", "/bytes/90000", preload_content=False)
        response.itself = response
        del response
        assert ask(pool, None) == 200
    finally:
        gc.enable()
    assert use().reclaimed == 1


# Held ones, closed.


@pytest.mark.parametrize("path", ["/bytes/90000", "/chunked/1000"])
@pytest.mark.parametrize("block", [False, True])
def test_a_held_response_is_closed_and_says_so(
    guard: GuardControl, server: Server, path: str, *, block: bool
) -> None:
    guard.install(on_held="close", max_idle=10)
    pool = urllib3.HTTPConnectionPool(server.host, server.port, maxsize=1, block=block)
    held = pool.urlopen("GET", path, preload_content=False)
    held.read(100)
    guard.check()
    guard.advance(20)
    snapshot = guard.check()
    assert [str(leak.kind) for leak in snapshot.leaks] == ["held"]
    assert snapshot.counters["held_closed"] == 1
    assert snapshot.open == ()
    assert held.closed
    for read in (lambda: held.read(10), held.read, lambda: list(held.stream(10))):
        with pytest.raises(urllib3.exceptions.ProtocolError) as caught:
            read()
        if hasattr(caught.value, "add_note"):
            (note,) = getattr(caught.value, "__notes__", [])
            assert "httpguard closed this response" in note
            assert "on_held='close'" in note
    held.close()
    held.release_conn()
    held.drain_conn()
    assert ask(pool, 1) == 200
    assert guard.check().counters["resolved"] == 0


def test_requests_says_so_too(guard: GuardControl, server: Server) -> None:
    guard.install(on_held="close", max_idle=10)
    held = requests.get(server.url("/bytes/90000"), stream=True)
    guard.check()
    guard.advance(20)
    guard.check()
    with pytest.raises(requests.exceptions.ChunkedEncodingError) as caught:
        _ = held.content
    notes = getattr(caught.value.__context__, "__notes__", None)
    assert notes is None or "httpguard closed this response" in notes[0]


@pytest.mark.parametrize("on_held", ["report", "close"])
def test_one_that_is_read_is_not_closed(
    guard: GuardControl, server: Server, on_held: str
) -> None:
    guard.install(on_held=on_held, max_idle=10)
    response = requests.get(server.url("/bytes/90000"), stream=True)
    for _ in range(3):
        response.raw.read(100)
        guard.advance(8)
        guard.check()
    assert len(response.content) == 90_000 - 300
    assert guard.check().counters["held_closed"] == 0


# Pressure.


def crowd(pool: urllib3.HTTPConnectionPool, size: int) -> None:
    """So many responses open at once, all read."""
    opened = [pool.urlopen("GET", "/lines", preload_content=False) for _ in range(size)]
    for response in opened:
        response.drain_conn()


def test_a_pool_that_is_too_small_is_told_its_size(
    guard: GuardControl, server: Server, events: list[Event]
) -> None:
    guard.install()
    pool = urllib3.HTTPConnectionPool(server.host, server.port, maxsize=2)
    guard.check()
    for _ in range(5):
        crowd(pool, 6)
    guard.advance(30)
    guard.check()
    assert events == []
    guard.advance(40)
    guard.check()
    guard.check()
    (event,) = events
    assert event.name == POOL_PRESSURE
    # 6 at first; then 4 a turn that were discarded before.
    assert event.details["connected"] == 6 + 4 * 4
    assert (event.details["discarded"], event.details["reused"]) == (20, 8)
    assert event.details["hint"] == (
        "at most 6 in use at once, maxsize is 2:"
        " pool_maxsize=6 would have saved 16 connects"
    )


def test_a_pool_that_is_large_enough_is_left_alone(
    guard: GuardControl, server: Server, events: list[Event]
) -> None:
    guard.install()
    pool = urllib3.HTTPConnectionPool(server.host, server.port, maxsize=6)
    for _ in range(5):
        crowd(pool, 6)
    guard.advance(100)
    guard.check()
    assert events == []
    assert (use().connected, use().discarded) == (6, 0)


def test_one_connection_in_ten_is_no_pressure(
    guard: GuardControl, server: Server, events: list[Event]
) -> None:
    guard.install()
    pool = urllib3.HTTPConnectionPool(server.host, server.port, maxsize=2)
    for _ in range(10):
        crowd(pool, 3)
        for _ in range(8):
            pool.request("GET", "/lines")
    assert use().discarded == 10
    guard.advance(100)
    guard.check()
    assert events == []


def test_the_summary_has_the_pools(server: Server, tmp_path: Path) -> None:
    source = """
    import sys
    import httpguard; httpguard.install(check_interval=0)
    import requests
    with requests.Session() as session:
        for _ in range(4):
            session.get(sys.argv[1])
        session.get(sys.argv[1], stream=True).status_code
    """
    done = run(write(tmp_path / "app.py", source), server.url("/lines"))
    pool = f"http://{server.host}:{server.port}"
    assert (
        f"\n  pool {pool} · 1 connection opened, 80% reuse"
        " · at most 1 in use, maxsize is 10\n"
    ) in done.stderr


# The process.


def test_few_descriptors_left(
    guard: GuardControl,
    server: Server,
    events: list[Event],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    guard.install()
    session = requests.Session()  # SESSION
    session.get(server.url("/lines"))
    held = session.get(server.url("/bytes/90000"), stream=True)  # STREAM
    count = _descriptors.count_descriptors(0)
    assert count is not None
    assert count >= 2
    limit = [count + 1]
    monkeypatch.setattr(_descriptors, "limit_of_descriptors", lambda: limit[0])
    guard.check()
    guard.check()
    (event,) = events
    assert event.name == FD_PRESSURE
    details = event.details
    assert details["limit"] == limit[0]
    assert details["descriptors"] > 0.8 * limit[0]
    assert details["threads"] >= 1
    (response,) = details["responses"]
    assert (response["site"]["lineno"], response["count"]) == (line("STREAM"), 1)
    (made,) = details["sessions"]
    assert (made["site"]["lineno"], made["sockets"]) == (line("SESSION"), 1)
    if find_spec("psutil") is not None:
        assert details["sockets"]["ESTABLISHED"] >= 1
    else:
        assert details["sockets"] == {}
    # Said again only once it has been better, or a minute later.
    limit[0] = 10 * count
    guard.check()
    limit[0] = count + 1
    guard.check()
    assert len(events) == 2
    httpguard.touch(held)
    guard.advance(100)
    guard.check()
    names = [event.name for event in events]
    assert names.count(FD_PRESSURE) == 3
    held.close()
    session.close()


def test_enough_descriptors_left(
    guard: GuardControl, server: Server, events: list[Event]
) -> None:
    guard.install()
    session = requests.Session()
    held = session.get(server.url("/bytes/90000"), stream=True)
    guard.check()
    assert events == []
    held.close()


OUT_OF_FILES = """
import logging, resource, sys
logging.basicConfig(level="INFO", format="%(message)s")
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
import httpguard; httpguard.install(check_interval=0)
import requests
session = requests.Session()
kept = []
try:
    while True:
        kept.append(session.get(sys.argv[1], stream=True))  # LEAK
except requests.ConnectionError:
    # A few for the report: modules and sources are read for it.
    for response in kept[:6]:
        response.close()
    httpguard.check()
    kept.clear()
"""


def test_too_many_open_files(server: Server, tmp_path: Path) -> None:
    path = write(tmp_path / "app.py", OUT_OF_FILES)
    done = run(path, server.url("/bytes/90000"), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.search(
        r"^fd pressure: 5\d of 64 file descriptors", done.stderr, re.MULTILINE
    )
    place = f"opened at app.py:{line_of(OUT_OF_FILES, '# LEAK')} in <module>"
    assert f"open responses, {place}" in done.stderr


OUT_OF_FILES_BY_SESSIONS = """
import logging, resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
logging.basicConfig(format="%(message)s", level="INFO")
import httpguard; httpguard.install(check_interval=float(sys.argv[2]))
import requests
def a_session():
    session = requests.Session()  # a session
    session.get(sys.argv[1])
    return session
def an_answer():
    return requests.get(sys.argv[1])  # an answer
def a_closed_session():
    with requests.Session() as session:  # a closed session
        return session.get(sys.argv[1])
kind = sys.argv[3].replace(" ", "_")
kept = [globals()[kind]() for _ in range(52)]
httpguard.check()
"""


@pytest.mark.parametrize("kept", ["a session", "an answer", "a closed session"])
@pytest.mark.parametrize("interval", ["0", "0.01"])
def test_too_many_files_without_one_streamed_response(
    server: Server, tmp_path: Path, kept: str, interval: str
) -> None:
    path = write(tmp_path / "app.py", OUT_OF_FILES_BY_SESSIONS)
    done = run(path, server.url("/bytes/9"), interval, kept, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    head, *lines = done.stderr.splitlines()
    assert re.match(r"fd pressure: 5\d of 64 file descriptors", head), done.stderr
    place = f"app.py:{line_of(OUT_OF_FILES_BY_SESSIONS, f'# {kept}')} in "
    (found,) = re.findall(rf"> (\d+) connections kept by .* {place}", lines[0])
    assert int(found) >= 45, done.stderr
    assert len([line for line in lines if "connections kept by" in line]) == 1


def test_few_files_without_one_streamed_response(
    server: Server, tmp_path: Path
) -> None:
    source = OUT_OF_FILES_BY_SESSIONS.replace("kept = [", "[").replace("(52)", "(99)")
    path = write(tmp_path / "app.py", source.replace("[globals", "[bool(globals"))
    path.write_text(path.read_text().replace("[kind]()", "[kind]())"))
    done = run(path, server.url("/bytes/9"), "0.01", "an answer", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_begins_anew(server: Server, tmp_path: Path) -> None:
    source = """
    import os, sys
    import httpguard; httpguard.install(check_interval=0)
    import urllib3
    pool = urllib3.PoolManager()
    pool.request("GET", sys.argv[1])
    if os.fork() == 0:
        urllib3.PoolManager().request("GET", sys.argv[1])
        print(httpguard.snapshot().counters["connected"], flush=True)
        os._exit(0)
    os.wait()
    print(httpguard.snapshot().counters["connected"])
    """
    done = run(write(tmp_path / "app.py", source), server.url("/lines"))
    assert done.stdout == "1\n1\n", done.stderr


def test_everything_comes_off(guard: GuardControl) -> None:
    owners = (urllib3.HTTPConnectionPool, urllib3.PoolManager, requests.Session)
    before = [dict(vars(owner)) for owner in owners]
    guard.install()
    assert vars(urllib3.HTTPConnectionPool)["_get_conn"] is not before[0]["_get_conn"]
    httpguard.uninstall()
    assert [dict(vars(owner)) for owner in owners] == before


def test_structlog_gets_sites_as_text(
    guard: GuardControl, server: Server, events: list[Event]
) -> None:
    from httpguard._text.events import render

    guard.install(max_wait=0)
    pool = blocking(server, 1)
    held = pool.urlopen("GET", "/bytes/90000", preload_content=False)
    waiting = Waiting(pool)
    guard.check()
    held.drain_conn()
    waiting.join()
    rendered = render(events[0])
    assert rendered is not None
    fields = rendered.fields
    (waiter,) = fields["waiters"]
    assert waiter["site"] == f"{__file__}:{line('WAITS')} in ask"
    assert (fields["waiting"], fields["open_now"]) == (1, 1)
