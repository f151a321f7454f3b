"""httpx: tasks that are cancelled as httpcore takes or gives back a connection."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import httpguard
from httpguard import LeakKind

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from tests.conftest import GuardControl
    from tests.server import Server

httpx = pytest.importorskip("httpx")

# In so many turns of a loop a request connects, is answered and gives all back.
TURNS = 20
SOON = httpx.Timeout(30, pool=0.2)
LATER = httpx.Timeout(30, pool=2)
NEVER = httpx.Timeout(30)
ONE: Any = {"limits": httpx.Limits(max_connections=1), "trust_env": False}


def lines(mark: str) -> set[int]:
    text = Path(__file__).read_text().splitlines()
    return {number for number, line in enumerate(text, 1) if line.endswith(f"# {mark}")}


async def cancel(work: Coroutine[Any, Any, Any], turns: int) -> bool:
    """Cancel a task after some turns of its loop; whether it was still at work."""
    task = asyncio.ensure_future(work)
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    return task.cancelled()


async def is_lost(client: Any, url: str) -> bool:
    """Whether the only connection of a pool is gone for good."""
    try:
        await client.get(url, timeout=SOON)
    except httpx.PoolTimeout:
        return True
    return False


def leaks() -> list[tuple[LeakKind, int, int]]:
    gc.collect()
    return [(one.kind, one.site.lineno, one.count) for one in httpguard.check().leaks]


def test_a_response_whose_close_is_cancelled_is_unreleased(
    guard: GuardControl, server: Server
) -> None:
    guard.install()

    async def program() -> None:
        async with httpx.AsyncClient(**ONE) as client:
            lines_read: asyncio.Queue[str] = asyncio.Queue()

            async def reads() -> None:
                url = server.url("/lines")
                async with client.stream("GET", url) as response:  # CLOSES
                    async for line in response.aiter_lines():
                        await lines_read.put(line)
                        break

            task = asyncio.create_task(reads())
            await lines_read.get()
            task.cancel()  # While it leaves its block.
            await asyncio.wait([task])
            del task
            (line,) = lines("CLOSES")
            assert leaks() == [(LeakKind.UNRELEASED, line, 1)]
            assert "asyncio.shield" in httpguard.check().leaks[0].hint
            with pytest.raises(httpx.PoolTimeout) as raised:
                await client.get(server.url("/lines"), timeout=SOON)
            if sys.version_info >= (3, 11):
                (note,) = raised.value.__notes__
                assert "1 lost by an unreleased response opened at" in note
                assert "fix: do as the leaks' own reports say at the lines" in note

    asyncio.run(program())


def test_a_response_that_is_closed_before_the_cancellation_is_none(
    guard: GuardControl, server: Server
) -> None:
    guard.install()

    async def program() -> None:
        async with httpx.AsyncClient(**ONE) as client:
            closed = asyncio.Event()

            async def reads() -> None:
                url = server.url("/lines")
                async with client.stream("GET", url) as response:
                    await anext_of(response.aiter_lines())
                closed.set()
                await asyncio.sleep(30)

            task = asyncio.create_task(reads())
            await closed.wait()
            task.cancel()
            await asyncio.wait([task])
            assert leaks() == []
            assert not await is_lost(client, server.url("/lines"))

    asyncio.run(program())


async def anext_of(lines_read: Any) -> Any:
    """As `anext`."""
    return await lines_read.__anext__()


@pytest.mark.parametrize("path", ["/bytes/10", "/chunked/3"])
def test_whatever_turn_a_cancellation_falls_in_a_lost_slot_is_found(
    guard: GuardControl, server: Server, path: str
) -> None:
    guard.install()

    async def program() -> None:
        found = []
        for turns in range(TURNS):
            async with httpx.AsyncClient(**ONE) as client:
                await cancel(client.get(server.url(path)), turns)
                before = sum(count for _, _, count in leaks())
                if await is_lost(client, server.url(path)):
                    found.append(turns)
                assert before == len(found), turns
        assert found
        assert {kind for kind, _, _ in leaks()} == {LeakKind.UNRELEASED}
        assert "timeout=" in httpguard.check().leaks[0].hint

    asyncio.run(program())


def test_a_lost_slot_is_of_the_line_that_asked(
    guard: GuardControl, server: Server
) -> None:
    guard.install()

    async def asks(client: Any) -> None:
        await client.get(server.url("/bytes/10"))  # ASKS

    async def program() -> None:
        lost = 0
        for turns in range(TURNS):
            async with httpx.AsyncClient(**ONE) as client:
                await cancel(asks(client), turns)
                lost += await is_lost(client, server.url("/bytes/10"))
        (line,) = lines("ASKS")
        assert leaks() == [(LeakKind.UNRELEASED, line, lost)]

    asyncio.run(program())


def test_what_is_cancelled_twice_in_a_read_is_found(
    guard: GuardControl, server: Server
) -> None:
    guard.install()

    async def program() -> None:
        lost = 0
        for turns in range(5):
            async with httpx.AsyncClient(**ONE) as client:
                url = server.url(f"/slow/twice-{turns}")
                task = asyncio.create_task(client.get(url))
                await asyncio.sleep(0.05)
                task.cancel()
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.wait([task])
                lost += await is_lost(client, server.url("/bytes/10"))
                assert sum(count for _, _, count in leaks()) == lost
        assert lost

    asyncio.run(program())


def test_a_client_that_is_closed_takes_them_along(
    guard: GuardControl, server: Server
) -> None:
    guard.install()

    async def program() -> None:
        for turns in range(TURNS):
            async with httpx.AsyncClient(**ONE) as client:
                await cancel(client.get(server.url("/bytes/10")), turns)
        async with httpx.AsyncClient(**ONE) as client:
            request = client.build_request("GET", server.url("/lines"))
            response = await client.send(request, stream=True)
            await cancel(response.aclose(), 1)
            del response
            gc.collect()

    asyncio.run(program())
    assert leaks() == []


def test_reclaim_gives_them_back(guard: GuardControl, server: Server) -> None:
    guard.install(reclaim=True)

    async def program() -> None:
        reclaimed = 0
        for turns in range(TURNS):
            async with httpx.AsyncClient(**ONE) as client:
                await cancel(client.get(server.url("/bytes/10")), turns)
                gc.collect()
                guard.check()
                for _ in range(4):  # Its loop closes it.
                    await asyncio.sleep(0)
                assert not await is_lost(client, server.url("/bytes/10"))
                reclaimed += sum(pool.reclaimed for pool in guard.check().pools)
        assert reclaimed

    asyncio.run(program())


def test_reclaim_gives_back_what_was_closed(
    guard: GuardControl, server: Server
) -> None:
    guard.install(reclaim=True)

    async def program() -> None:
        async with httpx.AsyncClient(**ONE) as client:
            request = client.build_request("GET", server.url("/lines"))
            response = await client.send(request, stream=True)
            await cancel(response.aclose(), 1)
            assert response.is_closed
            guard.check()
            for _ in range(4):
                await asyncio.sleep(0)
            assert not await is_lost(client, server.url("/lines"))
            (pool,) = guard.check().pools
            assert pool.reclaimed == 1

    asyncio.run(program())


def test_reclaim_keeps_those_in_the_queue_who_wait_for_what_it_closes(
    guard: GuardControl, server: Server
) -> None:
    guard.install(reclaim=True)

    async def program() -> None:
        async with httpx.AsyncClient(**ONE) as client:
            url = server.url("/lines")
            response = await client.send(client.build_request("GET", url), stream=True)
            waits = asyncio.create_task(client.get(url, timeout=30))
            for _ in range(TURNS):
                await asyncio.sleep(0)
            await cancel(response.aclose(), 1)
            # As httpcore promises an idle connection to all who wait for one.
            pool: Any = client._transport._pool
            (connection,) = pool._connections
            queued = pool._requests[-1]
            queued.assign_to_connection(connection)
            guard.check()
            assert (await waits).status_code == 200
            assert pool._requests == []
            assert not await is_lost(client, url)

    asyncio.run(program())


def test_a_request_that_fails_has_left_nothing(
    guard: GuardControl, server: Server
) -> None:
    guard.install()

    async def program() -> None:
        async with httpx.AsyncClient(**ONE) as client:
            for path in ("/cut", "/slow/fails"):
                with pytest.raises(httpx.TransportError):
                    await client.get(
                        server.url(path), timeout=httpx.Timeout(0.1, connect=30)
                    )
            with pytest.raises(httpx.ConnectError):
                await client.get("http://127.0.0.1:9/")
            assert leaks() == []
            assert not await is_lost(client, server.url("/lines"))

    asyncio.run(program())


def test_a_wait_that_is_over_as_it_ends_takes_a_slot_along(
    guard: GuardControl, server: Server
) -> None:
    guard.install()

    async def program(*, late: bool) -> bool:
        url = server.url("/bytes/90000")
        async with httpx.AsyncClient(**ONE) as client:
            held = await client.send(client.build_request("GET", url), stream=True)
            asks = client.get(url, timeout=LATER if late else NEVER)
            waits = asyncio.create_task(asks)
            for _ in range(TURNS):
                await asyncio.sleep(0)
            if late:
                time.sleep(2.1)  # noqa: ASYNC251  # The loop is busy until it is over.
            await held.aclose()
            with contextlib.suppress(httpx.PoolTimeout):
                await waits  # TIMES_OUT
            return await is_lost(client, url)

    assert not asyncio.run(program(late=False))
    assert leaks() == []
    assert asyncio.run(program(late=True))
    (found,) = httpguard.check().leaks
    assert (found.kind, found.count) == (LeakKind.UNRELEASED, 1)
    assert found.site.lineno in lines("TIMES_OUT")
    assert "as its wait was over" in found.hint


@pytest.mark.parametrize("reclaim", [False, True])
def test_of_threads_it_does_so_too(
    guard: GuardControl, server: Server, *, reclaim: bool
) -> None:
    guard.install(reclaim=reclaim)
    url = server.url("/bytes/90000")
    with httpx.Client(**ONE) as client:
        held = client.send(client.build_request("GET", url), stream=True)
        pool: Any = client._transport._pool
        assign = pool._assign_requests_to_connections

        def assigns_late() -> Any:
            time.sleep(3)  # With the pool's lock in hand, until the wait is over.
            return assign()

        def waits() -> None:
            with contextlib.suppress(httpx.PoolTimeout):
                client.get(url, timeout=LATER)  # THREAD

        thread = threading.Thread(target=waits)
        thread.start()
        while len(pool._requests) < 2:
            time.sleep(0.001)
        pool._assign_requests_to_connections = assigns_late
        held.close()
        thread.join()
        pool._assign_requests_to_connections = assign
        (line,) = lines("THREAD")
        with pool._optional_thread_lock:  # Nobody waits for that for long.
            assert leaks() == [(LeakKind.UNRELEASED, line, 1)]
            assert guard.check().counters["reclaimed"] == 0
        assert guard.check().counters["reclaimed"] == reclaim
        try:
            client.get(url, timeout=SOON)
            lost = False
        except httpx.PoolTimeout:
            lost = True
        assert lost is not reclaim
    assert guard.check().counters["reclaimed"] == reclaim
