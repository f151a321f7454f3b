"""aiohttp with code between the call and the network: middlewares, traces, wrappers."""

from __future__ import annotations

import asyncio
import gc
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import aiohttp

from ._aiohttp import BIG, harmless, leaking

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.server import Address

    Session = aiohttp.ClientSession

HAS_MIDDLEWARES = hasattr(aiohttp, "ClientHandlerType")


if HAS_MIDDLEWARES:

    @leaking(count=2)
    async def a_middleware_asks_twice(session: Session, server: Address) -> bytes:
        """It wants the second answer and forgets the first."""

        async def twice(request: Any, handler: Any) -> Any:
            for _ in range(2):
                await handler(request)  # LEAK
            return await handler(request)

        url = server.url(BIG)
        async with session.get(url, middlewares=(twice,)) as response:
            return await response.read()

    @harmless(twin_of=a_middleware_asks_twice)
    async def a_middleware_releases(session: Session, server: Address) -> bytes:
        """What it does not return it closes."""

        async def twice(request: Any, handler: Any) -> Any:
            for _ in range(2):
                (await handler(request)).close()
            return await handler(request)

        url = server.url(BIG)
        async with session.get(url, middlewares=(twice,)) as response:
            return await response.read()

    @leaking()
    async def lost_above_a_middleware(session: Session, server: Address) -> int:
        """It does nothing; the line of the call is the one."""

        async def none(request: Any, handler: Any) -> Any:
            return await handler(request)

        response = await session.get(server.url(BIG), middlewares=(none,))  # LEAK
        return int(response.status)

    @harmless(twin_of=lost_above_a_middleware)
    async def read_above_a_middleware(_: Session, server: Address) -> Any:
        """It is the session's."""

        async def none(request: Any, handler: Any) -> Any:
            return await handler(request)

        async with (
            aiohttp.ClientSession(middlewares=(none,)) as session,
            session.get(server.url(BIG)) as response,
        ):
            await response.read()
        return response

    @leaking()
    async def a_middleware_raises(session: Session, server: Address) -> bool:
        """For an answer that it does not like."""

        async def check(request: Any, handler: Any) -> Any:
            response = await handler(request)  # LEAK
            if response.status == 200:
                msg = "no"
                raise ValueError(msg)
            return response

        with suppress(ValueError):
            await session.get(server.url(BIG), middlewares=(check,))
        gc.collect()
        return True

    @harmless(twin_of=a_middleware_raises)
    async def a_middleware_releases_and_raises(
        session: Session, server: Address
    ) -> bool:
        """Released first."""

        async def check(request: Any, handler: Any) -> Any:
            response = await handler(request)
            if response.status == 200:
                response.release()
                msg = "no"
                raise ValueError(msg)
            return response

        with suppress(ValueError):
            await session.get(server.url(BIG), middlewares=(check,))
        gc.collect()
        return True


@leaking()
async def a_helper_with_yield(session: Session, server: Address) -> int:
    """A context manager of the program's own that closes nothing."""

    @asynccontextmanager
    async def opened(path: str) -> AsyncIterator[Any]:
        yield await session.get(server.url(path))  # LEAK

    async with opened(BIG) as response:
        return int(response.status)


@harmless(twin_of=a_helper_with_yield)
async def a_helper_that_closes(session: Session, server: Address) -> int:
    """The same around aiohttp's own."""

    @asynccontextmanager
    async def opened(path: str) -> AsyncIterator[Any]:
        async with session.get(server.url(path)) as response:
            yield response

    async with opened(BIG) as response:
        return int(response.status)


@leaking(count=2)
async def limited_by_a_semaphore(session: Session, server: Address) -> int:
    """The semaphore limits the calls, and not what they leave open."""
    semaphore = asyncio.Semaphore(1)

    async def fetch() -> int:
        async with semaphore:
            response = await session.get(server.url(BIG))  # LEAK
        return int(response.status)

    return sum(await asyncio.gather(fetch(), fetch()))


@harmless(twin_of=limited_by_a_semaphore)
async def limited_and_read(session: Session, server: Address) -> int:
    """Read within."""
    semaphore = asyncio.Semaphore(1)

    async def fetch() -> int:
        async with semaphore, session.get(server.url(BIG)) as response:
            return len(await response.read())

    return sum(await asyncio.gather(fetch(), fetch()))


@leaking()
async def a_subclass_of_the_response(_: Session, server: Address) -> Any:
    """Of the program's own, by ``response_class``."""

    class Checked(aiohttp.ClientResponse):
        def ok_or_raise(self) -> None:
            if self.status == 200:
                msg = "no"
                raise ValueError(msg)

    session = aiohttp.ClientSession(response_class=Checked)
    with suppress(ValueError):
        response: Any = await session.get(server.url(BIG))  # LEAK
        response.ok_or_raise()
    del response
    return session


@harmless(twin_of=a_subclass_of_the_response)
async def a_subclass_that_is_read(_: Session, server: Address) -> Any:
    """Read."""

    class Checked(aiohttp.ClientResponse):
        pass

    async with (
        aiohttp.ClientSession(response_class=Checked) as session,
        session.get(server.url(BIG)) as response,
    ):
        await response.read()
    return response


@leaking("held")
async def an_upload_from_the_answer(session: Session, server: Address) -> Any:
    """The body of one is sent on by another, that fails before it is read up."""
    source = await session.get(server.url(BIG))  # LEAK

    async def some() -> AsyncIterator[bytes]:
        async for chunk in source.content.iter_chunked(1000):
            yield chunk
            return

    async with session.post(server.url("/echo"), data=some()) as response:
        await response.read()
    return source


@harmless(twin_of=an_upload_from_the_answer)
async def an_upload_of_all(session: Session, server: Address) -> Any:
    """All of it goes on."""
    async with session.get(server.url("/bytes/90000")) as source:
        data = source.content.iter_chunked(10_000)
        async with session.post(server.url("/echo"), data=data) as response:
            assert len(await response.read()) == 90_000
    return source
