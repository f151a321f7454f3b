"""A sweep lets the program's threads go on, and changes nothing by that."""

from __future__ import annotations

import signal
import threading
import time
from typing import TYPE_CHECKING

import pytest
import urllib3

from httpguard import LeakKind
from httpguard._guard.watcher import Watcher
from httpguard._leases import detector
from httpguard._process import process as _process
from tests.program import line_of, run, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import GuardControl
    from tests.server import Server

SIZE = 6


@pytest.fixture
def rests(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """After every second lease; the name of the thread at each."""
    noted: list[str] = []
    monkeypatch.setattr(detector, "_SLICE", 2)
    monkeypatch.setattr(
        Watcher, "rest", lambda _: noted.append(threading.current_thread().name)
    )
    return noted


def open_some(server: Server) -> list[urllib3.BaseHTTPResponse]:
    pools = urllib3.PoolManager()
    url = server.url("/bytes/90000")
    return [pools.request("GET", url, preload_content=False) for _ in range(SIZE)]


def test_a_sweep_rests_between_leases(
    guard: GuardControl, server: Server, rests: list[str]
) -> None:
    guard.install()
    responses = open_some(server)
    rests.clear()
    assert guard.check().leaks == ()
    assert len(rests) == SIZE // 2
    rests.clear()
    guard.advance(100)
    (leak,) = guard.check().leaks
    assert (leak.kind, leak.count) == (LeakKind.HELD, SIZE)
    # And between suspects.
    assert len(rests) == SIZE
    for response in responses:
        response.release_conn()


def test_a_sweep_that_rests_keeps_nothing(
    guard: GuardControl, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the program drops meanwhile dies there and then, and is judged."""
    responses: list[urllib3.BaseHTTPResponse] = []
    dead: list[int] = []

    def drop(_: Watcher) -> None:
        responses.clear()
        current = _process.current()
        assert current is not None
        dead.append(len(current.registry.dead))

    monkeypatch.setattr(detector, "_SLICE", 2)
    monkeypatch.setattr(Watcher, "rest", drop)
    guard.install()
    responses += open_some(server)
    guard.advance(100)
    guard.check()
    assert dead[0] == SIZE
    (leak,) = guard.check().leaks
    assert (leak.kind, leak.count) == (LeakKind.DROPPED, SIZE)


def test_who_reads_while_it_rests_is_innocent(
    guard: GuardControl, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waited as the sweep began, and is past that as readers are sought."""
    late: list[Callable[[], object]] = []
    monkeypatch.setattr(Watcher, "rest", lambda _: late and late.pop()())
    guard.install()
    response = urllib3.PoolManager().request(
        "GET", server.url("/bytes/90000"), preload_content=False
    )
    guard.check()
    guard.advance(100)
    late.append(lambda: response.read(10))
    assert guard.check().leaks == ()
    assert late == []
    guard.advance(59)
    assert guard.check().leaks == ()
    guard.advance(2)
    (leak,) = guard.check().leaks
    assert (leak.kind, leak.count, leak.bytes_read) == (LeakKind.HELD, 1, 10)
    assert leak.site.function == "test_who_reads_while_it_rests_is_innocent"
    response.release_conn()


def test_only_the_watcher_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever calls `check` waits for the answer."""
    slept: list[str] = []
    done = threading.Event()

    def sleep(_: float) -> None:
        slept.append(threading.current_thread().name)

    def sweep() -> None:
        watcher.rest()
        done.set()

    monkeypatch.setattr("httpguard._guard.watcher._sleep", sleep)
    watcher = Watcher(sweep, 0.001)
    watcher.start()
    watcher.rest()
    assert done.wait(30)
    watcher.stop(10)
    assert set(slept) == {"httpguard-watcher"}


def test_a_stop_in_the_middle_of_a_sweep_is_noted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("httpguard._guard.watcher._STILL", 0.2)
    late: list[float] = []
    done = threading.Event()

    def sweep() -> None:
        if not late:
            time.sleep(0.5)  # As if the process were stopped.

    def note(seconds: float) -> None:
        late.append(seconds)
        done.set()

    watcher = Watcher(sweep, 0.001, stood_still=note)
    watcher.start()
    assert done.wait(30)
    watcher.stop(10)
    assert late[0] > 0.4


def test_another_thread_may_be_the_first_to_run_after_a_stop() -> None:
    late: list[float] = []
    now, waits = [0.0], threading.Event()
    watcher = Watcher(
        lambda: None,
        60,
        waits.set,
        late.append,
        clock=lambda: now[0],
    )
    watcher.start()
    assert waits.wait(30)
    now[0] = 59.0
    watcher.look_back()
    assert late == []
    now[0] = 100.0
    deadline = time.perf_counter() + 30
    while not late and time.perf_counter() < deadline:  # It is about to wait.
        watcher.look_back()
    assert late == [40]
    # Asked again before the watcher has its turn: those seconds count once.
    for now[0] in (100.0, 100.5, 101.5, 101.5):
        watcher.look_back()
    watcher.stop(30)
    assert late == [40, 1.5]


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs SIGSTOP")
def test_time_in_which_the_process_is_stopped_is_not_idle(
    server: Server, tmp_path: Path
) -> None:
    source = """
    import subprocess, sys, time
    import httpguard; httpguard.install(check_interval=0.02, max_idle=4)
    import requests
    parked = requests.get(sys.argv[1], stream=True)  # LEAK
    response = requests.get(sys.argv[1], stream=True)
    parts = response.iter_content(1000)
    stop = "kill -STOP $PPID; sleep 5; kill -CONT $PPID"
    stopped = subprocess.Popen(["sh", "-c", stop])
    while stopped.poll() is None:
        next(parts)
        time.sleep(0.05)
    early = httpguard.check().leaks
    for _ in range(100):
        next(parts)
        time.sleep(0.05)
    for leak in httpguard.check().leaks:
        print(len(early), leak.kind, leak.count, leak.site.lineno)
    """
    program = write(tmp_path / "app.py", source)
    done = run(program, server.url("/bytes/900000"))
    assert done.stdout == f"0 held 1 {line_of(source, '# LEAK')}\n", done.stderr
