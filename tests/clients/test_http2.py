"""httpx and httpx2 over HTTP/2: leases are streams, many to a connection."""

from __future__ import annotations

import asyncio
import gc
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

import httpguard
from httpguard import LeakKind

pytest.importorskip("h2")
pytest.importorskip("hypercorn")
trio = pytest.importorskip("trio")

from tests.server.http2 import BODY, Http2Server  # noqa: E402  # It needs these.

from ._loops import run_asyncio  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

    from httpguard._model.event import Event
    from tests.conftest import GuardControl

HTTP2: Any = {"http1": False, "http2": True, "trust_env": False}


@pytest.fixture
def server() -> Iterator[Http2Server]:
    """With three streams a connection."""
    with Http2Server() as running:
        yield running


def found() -> list[tuple[LeakKind, int]]:
    """What was found so far: kind and count."""
    return [(leak.kind, leak.count) for leak in httpguard.check().leaks]


def opened(client: Any, url: str) -> Any:
    return client.send(client.build_request("GET", url), stream=True)


def test_dropped_and_held_streams_are_found_and_read_ones_not(
    httpx: Any, guard: GuardControl, server: Http2Server
) -> None:
    guard.install(max_idle=30)
    with httpx.Client(**HTTP2) as client:
        answer = client.get(server.url("/read"))
        assert (answer.http_version, answer.content) == ("HTTP/2", BODY)
        with client.stream("GET", server.url("/with")) as response:
            assert next(response.iter_raw())
        assert opened(client, server.url("/empty")).read() == b""
        opened(client, server.url("/dropped"))
        opened(client, server.url("/empty"))
        kept = opened(client, server.url("/held"))
        gc.collect()
        assert found() == [(LeakKind.DROPPED, 2)]
        guard.advance(40)
        assert found() == [(LeakKind.DROPPED, 2), (LeakKind.HELD, 1)]
        # One connection, that is in use as long as one stream is.
        (pool,) = guard.check().pools
        assert (pool.in_use, pool.connected, pool.idle, pool.reused) == (1, 1, 0, 5)
        assert len(kept.read()) == len(BODY)
        assert guard.check().counters["resolved"] == 1


def test_streams_of_tasks(
    httpx: Any, run: Any, guard: GuardControl, server: Http2Server
) -> None:
    guard.install(max_idle=30)

    async def program() -> None:
        async with httpx.AsyncClient(**HTTP2) as client:
            await client.get(server.url("/read"))
            async with client.stream("GET", server.url("/with")) as response:
                await response.aread()
            assert found() == []
            await opened(client, server.url("/dropped"))
            kept = await opened(client, server.url("/held"))
            guard.check()
            guard.check()
            gc.collect()
            assert found() == [(LeakKind.DROPPED, 1)]
            guard.advance(40)
            assert found() == [(LeakKind.DROPPED, 1), (LeakKind.HELD, 1)]
            await kept.aclose()

    run(program)
    assert guard.check().counters["resolved"] == 1


def test_a_thread_that_waits_for_its_stream_reads(
    httpx: Any, guard: GuardControl, server: Http2Server
) -> None:
    guard.install(max_idle=30)
    with httpx.Client(**HTTP2) as client:
        response = opened(client, server.url("/slow"))
        thread = threading.Thread(target=response.read)
        thread.start()
        while response.num_bytes_downloaded < len(BODY) / 2:
            pass
        for _ in range(3):
            guard.check()
            guard.advance(40)
            assert guard.check().leaks == ()
        with httpx.Client(**HTTP2) as other:
            other.get(server.url("/finish"))
        thread.join()
    assert found() == []


def test_a_request_that_waits_for_a_stream_starves(
    httpx: Any, guard: GuardControl, server: Http2Server, events: list[Event]
) -> None:
    guard.install(max_wait=5)
    with httpx.Client(**HTTP2) as client:
        client.get(server.url("/read"))
        opened(client, server.url("/dropped"))
        kept = [opened(client, server.url("/held")) for _ in range(2)]
        gc.collect()
        statuses = []

        def fetch() -> None:
            statuses.append(client.get(server.url("/waits")).status_code)

        thread = threading.Thread(target=fetch, name="worker")
        thread.start()
        while not guard.check().pools[0].waiting:
            pass
        guard.advance(6)
        guard.check()
        (event,) = [one for one in events if one.name == "httpguard.pool_starved"]
        details = event.details
        assert details["streams"]
        assert (details["maxsize"], details["waiting"]) == (3, 1)
        assert (details["lost_slots"], details["unknown"]) == (1, 0)
        assert [item["count"] for item in details["holders"]] == [2]
        (waiter,) = details["waiters"]
        assert waiter["site"]["function"] == "fetch"
        kept.pop().close()
        thread.join()
        assert statuses == [200]
        (pool,) = guard.check().pools
        assert (pool.waiting, pool.waited) == (0, 1)
        assert guard.check().counters["errors"] == 0
        for response in kept:
            response.close()


def test_a_task_that_waits_for_a_stream_starves(
    httpx: Any, guard: GuardControl, server: Http2Server, events: list[Event]
) -> None:
    guard.install(max_wait=5)

    async def program() -> None:
        loop = asyncio.get_running_loop()

        def look() -> None:
            if not guard.check().pools[0].waiting:
                loop.call_soon(look)
                return
            guard.advance(6)
            guard.check()
            waits.cancel()

        async with httpx.AsyncClient(**HTTP2) as client:
            await client.get(server.url("/read"))
            for _ in range(3):
                await opened(client, server.url("/dropped"))
            gc.collect()
            loop.call_soon(look)
            # The line that waits for the task of httpx's own coroutine.
            waits = asyncio.gather(client.get(server.url("/waits")))
            with suppress(asyncio.CancelledError):
                await waits

    asyncio.run(program())
    (event,) = [one for one in events if one.name == "httpguard.pool_starved"]
    assert event.details["streams"]
    assert event.details["lost_slots"] == 3
    (waiter,) = event.details["waiters"]
    assert waiter["site"]["function"] == "program"
    assert guard.check().counters["errors"] == 0


def test_requests_that_find_streams_do_not_starve(
    httpx: Any, run: Any, guard: GuardControl, server: Http2Server
) -> None:
    guard.install(max_wait=5, max_idle=30)

    async def program() -> None:
        async with httpx.AsyncClient(**HTTP2) as client:
            await client.get(server.url("/read"))
            if run is run_asyncio:
                many = (client.get(server.url("/read")) for _ in range(9))
                await asyncio.gather(*many)
            else:
                async with trio.open_nursery() as tasks:
                    for _ in range(9):
                        tasks.start_soon(client.get, server.url("/read"))
            guard.advance(40)
            (pool,) = guard.check().pools
            assert (pool.waiting, pool.lost) == (0, 0)

    run(program)
    assert found() == []
    counters = guard.check().counters
    assert (counters["pool_starved"], counters["errors"]) == (0, 0)


def test_reclaim_closes_no_connection_that_others_use(
    httpx: Any, guard: GuardControl, server: Http2Server
) -> None:
    guard.install(reclaim=True)
    with httpx.Client(**HTTP2) as client:
        client.get(server.url("/read"))
        kept = opened(client, server.url("/kept"))
        opened(client, server.url("/dropped"))
        gc.collect()
        assert found() == [(LeakKind.DROPPED, 1)]
        assert guard.check().counters["reclaimed"] == 0
        assert len(kept.read()) == len(BODY)
        (pool,) = guard.check().pools
        assert pool.connected == 1
