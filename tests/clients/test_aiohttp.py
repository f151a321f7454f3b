"""aiohttp: who reads, who waits, what comes back, and what is left alone."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import inspect
import queue
import subprocess
import sys
import threading
import time
import warnings
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

import httpguard
from httpguard import LeakKind
from httpguard._clients.aiohttp import connectors
from httpguard._clients.aiohttp.client import AIOHTTP
from httpguard._stacks.running import frames_of_threads

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.conftest import GuardControl
    from tests.server import Server

    Program = Callable[[], Awaitable[None]]

aiohttp = pytest.importorskip("aiohttp")

BIG = "/bytes/2000000"


def run_asyncio(program: Program) -> None:
    asyncio.run(program())  # type: ignore[arg-type]  # each is a coroutine function


def run_uvloop(program: Program) -> None:
    uvloop = pytest.importorskip("uvloop")
    loop = uvloop.new_event_loop()
    try:
        loop.run_until_complete(program())
    finally:
        loop.close()


@pytest.fixture(params=[run_asyncio, run_uvloop])
def run(request: pytest.FixtureRequest) -> Any:
    """Either loop."""
    return request.param


def found() -> list[tuple[LeakKind, int]]:
    """What was found so far: kind and count."""
    return [(leak.kind, leak.count) for leak in httpguard.check().leaks]


async def settled() -> None:
    """Let the loop end what aiohttp has begun: older ones still note a request sent."""
    await asyncio.sleep(0.01)


def test_two_looks_have_to_agree_that_a_response_is_dropped(
    run: Any, guard: GuardControl, server: Server
) -> None:
    guard.install()

    async def program() -> None:
        async with aiohttp.ClientSession() as session:
            await session.get(server.url(BIG))
            await settled()
            assert found() == []
            (leak,) = guard.check().leaks
            assert (leak.kind, leak.count) == (LeakKind.DROPPED, 1)
            assert leak.site.function == "program"
            assert leak.client == "aiohttp"
            assert leak.length == 2_000_000
            assert "async with" in leak.hint

    run(program)
    assert found() == [(LeakKind.DROPPED, 1)]
    assert guard.check().counters["errors"] == 0


def test_a_reader_who_has_only_the_body_is_innocent(
    run: Any, guard: GuardControl, server: Server
) -> None:
    guard.install(max_idle=30)

    async def program() -> None:
        async with aiohttp.ClientSession() as session:
            body = (await session.get(server.url(BIG))).content
            for _ in range(3):
                guard.check()
                guard.advance(16)
                assert await body.readany()
            while not body.at_eof():
                await body.readany()

    run(program)
    assert found() == []
    assert guard.check().counters["released"] == 1


def test_a_short_body_on_its_way_ends_by_itself(
    run: Any, guard: GuardControl, server: Server
) -> None:
    guard.install()
    key = f"aiohttp-late-{run.__name__}"

    async def program() -> None:
        async with aiohttp.ClientSession() as session:
            await session.get(server.url(f"/slow/{key}"))
            guard.check()
            await session.get(server.url(f"/finish/{key}"))
            for _ in range(5000):
                if httpguard.snapshot().counters["released"] == 1:
                    break
                await asyncio.sleep(0.001)

    run(program)
    assert found() == []


@pytest.mark.parametrize("path", ["slow", "slow-chunked"])
def test_two_looks_at_once_see_no_body_arrive(
    run: Any, guard: GuardControl, server: Server, path: str
) -> None:
    guard.install()

    async def program() -> None:
        async with aiohttp.ClientSession() as session:
            url = server.url(f"/{path}/aiohttp-twice-{run.__name__}")
            line = sys._getframe().f_lineno + 1
            await session.get(url)
            assert guard.check().leaks == guard.check().leaks == ()
            # The server sends no more.
            guard.advance(2)
            (leak,) = guard.check().leaks
            assert (leak.kind, leak.count) == (LeakKind.DROPPED, 1)
            assert leak.site.lineno == line

    run(program)


@pytest.mark.parametrize(("path", "length"), [("slow", 90_000), ("slow-chunked", 20)])
def test_the_end_of_a_scope_waits_for_a_body(
    run: Any, guard: GuardControl, server: Server, path: str, length: int
) -> None:
    guard.install()
    key = f"aiohttp-scope-{path}-{run.__name__}"

    async def program() -> None:
        async with aiohttp.ClientSession() as session:

            async def finish() -> None:
                await asyncio.sleep(0.05)
                await session.get(server.url(f"/finish/{key}"))

            async with httpguard.no_leaks():
                task = asyncio.create_task(finish())
                kept = await session.get(server.url(f"/{path}/{key}"))
            await task
            assert kept.content.total_bytes == length

    run(program)
    assert found() == []


def test_the_end_of_a_scope_waits_in_vain_for_a_body(
    run: Any, guard: GuardControl, server: Server
) -> None:
    guard.install()
    lines = []

    async def program() -> None:
        async with aiohttp.ClientSession() as session, httpguard.no_leaks():
            lines.append(sys._getframe().f_lineno + 1)
            await session.get(server.url(f"/slow/aiohttp-vain-{run.__name__}"))

    with pytest.raises(httpguard.LeakError) as raised:
        run(program)
    (leak,) = raised.value.leaks
    assert (leak.kind, leak.count, leak.site.lineno) == (LeakKind.OPEN, 1, lines[0])


def test_a_task_that_waits_in_a_read_is_a_reader(
    run: Any, guard: GuardControl, server: Server
) -> None:
    guard.install(max_idle=30)
    key = f"aiohttp-{run.__name__}"

    async def program() -> None:
        async with aiohttp.ClientSession() as session:
            response = await session.get(server.url(f"/slow/{key}"))
            task = asyncio.create_task(response.read())
            await asyncio.sleep(0.01)
            for _ in range(3):
                guard.check()
                guard.advance(40)
                assert guard.check().leaks == ()
            await session.get(server.url(f"/finish/{key}"))
            assert len(await task) == 90_000

    run(program)
    assert found() == []


def test_who_waits_for_the_end_is_a_reader(
    run: Any, guard: GuardControl, server: Server
) -> None:
    guard.install(max_idle=30)
    key = f"aiohttp-eof-{run.__name__}"

    async def program() -> None:
        async with aiohttp.ClientSession() as session:
            response = await session.get(server.url(f"/slow/{key}"))
            task = asyncio.create_task(response.content.wait_eof())
            await asyncio.sleep(0.01)
            guard.check()
            guard.advance(40)
            assert guard.check().leaks == ()
            await session.get(server.url(f"/finish/{key}"))
            await task

    run(program)


def test_a_reader_who_was_cancelled_reads_no_more(
    run: Any, guard: GuardControl, server: Server
) -> None:
    guard.install(max_idle=30)

    async def program() -> None:
        async with aiohttp.ClientSession() as session:
            response = await session.get(server.url("/slow/aiohttp-cancelled"))
            await response.content.readany()
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(response.content.readany(), 0.01)
            guard.check()
            guard.advance(40)
            guard.check()
            assert found() == [(LeakKind.HELD, 1)]

    run(program)


def test_another_thread_looks_twice(
    run: Any, guard: GuardControl, server: Server
) -> None:
    guard.install(max_idle=30)

    async def program() -> None:
        loop = asyncio.get_running_loop()
        async with aiohttp.ClientSession() as session:
            response = await session.get(server.url(BIG))
            guard.check()
            guard.advance(40)
            await loop.run_in_executor(None, guard.check)
            assert httpguard.snapshot().leaks == ()
            await loop.run_in_executor(None, guard.check)
            assert found() == [(LeakKind.HELD, 1)]
            response.close()

    run(program)


def test_what_comes_in_is_no_read(
    run: Any, guard: GuardControl, server: Server
) -> None:
    came, goes_on = threading.Event(), threading.Event()

    class Part(bytes):
        """Of a body; whoever takes it in waits for long."""

        def __len__(self) -> int:
            came.set()
            goes_on.wait(30)
            return super().__len__()

    guard.install(max_idle=30)

    async def program() -> None:
        async with aiohttp.ClientSession() as session:
            response = await session.get(server.url(BIG))
            guard.check()
            guard.advance(40)
            feeds = threading.Thread(
                target=response.content.feed_data, args=(Part(b"more"),)
            )
            feeds.start()
            came.wait(30)
            guard.check()
            assert found() == [(LeakKind.HELD, 1)]
            goes_on.set()
            feeds.join()
            response.close()

    run(program)


def test_what_the_loop_receives_is_no_read(guard: GuardControl, server: Server) -> None:
    guard.install(max_idle=30)
    came: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def wait_for(thread: threading.Thread, function: str) -> None:
        frame = None
        while frame is None or frame.f_code.co_name != function:
            time.sleep(0.001)
            frame = frames_of_threads().get(thread.ident or 0)

    async def program() -> None:
        async with aiohttp.ClientSession() as session:
            response = await session.get(server.url(BIG))
            guard.check()
            guard.advance(40)
            transport: Any = response.connection and response.connection.transport
            sock, transport._sock = transport._sock, SimpleNamespace(recv=came.get)
            receives = threading.Thread(target=transport._read_ready__data_received)
            receives.start()
            wait_for(receives, "_read_ready__data_received")
            guard.check()
            came.put(b"more")
            receives.join()
            transport._sock = sock
            assert found() == [(LeakKind.HELD, 1)]
            response.close()

    asyncio.run(program())


def test_strict_raises_in_the_task_that_opened_one_too_many(
    run: Any, guard: GuardControl, server: Server
) -> None:
    guard.install(strict=True, max_open=1)

    async def program() -> None:
        async with aiohttp.ClientSession() as session:
            first = await session.get(server.url(BIG))
            with pytest.raises(httpguard.LeakError):
                await session.get(server.url(BIG))
            assert len(session.connector._acquired) == 1
            first.close()

    run(program)


def test_strict_raises_in_the_task_that_dropped_one(
    run: Any, guard: GuardControl, server: Server
) -> None:
    guard.install(strict=True, max_leaks=0, check_interval=0)

    async def program() -> None:
        async with aiohttp.ClientSession() as session:

            async def leaks() -> None:
                await session.get(server.url(BIG))
                await settled()
                guard.advance(6)
                await session.get(server.url("/bytes/1"))
                guard.advance(6)
                with pytest.raises(httpguard.LeakError) as raised:
                    await session.get(server.url("/bytes/1"))
                assert raised.value.leaks[0].site.function == "leaks"

            async def innocent() -> None:
                for _ in range(20):
                    async with session.get(server.url("/bytes/1")) as response:
                        await response.read()

            await asyncio.gather(leaks(), innocent())

    run(program)


def test_no_leaks_follows_its_task(
    run: Any, guard: GuardControl, server: Server
) -> None:
    guard.install()

    async def program() -> None:
        async with aiohttp.ClientSession() as session:
            kept = []

            async def promises() -> None:
                with pytest.raises(httpguard.LeakError) as raised, httpguard.no_leaks():
                    kept.append(await session.get(server.url(BIG)))
                    await asyncio.sleep(0.01)
                (leak,) = raised.value.leaks
                assert (leak.kind, leak.count) == (LeakKind.OPEN, 1)

            async def does_not() -> None:
                kept.append(await session.get(server.url(BIG)))

            await asyncio.gather(promises(), does_not())
            for response in kept:
                response.close()

    run(program)


def test_a_coroutine_that_nobody_awaits_warns_once(
    guard: GuardControl, server: Server
) -> None:
    guard.install()

    async def program() -> None:
        async with aiohttp.ClientSession() as session:
            session.get(server.url(BIG))

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run_asyncio(program)
        gc.collect()
    texts = [str(warning.message) for warning in caught]
    assert texts == ["coroutine 'ClientSession._request' was never awaited"]


def test_the_function_is_still_a_coroutine_function(guard: GuardControl) -> None:
    guard.install()
    assert asyncio.iscoroutinefunction(aiohttp.ClientSession._request)
    signature = inspect.signature(aiohttp.ClientSession._request)
    assert next(iter(signature.parameters)) == "self"


def test_uninstall_gives_every_attribute_back(guard: GuardControl) -> None:
    from aiohttp.connector import BaseConnector, Connection

    owners = [aiohttp.ClientSession, BaseConnector, Connection, aiohttp.ClientResponse]
    before = [dict(vars(owner)) for owner in owners]
    guard.install()
    changed = [dict(vars(owner)) for owner in owners[:3]]
    assert all(now != then for now, then in zip(changed, before, strict=False))
    httpguard.uninstall()
    assert [dict(vars(owner)) for owner in owners] == before


def notes_of(error: BaseException) -> str:
    """What was noted to an error, the newline being between the notes."""
    return "\n".join(getattr(error, "__notes__", ()))


@pytest.mark.parametrize("limit", [{"limit": 2}, {"limit_per_host": 2}])
@pytest.mark.parametrize("timeout", [{"total": 0.2}, {"connect": 0.2}])
def test_a_timeout_for_want_of_a_connection_says_who_has_them(
    limit: dict[str, int],
    timeout: dict[str, float],
    run: Any,
    guard: GuardControl,
    server: Server,
) -> None:
    guard.install()

    async def program() -> None:
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(**limit)
        ) as session:
            kept = [await session.get(server.url(BIG)) for _ in range(2)]
            short = aiohttp.ClientTimeout(**timeout)
            with pytest.raises(asyncio.TimeoutError) as raised:
                await session.get(server.url("/lines"), timeout=short)
            if hasattr(raised.value, "add_note"):
                note = notes_of(raised.value)
                assert "maxsize is 2" in note
                assert "2 held by a response opened at" in note
                assert "test_aiohttp.py" in note
                assert "taken otherwise" not in note
            for response in kept:
                response.close()

    run(program)
    assert guard.check().counters["waited"] == 1
    assert guard.check().counters["errors"] == 0


def test_a_timeout_says_who_lost_them(
    run: Any, guard: GuardControl, server: Server
) -> None:
    guard.install()

    async def program() -> None:
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=2)
        ) as session:
            for _ in range(2):
                await session.get(server.url(BIG))
            await settled()
            guard.check()
            guard.check()
            short = aiohttp.ClientTimeout(total=0.2)
            with pytest.raises(asyncio.TimeoutError) as raised:
                await session.get(server.url("/lines"), timeout=short)
            if hasattr(raised.value, "add_note"):
                assert "2 lost by a dropped response" in notes_of(raised.value)

    run(program)


async def silent_server() -> Any:
    """A server that never answers."""
    kept: list[Any] = []

    def keep(*streams: Any) -> None:
        kept.append(streams)

    return await asyncio.start_server(keep, "127.0.0.1", 0)


def test_a_timeout_says_which_requests_are_under_way(
    run: Any, guard: GuardControl, server: Server
) -> None:
    guard.install()

    async def program() -> None:
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=1),
        ) as session:
            silent = await silent_server()
            host, port = silent.sockets[0].getsockname()
            first = asyncio.create_task(session.get(f"http://{host}:{port}/"))
            await asyncio.sleep(0.02)
            timeout = aiohttp.ClientTimeout(total=0.2)
            with pytest.raises(asyncio.TimeoutError) as raised:
                await session.get(f"http://{host}:{port}/", timeout=timeout)
            if hasattr(raised.value, "add_note"):
                note = notes_of(raised.value)
                assert "1 in use by a request under way at" in note
                assert "taken otherwise" not in note
            first.cancel()
            silent.close()

    run(program)


def test_a_timeout_of_the_server_gets_no_note(
    run: Any, guard: GuardControl, server: Server
) -> None:
    guard.install()

    async def program() -> None:
        async with aiohttp.ClientSession() as session:
            silent = await silent_server()
            host, port = silent.sockets[0].getsockname()
            timeout = aiohttp.ClientTimeout(total=0.1)
            with pytest.raises(asyncio.TimeoutError) as raised:
                await session.get(f"http://{host}:{port}/", timeout=timeout)
            assert notes_of(raised.value) == ""
            silent.close()

    run(program)


def test_a_starved_connector_is_said_with_the_line_that_waits(
    run: Any, guard: GuardControl, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    guard.install(max_wait=5)

    async def program() -> None:
        connector = aiohttp.TCPConnector(limit=1)
        async with aiohttp.ClientSession(connector=connector) as session:
            first = await session.get(server.url(BIG))
            waiting = asyncio.gather(session.get(server.url("/lines")))
            await asyncio.sleep(0.01)
            guard.check()
            guard.advance(6)
            (pool,) = guard.check().pools
            assert pool.waiting == 1
            assert guard.check().counters["pool_starved"] == 1
            first.close()
            for response in await waiting:
                await response.read()

    run(program)
    (text,) = [one for one in caplog.messages if "starved" in one]
    line = inspect.getsourcelines(
        test_a_starved_connector_is_said_with_the_line_that_waits
    )[1]
    assert f"test_aiohttp.py:{line + 9} in program" in text
    assert f"test_aiohttp.py:{line + 8} in program" in text


def test_figures_of_a_connector(run: Any, guard: GuardControl, server: Server) -> None:
    guard.install()

    async def program() -> None:
        async with aiohttp.ClientSession() as session:
            for _ in range(3):
                async with session.get(server.url("/lines")) as response:
                    await response.read()
                await settled()
            response = await session.get(server.url(BIG))
            (pool,) = guard.check().pools
            assert (pool.in_use, pool.idle, pool.connected, pool.reused) == (1, 0, 1, 3)
            assert pool.maxsize == 100
            response.close()
            (pool,) = guard.check().pools
            assert pool.in_use == 0

    run(program)


def test_reclaim_has_the_loop_close_what_nobody_has(
    run: Any, guard: GuardControl, server: Server
) -> None:
    guard.install(reclaim=True)

    async def program() -> None:
        connector = aiohttp.TCPConnector(limit=2)
        async with aiohttp.ClientSession(connector=connector) as session:
            for _ in range(3):
                for _ in range(2):
                    await session.get(server.url(BIG))
                await settled()
                guard.check()
                guard.check()
                assert connector._acquired == set()
            async with session.get(server.url("/lines")) as response:
                assert len(await response.read()) == 90_000
            await settled()
            (pool,) = guard.check().pools
            assert (pool.lost, pool.in_use) == (0, 0)

    run(program)
    assert found() == [(LeakKind.DROPPED, 6)]
    assert guard.check().counters["reclaimed"] == 6


def test_reclaim_from_another_thread(
    run: Any, guard: GuardControl, server: Server
) -> None:
    guard.install(reclaim=True)

    async def program() -> None:
        connector = aiohttp.TCPConnector(limit=2)
        async with aiohttp.ClientSession(connector=connector) as session:
            for _ in range(2):
                await session.get(server.url(BIG))
            wanted = [session.get(server.url(BIG)) for _ in range(2)]
            waiting = [asyncio.create_task(one) for one in wanted]
            await settled()

            for _ in range(2):  # While the loop has no turn.
                look = threading.Thread(target=guard.check)
                look.start()
                look.join()
            both = await asyncio.wait_for(asyncio.gather(*waiting), 10)
            for response in both:
                response.close()

    run(program)
    assert guard.check().counters["reclaimed"] == 2


def test_reclaim_tries_again_what_was_in_hands(
    run: Any, guard: GuardControl, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look of another thread refers to a response for a moment."""
    guard.install(reclaim=True)
    is_forgotten, answers = AIOHTTP.is_forgotten, [False]

    class InHands:
        @staticmethod
        def is_forgotten(reference: Any) -> bool:
            return answers.pop() if answers else is_forgotten(reference)

    monkeypatch.setattr(connectors, "AIOHTTP", InHands)

    async def program() -> None:
        connector = aiohttp.TCPConnector(limit=1)
        async with aiohttp.ClientSession(connector=connector) as session:
            await session.get(server.url(BIG))
            await settled()
            guard.check()
            guard.check()
            assert len(connector._acquired) == 1
            assert answers == []
            async with session.get(server.url("/lines")) as response:
                await response.read()

    run(program)
    assert found() == [(LeakKind.DROPPED, 1)]


def test_reclaim_asks_less_and_less_for_what_somebody_has_again(
    guard: GuardControl, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By way of aiohttp's own parts, after it was lost."""
    guard.install(reclaim=True)
    monkeypatch.setattr(connectors, "_MOST", 0.2)

    async def program() -> None:
        loop, enough = asyncio.get_running_loop(), asyncio.Event()
        waits: list[float] = []
        later = loop.call_later

        def call_later(delay: float, call: Any, *args: Any) -> Any:
            if call.__module__ == AIOHTTP.__module__:
                waits.append(delay)
                if len(waits) == 4:
                    enough.set()
            return later(delay, call, *args)

        loop.call_later = call_later  # type: ignore[method-assign,assignment]
        connector = aiohttp.TCPConnector()
        async with aiohttp.ClientSession(connector=connector) as session:
            await session.get(server.url(BIG))
            await settled()
            for _ in range(2):  # While the loop has no turn.
                look = threading.Thread(target=guard.check)
                look.start()
                look.join()
            (protocol,) = connector._acquired
            body = protocol._payload
            await asyncio.wait_for(enough.wait(), 30)
            assert waits == [0.1, 0.2, 0.2, 0.2]
            while not body.at_eof():
                await body.readany()
            assert body.total_bytes == 2_000_000

    asyncio.run(program())


def test_reclaim_leaves_whom_somebody_reads(
    run: Any, guard: GuardControl, server: Server
) -> None:
    guard.install(reclaim=True)

    async def program() -> None:
        async with aiohttp.ClientSession() as session:
            body = (await session.get(server.url(BIG))).content
            guard.check()
            guard.check()
            while not body.at_eof():
                await body.readany()
            assert body.total_bytes == 2_000_000

    run(program)
    assert found() == []


def test_on_held_close_closes_what_no_task_reads(
    run: Any, guard: GuardControl, server: Server
) -> None:
    guard.install(max_idle=30, on_held="close")

    async def program() -> None:
        loop = asyncio.get_running_loop()
        async with aiohttp.ClientSession() as session:
            responses = [await session.get(server.url(BIG)) for _ in range(2)]
            guard.check()
            guard.advance(40)
            # In the loop's thread, and in another one.
            assert guard.check().counters["held_closed"] == 2
            assert all(response.closed for response in responses)
            with pytest.raises(aiohttp.ClientConnectionError) as raised:
                await responses[0].read()
            if hasattr(raised.value, "add_note"):
                assert "on_held" in notes_of(raised.value)
            assert session.connector._acquired == set()
            late = await session.get(server.url(BIG))
            guard.check()
            guard.advance(40)
            await loop.run_in_executor(None, guard.check)
            await loop.run_in_executor(None, guard.check)
            await asyncio.sleep(0)
            assert late.closed

    run(program)
    assert guard.check().counters["held_closed"] == 3


def test_on_held_close_leaves_those_of_a_loop_that_is_closed(
    guard: GuardControl, server: Server
) -> None:
    guard.install(max_idle=30, on_held="close")
    kept: list[Any] = []

    async def program() -> None:
        session = aiohttp.ClientSession()
        kept.extend([session, await session.get(server.url(BIG))])

    run_asyncio(program)
    for _ in range(3):
        guard.check()
        guard.advance(40)
    assert guard.check().counters["held_closed"] == 0
    assert guard.check().counters["errors"] == 0
    kept[0]._connector._close()


def test_sessions_that_one_line_makes_and_never_closes(
    run: Any, guard: GuardControl, server: Server
) -> None:
    guard.install(max_sessions=3, max_idle=30)

    async def program() -> None:
        kept = []
        for _ in range(5):
            session = aiohttp.ClientSession()
            async with session.get(server.url("/lines")) as response:
                await response.read()
            kept.append(session)
        await settled()
        guard.check()
        guard.advance(40)
        (leak,) = guard.check().leaks
        assert (leak.kind, leak.count) == (LeakKind.SESSION, 2)
        assert leak.client == "aiohttp"
        assert "ClientSession" in leak.hint
        for session in kept:
            await session.close()

    run(program)


def test_sessions_that_are_closed_or_share_a_connector_are_no_crowd(
    run: Any, guard: GuardControl, server: Server
) -> None:
    guard.install(max_sessions=3, max_idle=30)

    async def program() -> None:
        kept: list[Any] = []
        async with aiohttp.TCPConnector() as connector:
            for number in range(10):
                shared = {"connector": connector, "connector_owner": False}
                session = aiohttp.ClientSession(**(shared if number % 2 else {}))
                async with session.get(server.url("/lines")) as response:
                    await response.read()
                if not number % 2:
                    await session.close()
                kept.append(session)
            guard.check()
            guard.advance(40)
            assert found() == []
            for session in kept:
                await session.close()

    run(program)


def test_a_websocket_is_never_accused(run: Any, guard: GuardControl) -> None:
    guard.install(max_idle=30)
    web = pytest.importorskip("aiohttp.web")

    async def talk(request: Any) -> Any:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            await socket.send_str(message.data)
        return socket

    async def program() -> None:
        application = web.Application()
        application.router.add_get("/", talk)
        runner = web.AppRunner(application)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0]
        async with aiohttp.ClientSession() as session:
            socket = await session.ws_connect(f"http://{host}:{port}/")
            for _ in range(3):
                guard.check()
                guard.advance(40)
            await socket.send_str("x")
            assert (await socket.receive()).data == "x"
            assert guard.check().counters["opened"] == 0
            (pool,) = guard.check().pools
            assert pool.in_use == 1
            await socket.close()
            (pool,) = guard.check().pools
            assert pool.in_use == 0
        await runner.cleanup()

    run(program)
    assert found() == []


def test_what_timed_out_by_itself_harms_nobody(
    run: Any, guard: GuardControl, server: Server
) -> None:
    guard.install(max_idle=30)

    async def program() -> None:
        timeout = aiohttp.ClientTimeout(sock_read=2)  # The answer is to come in time.
        async with aiohttp.ClientSession(timeout=timeout) as session:
            await session.get(server.url("/slow/aiohttp-sock-read"))
            for _ in range(5000):
                if not session.connector._acquired:
                    break
                await asyncio.sleep(0.001)
            assert session.connector._acquired == set()
            guard.check()

    run(program)
    assert found() == []
    assert guard.check().counters["released"] == 1


def test_what_failed_in_a_read_keeps_its_connection_until_it_is_collected(
    run: Any, guard: GuardControl, server: Server
) -> None:
    guard.install(max_idle=30)

    async def program() -> None:
        async with aiohttp.ClientSession() as session:

            async def fetch() -> None:
                response = await session.get(server.url("/cut"))
                while await response.content.readany():
                    pass

            async def fetch_well() -> None:
                async with session.get(server.url("/cut")) as response:
                    while await response.content.readany():
                        pass

            # The body has the error, and its traceback has the response.
            gc.disable()
            for one in (fetch_well, fetch, fetch, fetch):
                with contextlib.suppress(aiohttp.ClientPayloadError):
                    await one()
            assert len(session.connector._acquired) == 3
            gc.enable()
            gc.collect()
            (leak,) = guard.check().leaks
            assert leak.kind is LeakKind.DROPPED
            assert leak.count >= 2
            assert leak.site.function == "fetch"

    try:
        run(program)
    finally:
        gc.enable()


def test_what_is_dropped_is_not_held_at_a_late_first_look(
    run: Any, guard: GuardControl, server: Server
) -> None:
    """Two looks tell; the first may come when it has been idle for long."""
    guard.install()

    async def program() -> None:
        async with aiohttp.ClientSession() as session:
            await session.get(server.url(BIG))
            await settled()
            guard.advance(600)
            assert guard.check().leaks == ()
            assert found() == [(LeakKind.DROPPED, 1)]

    run(program)


@pytest.mark.parametrize("first", ["guard", "instrumentation"])
def test_beside_the_instrumentation_of_opentelemetry(
    first: str, run: Any, guard: GuardControl, server: Server
) -> None:
    telemetry = pytest.importorskip("opentelemetry.instrumentation.aiohttp_client")
    before = dict(vars(aiohttp.ClientSession))
    instrumentor = telemetry.AioHttpClientInstrumentor()

    async def program() -> None:
        async with aiohttp.ClientSession() as session:
            async with session.get(server.url("/lines")) as response:
                await response.read()
            await session.get(server.url(BIG))
            await settled()
            guard.check()
            (leak,) = guard.check().leaks
            assert (leak.kind, leak.count) == (LeakKind.DROPPED, 1)
            assert leak.site.function == "program"

    if first == "guard":
        guard.install()
        instrumentor.instrument()
        run(program)
        instrumentor.uninstrument()
        httpguard.uninstall()
    else:
        instrumentor.instrument()
        guard.install()
        run(program)
        httpguard.uninstall()
        instrumentor.uninstrument()
    assert dict(vars(aiohttp.ClientSession)) == before


def test_a_program_without_aiohttp_does_not_import_it() -> None:
    code = (
        "import sys, httpguard; httpguard.install();"
        " print([name for name in sys.modules if name.startswith('aiohttp')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
