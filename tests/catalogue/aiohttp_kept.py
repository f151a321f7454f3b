"""Responses of aiohttp that are kept, with nobody reading them."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any

from ._aiohttp import BIG, SOON, harmless, leaking

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import aiohttp

    from tests.server import Address

    Session = aiohttp.ClientSession


@leaking("held", count=3)
async def in_a_list(session: Session, server: Address) -> list[Any]:
    """To be read later."""
    return [await session.get(server.url(BIG)) for _ in "abc"]  # LEAK


@harmless(twin_of=in_a_list)
async def bodies_in_a_list(session: Session, server: Address) -> list[bytes]:
    """Read now."""
    return [await (await session.get(server.url(BIG))).read() for _ in "abc"]


@leaking("held")
async def in_a_cache(session: Session, server: Address) -> dict[str, Any]:
    """The response and not what it says."""
    cache: dict[str, Any] = {}
    cache[BIG] = await session.get(server.url(BIG))  # LEAK
    return cache


@harmless(twin_of=in_a_cache)
async def read_in_a_cache(session: Session, server: Address) -> dict[str, Any]:
    """It has its body, and no connection."""
    cache: dict[str, Any] = {}
    cache[BIG] = await session.get(server.url(BIG))
    await cache[BIG].read()
    return cache


@leaking("held")
async def half_read(session: Session, server: Address) -> Any:
    """A download that was stopped for now."""
    response = await session.get(server.url(BIG))  # LEAK
    await response.content.readexactly(100_000)
    return response


@harmless(twin_of=half_read)
async def half_read_and_closed(session: Session, server: Address) -> Any:
    """Stopped for good."""
    response = await session.get(server.url(BIG))
    await response.content.readexactly(100_000)
    response.close()
    return response


@leaking("held")
async def parked_generator(session: Session, server: Address) -> Any:
    """It waits at its yield for whoever wants the next item."""

    async def chunks() -> AsyncIterator[bytes]:
        async with session.get(server.url(BIG)) as response:  # LEAK
            async for chunk in response.content.iter_chunked(1000):
                yield chunk

    iterator = chunks()
    await iterator.__anext__()
    return iterator


@harmless(twin_of=parked_generator)
async def closed_generator(session: Session, server: Address) -> Any:
    """Ended in its middle."""

    async def chunks() -> AsyncIterator[bytes]:
        async with session.get(server.url(BIG)) as response:
            async for chunk in response.content.iter_chunked(1000):
                yield chunk

    iterator: Any = chunks()
    await iterator.__anext__()
    await iterator.aclose()
    return iterator


@leaking("held")
async def in_a_kept_error(session: Session, server: Address) -> Any:
    """Its traceback has the frame that has the response."""

    async def fetch() -> None:
        response = await session.get(server.url(BIG))  # LEAK
        raise ValueError(response.status)

    try:
        await fetch()
    except ValueError as error:
        return error


@harmless(twin_of=in_a_kept_error)
async def in_a_kept_error_of_aiohttp(session: Session, server: Address) -> Any:
    """`raise_for_status` releases before it raises."""

    async def fetch() -> None:
        response = await session.get(server.url("/status/500"))
        response.raise_for_status()

    try:
        await fetch()
    except Exception as error:
        return error


@leaking("held")
async def in_a_task_that_sleeps(session: Session, server: Address) -> Any:
    """It is not a read that it waits for."""

    async def work() -> None:
        response = await session.get(server.url(BIG))  # LEAK
        await asyncio.sleep(3600)
        await response.read()

    task = asyncio.create_task(work())
    await asyncio.sleep(SOON)
    return task


@harmless(twin_of=in_a_task_that_sleeps)
async def in_a_task_that_reads(session: Session, server: Address) -> Any:
    """The server sends no more, and the task waits for it."""

    async def work() -> None:
        response = await session.get(server.url("/slow/aiohttp-reads"))
        await response.read()

    task = asyncio.create_task(work())
    await asyncio.sleep(SOON)
    return task


@leaking("held")
async def in_a_with_block_that_waits(session: Session, server: Address) -> Any:
    """It will be closed some day."""
    done = asyncio.Event()

    async def work() -> None:
        async with session.get(server.url(BIG)) as response:  # LEAK
            await done.wait()
            await response.read()

    task = asyncio.create_task(work())
    await asyncio.sleep(SOON)
    return task


@harmless(twin_of=in_a_with_block_that_waits)
async def in_a_with_block_that_reads(session: Session, server: Address) -> Any:
    """Line by line, as events come in."""

    async def work() -> None:
        async with session.get(server.url("/slow/aiohttp-lines")) as response:
            async for _ in response.content:
                pass

    task = asyncio.create_task(work())
    await asyncio.sleep(SOON)
    return task


@leaking("held")
async def body_alone(session: Session, server: Address) -> Any:
    """Whoever has the body can read it, and does not."""
    return (await session.get(server.url(BIG))).content  # LEAK


@harmless(twin_of=body_alone)
async def body_alone_that_is_read(session: Session, server: Address) -> Any:
    """A reader who has let the response go."""
    body = (await session.get(server.url("/slow/aiohttp-body"))).content
    task = asyncio.create_task(body.readexactly(90_000))
    await asyncio.sleep(SOON)
    return task


@leaking("held")
async def iterator_alone(session: Session, server: Address) -> Any:
    """An iterator over the body, which nobody asks for more."""
    response = await session.get(server.url(BIG))  # LEAK
    chunks = response.content.iter_chunked(1000)
    await chunks.__anext__()
    return chunks


@harmless(twin_of=iterator_alone)
async def iterator_to_the_end(session: Session, server: Address) -> Any:
    """It has come to its end."""
    response = await session.get(server.url(BIG))
    chunks = response.content.iter_chunked(1000)
    with suppress(StopAsyncIteration):
        while True:
            await chunks.__anext__()
    return chunks


@leaking("held")
async def in_a_stack(session: Session, server: Address) -> Any:
    """A stack that nobody closes."""
    stack = AsyncExitStack()
    await stack.enter_async_context(session.get(server.url(BIG)))  # LEAK
    return stack


@harmless(twin_of=in_a_stack)
async def in_a_stack_that_is_closed(session: Session, server: Address) -> Any:
    """Closed."""
    stack = AsyncExitStack()
    await stack.enter_async_context(session.get(server.url(BIG)))
    await stack.aclose()
    return stack


@leaking("held")
async def result_of_a_task(session: Session, server: Address) -> Any:
    """A task that is done has its result for as long as it lives."""
    task = asyncio.create_task(session.get(server.url(BIG)))  # LEAK
    await asyncio.wait([task])
    return task


@harmless(twin_of=result_of_a_task)
async def result_of_a_task_that_is_read(session: Session, server: Address) -> Any:
    """The same, read."""
    task = asyncio.create_task(session.get(server.url(BIG)))
    await (await task).read()
    return task


@leaking("held")
async def in_a_closure(session: Session, server: Address) -> Any:
    """A function to be called later."""
    response = await session.get(server.url(BIG))  # LEAK
    return partial(response.json, content_type=None)


@harmless(twin_of=in_a_closure)
async def awaited_at_once(session: Session, server: Address) -> Any:
    """Called now."""
    response = await session.get(server.url("/pages/1"))
    return await partial(response.json, content_type=None)()


@leaking("held", count=2)
async def in_a_queue(session: Session, server: Address) -> Any:
    """Nobody takes them out."""
    queue: asyncio.Queue[Any] = asyncio.Queue()
    for _ in range(2):
        await queue.put(await session.get(server.url(BIG)))  # LEAK
    return queue


@harmless(twin_of=in_a_queue)
async def through_a_queue(session: Session, server: Address) -> Any:
    """Somebody does."""
    queue: asyncio.Queue[Any] = asyncio.Queue()
    for _ in range(2):
        await queue.put(await session.get(server.url(BIG)))
        await (await queue.get()).read()
    return queue


_CURRENT: ContextVar[Any] = ContextVar("_CURRENT", default=None)


@leaking("held")
async def in_a_context(session: Session, server: Address) -> Any:
    """The context of a task that is kept."""

    async def work() -> None:
        _CURRENT.set(await session.get(server.url(BIG)))  # LEAK
        await asyncio.sleep(3600)

    task = asyncio.create_task(work())
    await asyncio.sleep(SOON)
    return task


@harmless(twin_of=in_a_context)
async def read_in_a_context(session: Session, server: Address) -> Any:
    """Read before."""

    async def work() -> None:
        _CURRENT.set(await session.get(server.url(BIG)))
        await _CURRENT.get().read()
        await asyncio.sleep(3600)

    task = asyncio.create_task(work())
    await asyncio.sleep(SOON)
    return task
