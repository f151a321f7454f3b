"""Async generators that are collected go to their loop, which closes what they hold."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import requests

import httpguard
from httpguard import LeakKind

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.conftest import GuardControl
    from tests.server import Server

    Parts = Callable[[httpx.AsyncClient, str], AsyncIterator[object]]

pytestmark = pytest.mark.usefixtures("small_heap")

BODY = "/bytes/900000"


class Holder:
    """In a cycle with an async generator."""

    def __init__(self, parts: AsyncIterator[object]) -> None:
        self.me = self
        self.parts = parts


async def httpx_parts(client: httpx.AsyncClient, url: str) -> AsyncIterator[object]:
    async with client.stream("GET", url) as response:
        async for part in response.aiter_bytes(10):
            yield part


async def requests_parts(_client: object, url: str) -> AsyncIterator[object]:
    with requests.get(url, stream=True) as response:  # noqa: ASYNC210  # On purpose.
        for part in response.iter_content(10):
            yield part


async def httpx_status(client: httpx.AsyncClient, url: str) -> AsyncIterator[object]:
    response = await client.send(client.build_request("GET", url), stream=True)
    yield response.status_code


async def requests_status(_client: object, url: str) -> AsyncIterator[object]:
    response = requests.get(url, stream=True)  # noqa: ASYNC210  # On purpose.
    yield response.status_code


async def collected(parts: Parts, url: str, guard: GuardControl) -> None:
    """Have the collector take two generators, and the loop close them."""
    async with httpx.AsyncClient() as client:
        gc.disable()  # It may come in between, and the loop close the first one.
        for _ in range(2):
            await Holder(parts(client, url)).parts.__anext__()
        gc.enable()
        gc.collect()
        assert guard.check().leaks == ()
        await asyncio.sleep(0.01)
        gc.collect()


@pytest.mark.parametrize("parts", [httpx_parts, requests_parts])
def test_what_the_loop_closes_is_no_leak(
    parts: Parts, guard: GuardControl, server: Server
) -> None:
    guard.install()
    asyncio.run(collected(parts, server.url(BODY), guard))
    guard.advance(100)
    state = guard.check()
    assert (state.leaks, state.open) == ((), ())
    counters = state.counters
    assert counters["opened"] == counters["released"] + counters["closed"] == 2
    assert counters["errors"] == 0


@pytest.mark.parametrize("parts", [httpx_status, requests_status])
def test_what_it_does_not_close_was_dropped(
    parts: Any, guard: GuardControl, server: Server
) -> None:
    guard.install()
    asyncio.run(collected(parts, server.url(BODY), guard))
    (leak,) = guard.check().leaks
    assert (leak.kind, leak.count) == (LeakKind.DROPPED, 2)
    assert leak.site.lineno == parts.__code__.co_firstlineno + 1


@pytest.mark.parametrize("parts", [httpx_status, requests_status])
def test_one_that_has_ended_has_dropped_its_response(
    parts: Any, guard: GuardControl, server: Server
) -> None:
    guard.install()

    async def main() -> None:
        async with httpx.AsyncClient() as client:
            async for _ in parts(client, server.url(BODY)):
                pass
            gc.collect()
            (leak,) = guard.check().leaks
            assert (leak.kind, leak.count) == (LeakKind.DROPPED, 1)
            assert leak.site.lineno == parts.__code__.co_firstlineno + 1

    asyncio.run(main())


@pytest.mark.parametrize(
    ("parts", "count"),
    [(httpx_parts, 0), (requests_parts, 0), (httpx_status, 2), (requests_status, 2)],
)
@pytest.mark.parametrize("looks", [False, True])
def test_a_scope_tells_them_apart_too(
    parts: Any,
    count: int,
    *,
    looks: bool,
    guard: GuardControl,
    server: Server,
) -> None:
    guard.install()

    async def main() -> None:
        async with httpx.AsyncClient() as client:
            gc.disable()  # As above; and to close the client ends what it still knows.
            for _ in range(2):
                await Holder(parts(client, server.url(BODY))).parts.__anext__()
                if looks:
                    gc.collect()
                    guard.check()  # While the loop has yet to close it.
            gc.enable()
            gc.collect()
            await asyncio.sleep(0.01)

    if not count:
        with httpguard.no_leaks():
            asyncio.run(main())
        return
    with pytest.raises(httpguard.LeakError) as caught, httpguard.no_leaks():
        asyncio.run(main())
    (leak,) = caught.value.leaks
    assert (leak.kind, leak.count) == (LeakKind.DROPPED, count)
    assert leak.site.lineno == parts.__code__.co_firstlineno + 1
