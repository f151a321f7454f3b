"""aiohttp: who reads, who waits, what comes back, and what is left alone."""

from __future__ import annotations

import asyncio
import gc
import inspect
import warnings
from typing import TYPE_CHECKING, Any

import pytest

import httpguard
from httpguard import LeakKind

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


def test_two_looks_have_to_agree_that_a_response_is_dropped(
    run: Any, guard: GuardControl, server: Server
) -> None:
    guard.install()

    async def program() -> None:
        async with aiohttp.ClientSession() as session:
            await session.get(server.url(BIG))
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
                guard.advance(31)
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
            guard.advance(31)
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
            guard.advance(31)
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
            guard.advance(31)
            await loop.run_in_executor(None, guard.check)
            assert httpguard.snapshot().leaks == ()
            await loop.run_in_executor(None, guard.check)
            assert found() == [(LeakKind.HELD, 1)]
            response.close()

    run(program)


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
