"""`no_leaks` and the threads that work for it when nobody waits for them any more."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
import pytest
import requests

import httpguard
from httpguard import LeakError, LeakKind
from httpguard._api import ending

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.conftest import GuardControl
    from tests.server import Server

    Work = Callable[[str, threading.Event], None]

pytestmark = pytest.mark.usefixtures("small_heap")


def leave_open(url: str, go: threading.Event) -> None:
    go.wait()
    requests.get(url, stream=True)  # LEAK


def close(url: str, go: threading.Event) -> None:
    go.wait()
    requests.get(url, stream=True).close()


def announce(begun: threading.Event, work: Work, *args: Any) -> None:
    begun.set()
    work(*args)


@pytest.fixture
def url(server: Server) -> str:
    return server.url("/bytes/90000")


async def give_up(work: Work, url: str, go: threading.Event) -> None:
    """The call goes on in its thread."""
    begun = threading.Event()
    call = asyncio.to_thread(announce, begun, work, url, go)
    waiting = asyncio.create_task(asyncio.wait_for(call, 60))
    while not begun.is_set():  # noqa: ASYNC110  # It is a thread that sets it.
        await asyncio.sleep(0.001)
    waiting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await waiting


async def give_up_anyio(work: Work, url: str, go: threading.Event) -> None:
    begun = threading.Event()
    call = functools.partial(announce, begun, work, url, go)
    async with anyio.create_task_group() as group:
        run = functools.partial(anyio.to_thread.run_sync, abandon_on_cancel=True)
        group.start_soon(run, call)
        while not begun.is_set():  # noqa: ASYNC110  # It is a thread that sets it.
            await anyio.sleep(0.001)
        group.cancel_scope.cancel()


async def give_up_thread(work: Work, url: str, go: threading.Event) -> None:
    run = contextvars.copy_context().run
    begun = threading.Event()
    args = (announce, begun, work, url, go)
    threading.Thread(target=run, args=args, daemon=True).start()
    begun.wait()


WAYS = [give_up, give_up_anyio, give_up_thread]


@pytest.mark.parametrize("way", WAYS)
def test_what_a_call_opens_after_nobody_waits_for_it(
    guard: GuardControl, url: str, way: Callable[..., Awaitable[None]]
) -> None:
    guard.install()
    go = threading.Event()

    async def main(work: Work) -> None:
        go.clear()
        async with httpguard.no_leaks():
            await way(work, url, go)
            # Other tasks of the loop run while the scope's end waits.
            asyncio.get_running_loop().call_later(0.05, go.set)

    asyncio.run(main(close))
    with pytest.raises(LeakError) as caught:
        asyncio.run(main(leave_open))
    (leak,) = caught.value.leaks
    assert leak.kind in {LeakKind.DROPPED, LeakKind.OPEN}
    assert leak.site.function == "leave_open"
    assert leak.count == 1


def test_sync_scopes_wait_too(guard: GuardControl, url: str) -> None:
    guard.install(follow_executors=True)
    with ThreadPoolExecutor(1) as executor:
        for work, leaks in ((close, 0), (leave_open, 1)):
            begun, go = threading.Event(), threading.Event()
            caught = 0
            try:
                with httpguard.no_leaks():
                    context = contextvars.copy_context()
                    run = functools.partial(context.run, announce, begun, work)
                    executor.submit(functools.partial(run, url, go))
                    begun.wait()
                    threading.Timer(0.05, go.set).start()
            except LeakError as error:
                caught = sum(leak.count for leak in error.leaks)
            assert caught == leaks


@pytest.mark.timeout(60)
def test_a_stopped_clock_of_the_loop_stops_no_end(
    guard: GuardControl, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of freezegun, or of a test that waits for no `asyncio.sleep`."""
    guard.install()
    go = threading.Event()

    async def main(work: Work) -> None:
        go.clear()
        loop = asyncio.get_running_loop()
        now = loop.time()
        with monkeypatch.context() as patch:
            async with httpguard.no_leaks():
                await give_up(work, url, go)
                patch.setattr(loop, "time", lambda: now)
                patch.setattr(asyncio, "sleep", None)
                loop.call_soon(go.set)

    asyncio.run(main(close))
    with pytest.raises(LeakError) as caught:
        asyncio.run(main(leave_open))
    (leak,) = caught.value.leaks
    assert (leak.site.function, leak.count) == ("leave_open", 1)


def test_who_takes_longer_is_named(
    guard: GuardControl, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    guard.install()
    go = threading.Event()

    async def main() -> float:
        async with httpguard.no_leaks():
            await give_up(leave_open, url, go)
            begun = time.monotonic()
        lasted = time.monotonic() - begun
        go.set()
        return lasted

    lasted = asyncio.run(main())
    assert 0.9 < lasted < 10
    assert "no_leaks() has ended while other threads still work for it" in caplog.text
    assert caplog.text.count(": announce") == 1
    # Nothing is lost: it is judged like any other.
    assert guard.check().counters["dropped"] == 1


def test_nobody_waits_for_strangers(
    guard: GuardControl,
    url: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ending, "_PATIENCE", 60.0)
    guard.install()
    go = threading.Event()

    async def main() -> None:
        await give_up(close, url, go)
        begun = time.monotonic()
        async with httpguard.no_leaks():
            threading.Thread(target=close, args=(url, go)).start()
        with httpguard.no_leaks():
            pass
        assert time.monotonic() - begun < 30
        go.set()

    asyncio.run(main())
    assert "no_leaks" not in caplog.text


def test_an_error_of_the_body_passes_at_once(
    guard: GuardControl, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ending, "_PATIENCE", 60.0)
    guard.install()
    go = threading.Event()

    async def main() -> None:
        async with httpguard.no_leaks():
            await asyncio.wait_for(asyncio.to_thread(close, url, go), 0.01)

    async def timed() -> float:
        begun = time.monotonic()
        with pytest.raises(asyncio.TimeoutError):
            await main()
        go.set()
        return time.monotonic() - begun

    assert asyncio.run(timed()) < 30
