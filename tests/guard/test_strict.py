"""Strict mode: LeakError in the application's own thread, each leak once."""

from __future__ import annotations

import asyncio
import contextvars
import pickle
import threading
from typing import TYPE_CHECKING

import pytest
import requests
import urllib3

import httpguard
from httpguard import LeakError, LeakKind
from tests.program import run, write
from tests.running import guarded

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import GuardControl
    from tests.server import Server


@pytest.fixture
def url(server: Server) -> str:
    return server.url("/bytes/90000")


def leak(url: str) -> None:
    requests.get(url, stream=True)


def other_leak(url: str) -> None:
    requests.get(url, stream=True)


@pytest.mark.parametrize("check_interval", [0, 60])
def test_the_next_request_raises_once(
    guard: GuardControl, url: str, check_interval: int
) -> None:
    guard.install(strict=True, check_interval=check_interval)
    leak(url)
    with pytest.raises(LeakError) as caught:
        requests.get(url)
    assert [(item.kind, item.count) for item in caught.value.leaks] == [
        (LeakKind.DROPPED, 1)
    ]
    line = leak.__code__.co_firstlineno + 1
    assert f"test_strict.py:{line} in leak" in str(caught.value)
    assert requests.get(url).status_code == 200
    leak(url)
    with pytest.raises(LeakError):
        guard.check()
    assert guard.check().counters["dropped"] == 2


def test_urllib3_requests_raise_too(guard: GuardControl, url: str) -> None:
    guard.install(strict=True)
    pool = urllib3.PoolManager()
    pool.request("GET", url, preload_content=False)
    with pytest.raises(LeakError):
        pool.request("GET", url)
    assert len(pool.request("GET", url).data) == 90000


def test_max_leaks_are_forgiven(guard: GuardControl, url: str) -> None:
    guard.install(strict=True, max_leaks=2)
    leak(url)
    other_leak(url)
    guard.check()
    leak(url)
    with pytest.raises(LeakError) as caught:
        guard.check()
    text = str(caught.value)
    assert "3 leaked responses (max_leaks=2)" in text
    assert "in leak ·" in text
    assert "in other_leak ·" in text
    assert sorted(item.count for item in caught.value.leaks) == [1, 2]


def test_by_the_environment(
    monkeypatch: pytest.MonkeyPatch, guard: GuardControl, url: str
) -> None:
    monkeypatch.setenv("HTTPGUARD_STRICT", "1")
    httpguard.install()
    leak(url)
    with pytest.raises(LeakError):
        httpguard.check()


def test_max_open_closes_and_raises(guard: GuardControl, url: str) -> None:
    guard.install(strict=True, max_open=2)
    session = requests.Session()
    kept = [session.get(url, stream=True) for _ in range(2)]
    with pytest.raises(LeakError) as caught:
        session.get(url, stream=True)
    assert "3 at once, max_open is 2" in str(caught.value)
    assert "test_max_open_closes_and_raises" in str(caught.value)
    assert sum(item.count for item in caught.value.leaks) == 3
    state = guard.check()
    assert (len(state.open), state.counters["too_many_open"]) == (2, 1)
    kept.pop().close()
    session.get(url, stream=True).close()
    kept.pop().close()
    assert guard.check().leaks == ()


def test_max_open_leaves_an_error_of_the_program_alone(
    guard: GuardControl, url: str
) -> None:
    guard.install(strict=True, max_open=1)
    kept = requests.get(url, stream=True)

    def refuse(*_args: object, **_options: object) -> None:
        raise LookupError

    with pytest.raises(LookupError):
        requests.get(url, hooks={"response": refuse})
    kept.close()


def test_max_open_gives_the_slot_back(guard: GuardControl, server: Server) -> None:
    guard.install(strict=True, max_open=1)
    pool = urllib3.HTTPConnectionPool(server.host, server.port, maxsize=2, block=True)
    kept = pool.request("GET", "/bytes/90000", preload_content=False)
    for _ in range(5):
        with pytest.raises(LeakError):
            pool.request(
                "GET", "/bytes/90000", preload_content=False, pool_timeout=0.01
            )
    kept.drain_conn()
    pool.request("GET", "/bytes/10", pool_timeout=0.01)
    assert guard.check().leaks == ()


def test_max_open_is_only_reported_without_strict(
    guard: GuardControl, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    guard.install(max_open=1)
    kept = [requests.get(url, stream=True) for _ in range(3)]
    assert "too many open responses: 2 at once, max_open is 1" in caplog.text
    assert guard.check().counters["too_many_open"] == 2
    for response in kept:
        response.close()


def test_plain_calls_are_no_crowd(guard: GuardControl, url: str) -> None:
    guard.install(strict=True, max_open=1)
    failures: list[Exception] = []

    def work() -> None:
        try:
            for _ in range(3):
                requests.get(url)
                urllib3.PoolManager().request("GET", url)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert guard.check().counters["opened"] == 0


def test_allowed_and_ignored_responses_are_no_crowd(
    guard: GuardControl, server: Server
) -> None:
    guard.install(strict=True, max_open=1, ignore=("*/chunked/*",))
    with httpguard.allow("by design"):
        kept = [requests.get(server.url("/bytes/90000"), stream=True)]
    kept.append(requests.get(server.url("/chunked/5"), stream=True))
    kept.append(requests.get(server.url("/bytes/90000"), stream=True))
    with pytest.raises(LeakError):
        requests.get(server.url("/bytes/90000"), stream=True)
    for response in kept:
        response.close()


def test_it_never_rises_in_another_thread(guard: GuardControl, url: str) -> None:
    guard.install(strict=True, check_interval=0.01)
    leak(url)
    seen = threading.Event()
    raised: list[BaseException] = []
    threading.excepthook, before = (
        lambda details: raised.append(details.exc_value or SystemExit()),
        threading.excepthook,
    )
    try:
        while not httpguard.snapshot().leaks and not seen.wait(0.01):
            pass
    finally:
        threading.excepthook = before
    assert raised == []
    with pytest.raises(LeakError):
        requests.get(url)


def caught_in(function: Callable[[], object]) -> LeakError | None:
    """What a guarded call raises of other people's leaks."""
    try:
        function()
    except LeakError as error:
        return error
    return None


def test_an_innocent_exporter_keeps_its_batch(guard: GuardControl, url: str) -> None:
    guard.install(strict=True, check_interval=0.01)
    leaked, exported = threading.Event(), threading.Event()
    sent: list[bytes] = []
    raised: list[LeakError | None] = []

    def export() -> None:
        leaked.wait()
        while not httpguard.snapshot().leaks:
            pass
        batch = [lambda: sent.append(requests.get(url).content)] * 3
        raised.extend(caught_in(send) for send in batch)
        exported.set()

    exporter = threading.Thread(target=export)
    exporter.start()
    leak(url)
    leaked.set()
    exported.wait()
    exporter.join()
    assert (len(sent), raised) == (3, [None] * 3)
    with pytest.raises(LeakError, match=r"in leak "):
        requests.get(url)
    assert guard.check().counters["dropped"] == 1


def test_the_next_thread_does_not_inherit_from_one_that_ended(
    guard: GuardControl, url: str
) -> None:
    guard.install(strict=True)
    raised: list[LeakError | None] = []
    idents = set()

    def work(number: int) -> None:
        idents.add(threading.get_ident())
        if number == 0:
            leak(url)
        else:
            raised.append(caught_in(lambda: requests.get(url)))

    for number in range(5):
        thread = threading.Thread(target=work, args=(number,))
        thread.start()
        thread.join()
    # Python gives the number of a thread that has ended to the next one.
    assert len(idents) < 5
    assert raised == [None] * 4
    assert caught_in(lambda: requests.get(url)) is None
    with pytest.raises(LeakError, match=r"in leak "):
        guard.check()
    guard.check()


def test_tasks_of_one_thread(guard: GuardControl, url: str) -> None:
    guard.install(strict=True)
    raised: dict[str, LeakError | None] = {}

    async def main() -> None:
        leaked, asked = asyncio.Event(), asyncio.Event()

        async def guilty() -> None:
            leak(url)
            leaked.set()
            await asked.wait()
            raised["guilty"] = caught_in(lambda: requests.get(url))

        async def innocent() -> None:
            await leaked.wait()
            raised["innocent"] = caught_in(lambda: requests.get(url))
            asked.set()

        await asyncio.gather(guilty(), innocent())
        raised["main"] = caught_in(lambda: requests.get(url))

    asyncio.run(main())
    assert raised["innocent"] is raised["main"] is None
    assert "in leak " in str(raised["guilty"])
    guard.check()


def test_what_an_ended_task_left_rises_in_its_thread(
    guard: GuardControl, url: str
) -> None:
    guard.install(strict=True)

    async def main() -> None:
        async def guilty() -> None:
            leak(url)

        await asyncio.create_task(guilty())
        assert caught_in(lambda: requests.get(url)) is None

    asyncio.run(main())
    with pytest.raises(LeakError, match=r"in leak "):
        requests.get(url)


def test_each_leak_rises_once_in_threads_that_ask_at_once(
    guard: GuardControl, url: str
) -> None:
    guard.install(strict=True)
    raised: list[LeakError] = []

    def work() -> None:
        for _ in range(5):
            leak(url)
            error = caught_in(lambda: requests.get(url)) or caught_in(guard.check)
            if error is not None:
                raised.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    error = caught_in(guard.check)
    if error is not None:
        raised.append(error)
    assert sum(leak.count for error in raised for leak in error.leaks) == 20


def test_a_scope_raises_what_its_threads_have_left(
    guard: GuardControl, url: str
) -> None:
    guard.install(strict=True)
    with pytest.raises(LeakError, match=r"in leak "), httpguard.no_leaks():
        context = contextvars.copy_context()
        thread = threading.Thread(target=context.run, args=(leak, url))
        thread.start()
        thread.join()
        assert caught_in(lambda: requests.get(url)) is None
    guard.check()


GREENLETS = """
import sys
from gevent import monkey; monkey.patch_all()
import gevent, gc
import httpguard; httpguard.install(strict=True, check_interval=0)
import requests
def caught(innocent):
    try:
        requests.get(sys.argv[1])
    except httpguard.LeakError as error:
        return [leak.count for leak in error.leaks]
def guilty():
    requests.get(sys.argv[1], stream=True)
    gevent.sleep(0)
    dropped.set()
    asked.wait()
    return caught(False)
def innocent():
    found = caught(True)
    asked.set()
    return found
from gevent.event import Event
asked, dropped = Event(), Event()
work = [gevent.spawn(guilty)]
dropped.wait()
work.append(gevent.spawn(innocent))
gevent.joinall(work, raise_error=True)
print([one.value for one in work])
gone = gevent.spawn(requests.get, sys.argv[1], stream=True)
gone.join()
del gone
found = [gevent.spawn(caught, True) for _ in range(5)]
gevent.joinall(found)
print([one.value for one in found], caught(True))
try:
    httpguard.check()
except httpguard.LeakError as error:
    print([leak.count for leak in error.leaks])
"""


def test_greenlets_of_one_thread(server: Server, tmp_path: Path) -> None:
    pytest.importorskip("gevent")
    done = run(write(tmp_path / "app.py", GREENLETS), server.url("/bytes/90000"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "[[1], None]",
        "[None, None, None, None, None] None",
        "[1]",
    ], done.stderr


def test_the_end_of_a_run_knows_what_ended_threads_left(
    server: Server, tmp_path: Path
) -> None:
    source = """
    import sys, threading
    import requests
    def work():
        response = requests.get(sys.argv[1], stream=True)
        if sys.argv[2] == "close":
            response.close()
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    requests.get(sys.argv[1])
    print("the end")
    """
    program = write(tmp_path / "app.py", source)
    for how, code in (("drop", 23), ("close", 0)):
        done = guarded("--strict", program, server.url("/bytes/90000"), how)
        assert (done.returncode, done.stdout) == (code, "the end\n"), done.stderr


def test_leak_error_survives_pickling(guard: GuardControl, url: str) -> None:
    guard.install(strict=True)
    leak(url)
    with pytest.raises(LeakError) as caught:
        guard.check()
    copy = pickle.loads(pickle.dumps(caught.value))
    assert str(copy) == str(caught.value)
    assert copy.leaks == caught.value.leaks
