"""Lines that leak, through aiohttp and httpx."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import httpx

import httpguard

from .async_work import IDLE, LIMITS
from .settings import MAX_SESSIONS

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping

    from .async_work import AsyncWork

_CROWD: Final = MAX_SESSIONS + 2


async def status_only(work: AsyncWork) -> None:
    response = await work.session.get(work.stalled)  # leaks: dropped aiohttp_status
    work.diary.leaked("aiohttp_status")
    response.raise_for_status()


async def first_bytes(work: AsyncWork) -> None:
    response = await work.session.get(work.stalled)  # leaks: dropped aiohttp_bytes
    work.diary.leaked("aiohttp_bytes")
    await response.content.read(10)


async def parked(work: AsyncWork) -> None:
    response = await work.session.get(work.stalled)  # leaks: held aiohttp_parked
    work.shelf.put("aiohttp_parked", response.close)


async def left_open(work: AsyncWork) -> None:
    with contextlib.suppress(httpguard.LeakError), httpguard.no_leaks():
        response = await work.session.get(work.stalled)  # leaks: open aiohttp_open
        work.diary.leaked("aiohttp_open")
    work.diary.resolved("aiohttp_open")
    response.close()


async def sessions(work: AsyncWork) -> None:
    if work.shelf.reserve("aiohttp_sessions"):
        await asyncio.create_task(_sessions(work))


async def _sessions(work: AsyncWork) -> None:
    made = []
    for _ in range(_CROWD):
        session = aiohttp.ClientSession(  # leaks: session aiohttp_sessions
            connector=aiohttp.TCPConnector(keepalive_timeout=IDLE)
        )
        async with session.get(work.url + "/bytes/10") as response:
            await response.read()
        made.append(session)
    await _crowd(work, "aiohttp_sessions", [session.close for session in made])


def _request(work: AsyncWork) -> httpx.Request:
    return work.client.build_request("GET", work.stalled)


async def httpx_status(work: AsyncWork) -> None:
    send, request = work.client.send, _request(work)
    response = await send(request, stream=True)  # leaks: dropped httpx_status
    work.diary.leaked("httpx_status")
    response.raise_for_status()


async def httpx_raised(work: AsyncWork) -> None:
    with contextlib.suppress(ValueError):
        await _parse(work)


async def _parse(work: AsyncWork) -> None:
    send, request = work.client.send, _request(work)
    response = await send(request, stream=True)  # leaks: dropped httpx_raised
    work.diary.leaked("httpx_raised")
    int(response.headers["content-length"] + "?")


async def httpx_parked(work: AsyncWork) -> None:
    send, request = work.client.send, _request(work)
    response = await send(request, stream=True)  # leaks: held httpx_parked
    work.shelf.put("httpx_parked", response.aclose)


async def suspended(work: AsyncWork) -> None:
    parts = _parts(work)
    await parts.__anext__()
    work.shelf.put("httpx_suspended", parts.aclose)


async def _parts(work: AsyncWork) -> AsyncGenerator[bytes, None]:
    stream, url = work.client.stream, work.stalled
    async with stream("GET", url) as response:  # leaks: held httpx_suspended
        async for part in response.aiter_bytes(100):
            yield part


async def clients(work: AsyncWork) -> None:
    if work.shelf.reserve("httpx_clients"):
        await asyncio.create_task(_clients(work))


async def _clients(work: AsyncWork) -> None:
    made = []
    for _ in range(_CROWD):
        client = httpx.AsyncClient(  # leaks: session httpx_clients
            limits=LIMITS, trust_env=False, verify=False
        )
        await client.get(work.url + "/bytes/10")
        made.append(client)
    await _crowd(work, "httpx_clients", [client.aclose for client in made])


async def _crowd(
    work: AsyncWork, name: str, closing: list[Callable[[], Awaitable[Any]]]
) -> None:
    async def close() -> None:
        while closing:
            await closing.pop()()

    work.shelf.put(name, close, _CROWD - MAX_SESSIONS)


LEAKS: Final[Mapping[str, tuple[Callable[[AsyncWork], Awaitable[None]], int]]] = {
    "aiohttp_status": (status_only, 2),
    "aiohttp_bytes": (first_bytes, 1),
    "aiohttp_parked": (parked, 1),
    "aiohttp_open": (left_open, 1),
    "aiohttp_sessions": (sessions, 1),
    "httpx_status": (httpx_status, 2),
    "httpx_raised": (httpx_raised, 1),
    "httpx_parked": (httpx_parked, 1),
    "httpx_suspended": (suspended, 1),
    "httpx_clients": (clients, 1),
}
"""Each line, and how often a round has it."""
