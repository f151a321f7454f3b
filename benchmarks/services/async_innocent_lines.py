"""Lines of an event loop that leak nothing, or where what goes wrong is handled."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
from typing import TYPE_CHECKING, Final

import aiohttp
import httpx

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from .async_work import AsyncWork
    from .settings import Orders

    Line = Callable[[AsyncWork], Awaitable[None]]

_PATIENCE: Final = 0.05
_SHORT: Final = aiohttp.ClientTimeout(sock_read=_PATIENCE)
_PARTS_OF_A_CHILD: Final = 5


async def read(work: AsyncWork) -> None:
    async with work.session.get(work.url + "/bytes/2000") as response:
        assert len(await response.read()) == 2000


async def with_block(work: AsyncWork) -> None:
    async with work.session.get(work.stalled) as response:
        assert await response.content.read(100)


async def streamed(work: AsyncWork) -> None:
    response = await work.session.get(work.url + "/chunked")
    parts = [part async for part in response.content.iter_chunked(30)]
    assert sum(map(len, parts)) == 100


async def head(work: AsyncWork) -> None:
    async with work.session.head(work.url + "/bytes/5000") as response:
        assert response.ok


async def redirected(work: AsyncWork) -> None:
    async with work.session.get(work.url + "/redirect") as response:
        assert response.history
        assert await response.read()


async def httpx_read(work: AsyncWork) -> None:
    response = await work.client.get(work.url + "/bytes/2000")
    assert len(response.content) == 2000


async def httpx_block(work: AsyncWork) -> None:
    async with work.client.stream("GET", work.stalled) as response:
        async for _ in response.aiter_raw(100):
            break


async def httpx_streamed(work: AsyncWork) -> None:
    async with work.client.stream("GET", work.url + "/chunked") as response:
        parts = [part async for part in response.aiter_bytes(30)]
    assert sum(map(len, parts)) == 100


async def httpx_redirected(work: AsyncWork) -> None:
    got = await work.client.get(work.url + "/redirect", follow_redirects=True)
    assert got.history


async def httpx_sent(work: AsyncWork) -> None:
    request = work.client.build_request("GET", work.url + "/bytes/500")
    response = await work.client.send(request, stream=True)
    try:
        assert await response.aread()
    finally:
        await response.aclose()


async def late(work: AsyncWork) -> None:
    """Wait in a read for longer than anything may be idle."""
    async with work.session.get(work.late) as response:
        assert len(await response.read()) == 100


async def httpx_late(work: AsyncWork) -> None:
    async with work.client.stream("GET", work.late, timeout=60) as response:
        assert len(await response.aread()) == 100


async def cancelled(work: AsyncWork) -> None:
    work.diary.injected("cancelled task")
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(_all(work), _PATIENCE)


async def httpx_cancelled(work: AsyncWork) -> None:
    work.diary.injected("cancelled task")
    # Not before: httpx 0.28 loses a slot to a task that is cancelled as it connects.
    begun = asyncio.Event()
    task = asyncio.create_task(_all_of_httpx(work, begun))
    await asyncio.wait_for(begun.wait(), 60)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def _all(work: AsyncWork) -> bytes:
    async with work.session.get(work.stalled) as response:
        return await response.read()


async def _all_of_httpx(work: AsyncWork, begun: asyncio.Event) -> bytes:
    async with work.client.stream("GET", work.stalled) as response:
        begun.set()
        return await response.aread()


async def timed_out(work: AsyncWork) -> None:
    work.diary.injected("timeout in a body")
    with contextlib.suppress(asyncio.TimeoutError):
        async with work.session.get(work.stalled, timeout=_SHORT) as response:
            await response.read()


async def unanswered(work: AsyncWork) -> None:
    work.diary.injected("timeout before an answer")
    with contextlib.suppress(httpx.TimeoutException):
        await work.client.get(work.url + "/silent", timeout=_PATIENCE)


async def reset(work: AsyncWork) -> None:
    work.diary.injected("reset in a body")
    with contextlib.suppress(aiohttp.ClientError):
        async with work.session.get(work.url + "/reset") as response:
            await response.read()


async def httpx_reset(work: AsyncWork) -> None:
    work.diary.injected("reset in a body")
    with contextlib.suppress(httpx.ReadError):
        async with work.client.stream("GET", work.url + "/reset") as response:
            await response.aread()


async def refused(work: AsyncWork) -> None:
    work.diary.injected("reset before an answer")
    with contextlib.suppress(aiohttp.ClientError):
        await work.session.get(work.url + "/refuse")


async def nameless(work: AsyncWork) -> None:
    work.diary.injected("unknown host")
    with contextlib.suppress(httpx.TransportError):
        await work.client.get("http://soak.invalid/")


async def jump(work: AsyncWork) -> None:
    work.diary.injected("jump of the clock")
    work.clock.jump()
    await read(work)


async def forked(work: AsyncWork) -> None:
    """A child that asks with requests and urllib3, and leaks by itself."""
    work.diary.injected("fork")
    child = multiprocessing.get_context("fork").Process(
        target=_child, args=(work.orders,)
    )
    child.start()
    await asyncio.to_thread(child.join)
    if child.exitcode:
        raise RuntimeError(f"a forked child ended with {child.exitcode}")


def _child(orders: Orders) -> None:
    from .sync_steps import SyncSteps

    steps = SyncSteps(orders)
    for part in range(_PARTS_OF_A_CHILD):
        steps.do(part)
    steps.end()


INNOCENT: Final[Mapping[str, tuple[Line, int]]] = {
    "aiohttp_read": (read, 40),
    "aiohttp_block": (with_block, 15),
    "aiohttp_streamed": (streamed, 20),
    "aiohttp_head": (head, 15),
    "aiohttp_redirected": (redirected, 10),
    "httpx_read": (httpx_read, 30),
    "httpx_block": (httpx_block, 15),
    "httpx_streamed": (httpx_streamed, 15),
    "httpx_redirected": (httpx_redirected, 10),
    "httpx_sent": (httpx_sent, 10),
}
"""Each line, and how often a round has it."""
FAULTS: Final[Mapping[str, tuple[Line, int]]] = {
    "aiohttp_cancelled": (cancelled, 1),
    "httpx_cancelled": (httpx_cancelled, 1),
    "aiohttp_timed_out": (timed_out, 1),
    "httpx_unanswered": (unanswered, 1),
    "aiohttp_reset": (reset, 1),
    "httpx_reset": (httpx_reset, 1),
    "aiohttp_refused": (refused, 1),
    "httpx_nameless": (nameless, 1),
    "jump": (jump, 1),
}
RARE: Final[Mapping[str, tuple[Line, int]]] = {
    "aiohttp_late": (late, 1),
    "httpx_late": (httpx_late, 1),
    "forked": (forked, 1),
}
