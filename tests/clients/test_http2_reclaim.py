"""httpx and httpx2 over HTTP/2: streams that were lost are given back."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
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

    from tests.conftest import GuardControl

HTTP2: Any = {"http1": False, "http2": True, "trust_env": False, "timeout": 30}
# Of 90,000 bytes each: more than a connection may have unread.
MANY = 200
PLACE = os.path.basename(__file__)


@pytest.fixture
def server() -> Iterator[Http2Server]:
    """With three streams a connection."""
    with Http2Server() as running:
        yield running


def opened(client: Any, url: str) -> Any:
    return client.send(client.build_request("GET", url), stream=True)


def window(client: Any) -> int:
    """The bytes that the server may yet send over the client's only connection."""
    (connection,) = client._transport._pool._connections
    state = connection._connection._h2_state
    return int(state._inbound_flow_control_window_manager.current_window_size)


def test_a_thread_goes_on_where_every_request_loses_its_stream(
    httpx: Any, guard: GuardControl, server: Http2Server
) -> None:
    guard.install(reclaim=True)
    with httpx.Client(**HTTP2) as client:
        client.get(server.url("/read"))
        statuses = []

        def leaks() -> None:
            for _ in range(120):
                # The one before is kept until this one is there.
                response = opened(client, server.url("/dropped"))
                statuses.append(response.status_code)

        # One: httpcore breaks now and then what several share.
        thread = threading.Thread(target=leaks)
        thread.start()
        while thread.is_alive():
            guard.check()
            thread.join(0.001)
        assert statuses == [200] * 120
        gc.collect()
        guard.check()
        snapshot = guard.check()
        assert len(client.get(server.url("/read")).content) == len(BODY)
        assert [(one.kind, one.count) for one in snapshot.leaks] == [
            (LeakKind.DROPPED, 120)
        ]
        # The last few go back when they are wanted.
        assert 120 - snapshot.counters["reclaimed"] <= 3
        assert snapshot.counters["errors"] == 0
        assert len(client._transport._pool._connections) <= 2


def test_a_connection_with_lost_streams_is_left_to_those_who_read(
    httpx: Any, guard: GuardControl, server: Http2Server
) -> None:
    guard.install(reclaim=True)
    with httpx.Client(**HTTP2) as client:
        client.get(server.url("/read"))
        kept = opened(client, server.url("/kept"))
        pool = client._transport._pool
        (old,) = pool._connections
        opened(client, server.url("/dropped"))
        gc.collect()
        # Nobody wants another stream than the one that is free.
        assert guard.check().counters["reclaimed"] == 0
        client.get(server.url("/read"))
        assert pool._connections == [old]
        opened(client, server.url("/dropped"))
        gc.collect()
        thread = threading.Thread(target=client.get, args=[server.url("/waits")])
        thread.start()
        while thread.is_alive():
            guard.check()
            thread.join(0.001)
        assert guard.check().counters["reclaimed"] == 2
        assert not old.is_closed()
        assert len(kept.read()) == len(BODY)
        assert old.is_closed()
        (new,) = pool._connections
        assert new is not old
        client.get(server.url("/read"))
        assert pool._connections == [new]
        assert guard.check().counters["errors"] == 0


def test_a_connection_that_takes_in_no_more_is_left_too(
    httpx: Any, guard: GuardControl
) -> None:
    guard.install(reclaim=True)
    with Http2Server(streams=100) as server, httpx.Client(**HTTP2) as client:
        for _ in range(60):
            opened(client, server.url("/big"))
            assert len(client.get(server.url("/read")).content) == len(BODY)
            gc.collect(0)
            guard.check()
        counters = guard.check().counters
        assert counters["errors"] == 0
        assert 15 < counters["reclaimed"] <= 60


@pytest.mark.skipif(sys.version_info < (3, 11), reason="errors have notes since 3.11")
def test_a_timeout_of_a_read_says_who_has_what_came_in(
    httpx: Any, guard: GuardControl
) -> None:
    guard.install()
    with Http2Server(streams=100) as server:
        options = {**HTTP2, "timeout": 3}
        with httpx.Client(**options) as client, pytest.raises(httpx.ReadTimeout) as got:
            for number in range(60):
                opened(client, server.url("/big"))
                if number % 8 == 0:  # Some are known to be lost before all is taken.
                    gc.collect()
                client.get(server.url("/read"))
    first, second = notes_of(got.value)
    assert first.startswith("httpguard: the server may send ")
    assert "lost by a dropped response opened at" in second
    assert f"{PLACE}:{line_of(opened)}" in second


def notes_of(error: BaseException) -> list[str]:
    return list(getattr(error, "__notes__", ()))


def line_of(function: Any) -> int:
    """Of the only statement of a function."""
    return int(function.__code__.co_firstlineno) + 1


def test_tasks_go_on_where_every_request_loses_its_stream(
    httpx: Any, run: Any, guard: GuardControl, server: Http2Server
) -> None:
    guard.install(reclaim=True)

    async def program() -> None:
        async with httpx.AsyncClient(**HTTP2) as client:
            await client.get(server.url("/read"))
            kept = await opened(client, server.url("/kept"))
            for _ in range(MANY):
                response = await opened(client, server.url("/dropped"))
                assert response.status_code == 200
                del response
                gc.collect(0)
                guard.check()
                guard.check()
            # Another one has its own all the while.
            assert len(await kept.aread()) == len(BODY)
            assert len((await client.get(server.url("/read"))).content) == len(BODY)
            assert window(client) > 2**23

    run(program)
    snapshot = httpguard.snapshot()
    assert [(one.kind, one.count) for one in snapshot.leaks] == [
        (LeakKind.DROPPED, MANY)
    ]
    assert MANY - snapshot.counters["reclaimed"] <= 1
    assert snapshot.counters["errors"] == 0


def test_a_task_that_waits_is_given_a_lost_stream(
    httpx: Any, run: Any, guard: GuardControl, server: Http2Server
) -> None:
    guard.install(reclaim=True)

    async def program() -> None:
        done = []

        async def ask() -> None:
            done.append((await client.get(server.url("/waits"))).status_code)

        async def look() -> None:
            while not done:
                guard.check()
                await (asyncio.sleep(0) if run is run_asyncio else trio.sleep(0))

        async with httpx.AsyncClient(**HTTP2) as client:
            await client.get(server.url("/read"))
            for path in ("/dropped", "/empty", "/dropped"):
                await opened(client, server.url(path))
            if run is run_asyncio:
                await asyncio.gather(ask(), look())
            else:
                async with trio.open_nursery() as tasks:
                    tasks.start_soon(ask)
                    tasks.start_soon(look)
            assert done == [200]

    run(program)
    assert guard.check().counters["errors"] == 0


@pytest.mark.parametrize("reclaim", [False, True])
@pytest.mark.parametrize("http2", [False, True])
def test_what_the_loop_of_a_generator_closes_is_its_to_close(
    *, httpx: Any, http2: bool, reclaim: bool, guard: GuardControl, server: Http2Server
) -> None:
    """It was collected while suspended: the loop has it again, and closes the block."""

    class Holder:
        pass

    guard.install(reclaim=reclaim)

    async def program() -> None:
        options = HTTP2 | {"http1": not http2, "http2": http2}
        async with httpx.AsyncClient(**options) as client:

            async def pages() -> Any:
                async with client.stream("GET", server.url("/read")) as response:
                    yield response.status_code

            holder: Any = Holder()
            holder.holder, holder.pages = holder, pages()
            assert await anext(holder.pages) == 200
            del holder
            gc.collect()
            assert guard.check().leaks == ()
            for _ in range(3):
                await asyncio.sleep(0.05)
                assert guard.check().leaks == ()
            counters = guard.check().counters
            assert (counters["opened"], counters["released"]) == (1, 1)

    asyncio.run(program())
