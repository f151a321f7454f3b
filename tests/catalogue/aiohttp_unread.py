"""Responses of aiohttp of which nobody wants the rest: never collected, never freed."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, Any

import aiohttp

from ._aiohttp import BIG, arrived, harmless, leaking

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.server import Address

    Session = aiohttp.ClientSession


@leaking()
async def status_alone(session: Session, server: Address) -> int:
    """Only whether it is there."""
    response = await session.get(server.url(BIG))  # LEAK
    return response.status


@harmless(twin_of=status_alone)
async def status_alone_in_with(session: Session, server: Address) -> int:
    """The with block releases it."""
    async with session.get(server.url(BIG)) as response:
        return response.status


@leaking()
async def headers_alone(session: Session, server: Address) -> Any:
    """What is kept of it are its headers."""
    return (await session.get(server.url(BIG))).headers  # LEAK


@harmless(twin_of=headers_alone)
async def headers_by_head(session: Session, server: Address) -> Any:
    """The answer to HEAD has no body."""
    return (await session.head(server.url(BIG))).headers


@leaking(count=2)
async def too_large_to_read(session: Session, server: Address) -> None:
    """The path that returns before it reads."""

    async def fetch(path: str) -> bytes | None:
        response = await session.get(server.url(path))  # LEAK
        if int(response.headers["Content-Length"]) > 1_000_000:
            return None
        return await response.read()

    for path in (BIG, "/lines", BIG):
        await fetch(path)


@harmless(twin_of=too_large_to_read)
async def too_large_and_released(session: Session, server: Address) -> None:
    """The same, which gives it back."""

    async def fetch(path: str) -> bytes | None:
        response = await session.get(server.url(path))
        if int(response.headers["Content-Length"]) > 1_000_000:
            response.release()
            return None
        return await response.read()

    for path in (BIG, "/lines", BIG):
        await fetch(path)


@leaking()
async def error_before_read(session: Session, server: Address) -> None:
    """A check that raises between opening and reading."""

    async def fetch() -> Any:
        response = await session.get(server.url(BIG))  # LEAK
        if response.content_type != "application/json":
            raise ValueError(response.content_type)
        return await response.json()

    with suppress(ValueError):
        await fetch()


@harmless(twin_of=error_before_read)
async def error_of_json(session: Session, server: Address) -> None:
    """`json` reads before it looks at the content type."""

    async def fetch() -> Any:
        response = await session.get(server.url(BIG))
        return await response.json()

    with suppress(aiohttp.ContentTypeError):
        await fetch()


@leaking()
async def first_bytes(session: Session, server: Address) -> bytes:
    """Enough to see what kind of file it is."""
    response = await session.get(server.url(BIG))  # LEAK
    return await response.content.read(16)


@harmless(twin_of=first_bytes)
async def first_bytes_and_close(session: Session, server: Address) -> bytes:
    """The same in a try that closes."""
    response = await session.get(server.url(BIG))
    try:
        return await response.content.read(16)
    finally:
        response.close()


@leaking()
async def first_line(session: Session, server: Address) -> bytes:
    """The header of a table."""
    response = await session.get(server.url("/chunked/30000"))  # LEAK
    return await response.content.readline()


@harmless(twin_of=first_line)
async def every_line(session: Session, server: Address) -> int:
    """All of them: the end gives it back."""
    response = await session.get(server.url("/chunked/3000"))
    return len([line async for line in response.content])


@leaking()
async def break_of_lines(session: Session, server: Address) -> bytes:
    """A loop over the lines that has found what it looks for."""
    response = await session.get(server.url("/chunked/30000"))  # LEAK
    async for line in response.content:
        if line.startswith(b"7 "):
            return line
    return b""


@harmless(twin_of=break_of_lines)
async def break_of_lines_in_with(session: Session, server: Address) -> bytes:
    """The same in a with block."""
    async with session.get(server.url("/chunked/30000")) as response:
        async for line in response.content:
            if line.startswith(b"7 "):
                return line
    return b""


@leaking()
async def break_of_chunks(session: Session, server: Address) -> int:
    """A loop over chunks with a limit of its own."""
    size = 0
    response = await session.get(server.url(BIG))  # LEAK
    async for chunk in response.content.iter_chunked(4096):
        size += len(chunk)
        if size > 10_000:
            break
    return size


@harmless(twin_of=break_of_chunks)
async def all_chunks(session: Session, server: Address) -> int:
    """To the end."""
    size = 0
    response = await session.get(server.url(BIG))
    async for chunk in response.content.iter_chunked(4096):
        size += len(chunk)
    return size


@leaking()
async def break_of_iter_chunks(session: Session, server: Address) -> bytes:
    """By the server's own chunks."""
    response = await session.get(server.url("/chunked/30000"))  # LEAK
    async for chunk, _ in response.content.iter_chunks():
        return chunk
    return b""


@harmless(twin_of=break_of_iter_chunks)
async def break_and_release(session: Session, server: Address) -> bytes:
    """And then release."""
    response = await session.get(server.url("/chunked/30000"))
    async for chunk, _ in response.content.iter_chunks():
        response.release()
        return chunk
    return b""


@leaking()
async def answer_to_post(session: Session, server: Address) -> bool:
    """An upload whose answer is large."""
    body = b"x" * 2_000_000
    response = await session.post(server.url("/echo"), data=body)  # LEAK
    return response.ok


@harmless(twin_of=answer_to_post)
async def short_answer_to_post(session: Session, server: Address) -> bool:
    """An answer that comes in by itself, read or not."""
    response = await session.post(server.url("/echo"), data=b"x" * 100_000)
    await arrived(response)
    return response.ok


@leaking()
async def endless_answer(session: Session, server: Address) -> int:
    """A server that has sent a few bytes and sends no more."""
    response = await session.get(server.url("/slow/aiohttp-endless"))  # LEAK
    return response.status


@harmless(twin_of=endless_answer)
async def endless_answer_and_close(session: Session, server: Address) -> int:
    """The same, closed."""
    response = await session.get(server.url("/slow/aiohttp-endless"))
    response.close()
    return response.status


@leaking()
async def entered_by_hand(session: Session, server: Address) -> int:
    """A with block's beginning without its end."""
    response = await session.get(server.url(BIG)).__aenter__()  # LEAK
    return response.status


@harmless(twin_of=entered_by_hand)
async def entered_in_a_stack(session: Session, server: Address) -> int:
    """The stack sees to the end."""
    async with AsyncExitStack() as stack:
        response = await stack.enter_async_context(session.get(server.url(BIG)))
        return response.status


@leaking(count=4)
async def in_a_loop(session: Session, server: Address) -> list[int]:
    """A health check of several places."""
    urls = [server.url(BIG)] * 4
    return [(await session.get(url)).status for url in urls]  # LEAK


@harmless(twin_of=in_a_loop)
async def short_ones_in_a_loop(session: Session, server: Address) -> list[int]:
    """Their bodies are there with the head: aiohttp has given the connections back."""
    statuses = []
    for _ in range(4):
        response = await session.get(server.url("/bytes/100"))
        await arrived(response)
        statuses.append(response.status)
    return statuses


@leaking(count=2)
async def retries(session: Session, server: Address) -> bytes:
    """Each try but the last is lost."""
    for attempt in range(3):
        response = await session.get(server.url(BIG))  # LEAK
        if attempt == 2:
            return await response.read()
    return b""


@harmless(twin_of=retries)
async def retries_with_release(session: Session, server: Address) -> bytes:
    """Each is released."""
    for attempt in range(3):
        async with session.get(server.url(BIG)) as response:
            if attempt == 2:
                return await response.read()
    return b""


@leaking()
async def redirect_by_hand(session: Session, server: Address) -> str:
    """What `allow_redirects=False` returns is a response like any other."""
    options: dict[str, Any] = {"allow_redirects": False}
    url = server.url("/slow/aiohttp-location")
    response = await session.get(url, **options)  # LEAK
    return response.headers.get("Location", "")


@harmless(twin_of=redirect_by_hand)
async def redirects_followed(session: Session, server: Address) -> bytes:
    """aiohttp releases each hop."""
    async with session.get(server.url("/redirect/3")) as response:
        return await response.read()


@leaking()
async def a_generator_without_with(session: Session, server: Address) -> bytes:
    """The program's own generator, left after the first item."""

    async def chunks() -> AsyncIterator[bytes]:
        response = await session.get(server.url(BIG))  # LEAK
        async for chunk in response.content.iter_any():
            yield chunk

    first = b""
    async for chunk in chunks():
        first = chunk
        break
    await asyncio.sleep(0.01)
    return first


@harmless(twin_of=a_generator_without_with)
async def a_generator_with_with(session: Session, server: Address) -> bytes:
    """Its with block runs as the loop ends it."""

    async def chunks() -> AsyncIterator[bytes]:
        async with session.get(server.url(BIG)) as response:
            async for chunk in response.content.iter_any():
                yield chunk

    first = b""
    async for chunk in chunks():
        first = chunk
        break
    await asyncio.sleep(0.01)
    return first


@leaking()
async def through_a_client_of_its_own(session: Session, server: Address) -> bool:
    """A class around the session: the line is where it asks aiohttp."""

    class Client:
        async def get(self, path: str) -> aiohttp.ClientResponse:
            return await session.request("GET", server.url(path))  # LEAK

        async def exists(self, path: str) -> bool:
            return (await self.get(path)).status == 200

    return await Client().exists(BIG)


@harmless(twin_of=through_a_client_of_its_own)
async def a_client_that_reads(session: Session, server: Address) -> Any:
    """What it returns is read."""

    class Client:
        async def get(self, path: str) -> Any:
            async with session.request("GET", server.url(path)) as response:
                return json.loads(await response.text())

    return await Client().get("/pages/1")
