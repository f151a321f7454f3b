"""Threads, fork, gevent, asyncio, and the end of the interpreter."""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest
import requests

import httpguard
from httpguard._guard.watcher import THREAD_NAME, Watcher
from httpguard._model.threads import OwnThread
from httpguard._process import process as _process
from tests.program import no_watchers, run, watchers, write

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import GuardControl
    from tests.server import Server


@pytest.fixture
def url(server: Server) -> str:
    return server.url("/bytes/90000")


def test_the_watcher_starts_with_the_first_lease(url: str) -> None:
    httpguard.install(check_interval=60)
    guard = _process.current()
    assert guard is not None
    requests.get(url)
    assert (watchers(), guard.attentive) == ([], True)
    response = requests.get(url, stream=True)
    (thread,) = watchers()
    assert not guard.attentive  # The next leases cost less.
    requests.get(url, stream=True).close()
    assert watchers() == [thread]
    response.close()
    httpguard.uninstall()
    assert no_watchers()


def test_the_watcher_finds_without_any_call(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    httpguard.install(check_interval=0.01, max_idle=0.01)
    kept = requests.get(url, stream=True)
    deadline = time.monotonic() + 30
    while "leak held" not in caplog.text and time.monotonic() < deadline:
        time.sleep(0.01)
    assert caplog.text.count("leak held") == 1
    kept.close()
    httpguard.uninstall()


def test_a_new_interval_replaces_the_thread(url: str) -> None:
    httpguard.install(check_interval=60)
    response = requests.get(url, stream=True)
    assert len(watchers()) == 1
    httpguard.install(check_interval=0)
    assert no_watchers()
    httpguard.install(check_interval=60)
    requests.get(url, stream=True).close()
    assert len(watchers()) == 1
    response.close()
    httpguard.uninstall()


def test_a_request_under_way_starts_no_watcher_of_a_guard_that_is_gone(
    url: str,
) -> None:
    httpguard.install(check_interval=60)
    guard = _process.current()
    assert guard is not None
    requests.get(url, stream=True).close()
    assert len(watchers()) == 1
    httpguard.uninstall()
    assert no_watchers()
    guard.attend()  # As what began before does in another thread.
    assert watchers() == []


def test_guarded_calls_sweep_where_no_thread_does(
    guard: GuardControl, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    guard.install(check_interval=0)
    kept = requests.get(url, stream=True)
    guard.advance(100)
    requests.get(url)
    assert caplog.text.count("leak held") == 1
    kept.close()


def test_leaks_of_many_threads_are_all_counted(guard: GuardControl, url: str) -> None:
    guard.install()

    def work() -> None:
        for _ in range(20):
            requests.get(url, stream=True)

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    state = guard.check()
    assert [leak.count for leak in state.leaks] == [320]
    assert (state.counters["opened"], state.counters["dropped"]) == (320, 320)
    assert state.open == ()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_starts_anew(url: str, tmp_path: Path) -> None:
    source = """
    import os, sys, threading, time, warnings
    warnings.simplefilter("error")
    import httpguard; httpguard.install(check_interval=0.02)
    from httpguard._process import process as _process
    from tests.program import watchers
    import requests
    def drop():
        requests.get(sys.argv[1], stream=True)
    kept = requests.get(sys.argv[1], stream=True)
    drop(); httpguard.check()
    pid = os.fork()
    if pid == 0:
        before = httpguard.snapshot()
        assert not before.leaks and not before.open, before
        del kept
        assert not httpguard.check().leaks
        table = _process.current().table
        drop()
        deadline = time.monotonic() + 20
        while not table.total and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.2)  # For the watcher to say it.
        counts = [leak.count for leak in httpguard.snapshot().leaks]
        print("child", counts, len(watchers()), flush=True)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    state = httpguard.snapshot()
    print("parent", len(state.open), [leak.count for leak in state.leaks],
          len(watchers()), flush=True)
    kept.close()
    """
    done = run(write(tmp_path / "app.py", source), url)
    assert done.stdout == "child [1] 1\nparent 1 [1] 1\n", done.stderr
    assert done.stderr.count("leak dropped") == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_worker_of_multiprocessing_reports_its_own(url: str, tmp_path: Path) -> None:
    source = """
    import multiprocessing, sys
    import httpguard
    import requests
    def drop(url):
        requests.get(url, stream=True)
    if __name__ == "__main__":
        httpguard.install()
        context = multiprocessing.get_context("fork")
        worker = context.Process(target=drop, args=(sys.argv[1],))
        worker.start(); worker.join()
        assert not httpguard.check().leaks
    """
    done = run(write(tmp_path / "app.py", source), url)
    assert done.stderr.count("leak dropped") == 1, done.stderr


def test_gevent(url: str, server: Server, tmp_path: Path) -> None:
    pytest.importorskip("gevent")
    source = """
    from gevent import monkey; monkey.patch_all()
    import gevent, sys, time
    import httpguard; httpguard.install(check_interval=0.02, max_idle=0.1)
    import requests
    def drop():
        requests.get(sys.argv[1], stream=True)
    def read():
        with requests.get(sys.argv[2], stream=True) as response:
            for _ in response.iter_content(1): pass
    reader = gevent.spawn(read)
    gevent.joinall([gevent.spawn(drop) for _ in range(5)])
    gevent.sleep(0.5)
    end = time.monotonic() + 30
    while httpguard.snapshot().counters["dropped"] < 5 and time.monotonic() < end:
        gevent.sleep(0.01)
    state = httpguard.snapshot()
    print([(str(leak.kind), leak.count, leak.site.function) for leak in state.leaks],
          len(state.open))
    reader.kill()
    """
    done = run(write(tmp_path / "app.py", source), url, server.url("/slow"))
    assert done.stdout == "[('dropped', 5, 'drop')] 1\n", done.stderr
    assert "Traceback" not in done.stderr


def test_gevent_and_a_frozen_heap(url: str, server: Server, tmp_path: Path) -> None:
    """No walk over all objects finds a greenlet that was there at `gc.freeze`."""
    pytest.importorskip("gevent")
    source = """
    from gevent import monkey; monkey.patch_all()
    import gc, gevent, sys, time
    import httpguard; httpguard.install(check_interval=0.02, max_idle=0.3)
    import requests
    kept = []
    def keep():
        kept.append(requests.get(sys.argv[1], stream=True))
        gevent.sleep(60)
    def read():
        with requests.get(sys.argv[2], stream=True) as response:
            for _ in response.iter_content(1): pass
    greenlets = [gevent.spawn(read), gevent.spawn(keep)]
    while len(httpguard.snapshot().open) < 2: gevent.sleep(0.01)
    gc.freeze()
    gevent.sleep(1)
    end = time.monotonic() + 30
    while not httpguard.snapshot().leaks and time.monotonic() < end:
        gevent.sleep(0.01)
    state = httpguard.snapshot()
    print([(str(leak.kind), leak.count, leak.site.function) for leak in state.leaks],
          len(state.open))
    gevent.killall(greenlets)
    """
    done = run(write(tmp_path / "app.py", source), url, server.url("/slow"))
    assert done.stdout == "[('held', 1, 'keep')] 2\n", done.stderr
    assert "Traceback" not in done.stderr


def test_asyncio_threads(guard: GuardControl, url: str) -> None:
    import asyncio

    guard.install()

    async def main() -> None:
        await asyncio.gather(*[asyncio.to_thread(drop, url) for _ in range(8)])

    asyncio.run(main())
    (leak,) = guard.check().leaks
    assert (leak.count, leak.site.function) == (8, "drop")


def drop(url: str) -> None:
    requests.get(url, stream=True)


@pytest.mark.parametrize("flags", [["-X", "dev", "-W", "error"], ["-O"], ["-OO"]])
def test_interpreter_modes_with_responses_open_at_exit(
    url: str, tmp_path: Path, flags: list[str]
) -> None:
    source = """
    import sys, threading
    import httpguard; httpguard.install(check_interval=0.01)
    import urllib3
    pool = urllib3.PoolManager()
    kept = [pool.request("GET", sys.argv[1], preload_content=False) for _ in range(3)]
    threading.Thread(target=threading.Event().wait, daemon=True).start()
    print(len(httpguard.snapshot().open))
    """
    before = time.monotonic()
    done = run(*flags, write(tmp_path / "app.py", source), url)
    assert done.stdout == "3\n"
    assert "Traceback" not in done.stderr
    assert "leak" not in done.stderr.replace("ResourceWarning", "")
    assert time.monotonic() - before < 30


def test_a_closed_stderr_hurts_nobody(url: str, tmp_path: Path) -> None:
    source = """
    import os, sys
    import httpguard; httpguard.install(check_interval=0)
    import requests
    os.close(2)
    requests.get(sys.argv[1], stream=True)
    httpguard.check()
    print("fine")
    """
    done = run(write(tmp_path / "app.py", source), url)
    assert (done.returncode, done.stdout) == (0, "fine\n")


@pytest.mark.skipif(sys.version_info < (3, 12), reason="the warning is of 3.12")
def test_our_thread_makes_nobodys_fork_warn(url: str, tmp_path: Path) -> None:
    source = """
    import os, sys, warnings
    warnings.simplefilter("error")
    import httpguard; httpguard.install(check_interval=60)
    import requests
    kept = requests.get(sys.argv[1], stream=True)
    for _ in range(20):
        pid = os.fork()
        if not pid:
            os._exit(0)
        os.waitpid(pid, 0)
    print("fine")
    """
    done = run(write(tmp_path / "app.py", source), url)
    assert done.stdout == "fine\n", done.stderr


def test_a_program_waits_until_it_is_alone(url: str, tmp_path: Path) -> None:
    source = """
    import logging, sys, threading, time
    import httpguard
    class Slow(logging.StreamHandler):
        def format(self, record):
            names.add(record.threadName)
            return super().format(record)
    names = set()
    logging.basicConfig(handlers=[Slow()])
    httpguard.install(check_interval=0.01, max_idle=0.01)
    import requests
    def work():
        kept.append(requests.get(sys.argv[1], stream=True))
    kept = []
    for _ in range(3):
        threading.Thread(target=work).start()
    for thread in threading.enumerate():
        if thread is not threading.main_thread():
            thread.join()
    while not names:
        time.sleep(0.01)
    while threading.active_count() > 1:
        time.sleep(0.001)
    httpguard.install(check_interval=60)
    while threading.enumerate() != [threading.main_thread()]:
        time.sleep(0.001)
    print(names, len(httpguard.snapshot().leaks))
    """
    done = run(write(tmp_path / "app.py", source), url)
    assert done.stdout == "{'httpguard-watcher'} 1\n", done.stderr


def test_whoever_joins_each_thread_does_not_wait_for_ours() -> None:
    ours = OwnThread(target=threading.Event().wait)
    ours.start()
    assert ours in threading.enumerate()
    ours.join()
    ours.join(0)
    assert ours.is_alive()
    ours.hide()
    assert ours not in threading.enumerate()


def test_a_thread_of_ours_ends_as_any_does() -> None:
    go = threading.Event()
    ours = OwnThread(target=go.wait)
    ours.start()
    ours.hide()
    go.set()
    ours.join(30)
    ours.hide()
    assert ours not in threading.enumerate()
    assert not ours.is_alive()


def test_no_thread_can_be_started(
    guard: GuardControl, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name == THREAD_NAME:
            raise RuntimeError("can't start new thread")
        start(thread)

    guard.install(check_interval=60)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        requests.get(url, stream=True)
    assert watchers() == []
    # The next lease tries again.
    requests.get(url, stream=True).close()
    assert len(watchers()) == 1
    assert guard.check().counters["errors"] == 0


def test_the_watcher_pauses_around_a_fork() -> None:
    swept = threading.Event()
    watcher = Watcher(swept.set, 0.01)
    watcher.resume()
    assert watcher.idle
    watcher.start()
    watcher.start()
    assert swept.wait(60)
    watcher.pause()
    swept.clear()
    assert not swept.wait(0.1)
    watcher.resume()
    assert swept.wait(60)
    watcher.stop()
    watcher.resume()
    assert watcher.idle


def test_a_fork_waits_for_another_ones_end_in_vain() -> None:
    swept = threading.Event()
    watcher = Watcher(swept.set, 0.01)
    watcher.start()
    watcher.pause()

    gone_on = threading.Event()

    def fork() -> None:
        watcher.pause()
        watcher.resume()
        gone_on.set()

    other = threading.Thread(target=fork)
    other.start()
    other.join()
    assert gone_on.is_set()
    watcher.resume()
    swept.clear()
    assert swept.wait(60)
    watcher.stop()


def test_a_finalizer_may_check_inside_a_sweep(guard: GuardControl, url: str) -> None:
    guard.install()
    current = _process.current()
    assert current is not None
    seen = []

    current.sweep(lambda: seen.append(httpguard.check()))
    assert len(seen) == 1
