"""httpx and httpx2 under asyncio and trio: the line is the task's own."""

from __future__ import annotations

import asyncio
import gc
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ._httpx import harmless, leaking

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.server import Address


def request_of(client: Any, server: Address, path: str = "/lines") -> Any:
    """A request that is not sent yet."""
    return client.build_request("GET", server.url(path))


@leaking()
async def unread(httpx: Any, server: Address) -> None:
    """A streamed response of which only the status is asked."""
    async with httpx.AsyncClient() as client:
        response = await client.send(request_of(client, server), stream=True)  # LEAK
        assert response.status_code == 200
        del response
        gc.collect()


@harmless(twin_of=unread)
async def read_at_once(httpx: Any, server: Address) -> None:
    """What httpx does where nobody says stream."""
    async with httpx.AsyncClient() as client:
        response = await client.get(server.url("/lines"))
        assert response.status_code == 200
        del response
        gc.collect()


@leaking(count=2)
async def early_return(httpx: Any, server: Address) -> None:
    """The path that does not read, below an await of the program's own."""
    async with httpx.AsyncClient() as client:

        async def fetch(path: str) -> bytes | None:
            request = request_of(client, server, path)
            response = await client.send(request, stream=True)  # LEAK
            if response.status_code != 200:
                return None
            body: bytes = await response.aread()
            return body

        for path in ("/lines", "/status/500", "/status/404"):
            await fetch(path)
        gc.collect()


@harmless(twin_of=early_return)
async def early_return_in_with(httpx: Any, server: Address) -> None:
    """The with block closes on every path."""
    async with httpx.AsyncClient() as client:
        for path in ("/lines", "/status/500", "/status/404"):
            async with client.stream("GET", server.url(path)) as response:
                if response.status_code == 200:
                    await response.aread()
        del response
        gc.collect()


@leaking()
async def error_before_read(httpx: Any, server: Address) -> None:
    """An exception between the opening and the read."""
    async with httpx.AsyncClient() as client:

        async def fetch() -> None:
            request = request_of(client, server, "/status/500")
            response = await client.send(request, stream=True)  # LEAK
            response.raise_for_status()
            await response.aread()

        with suppress(httpx.HTTPStatusError):
            await fetch()
        gc.collect()


@harmless(twin_of=error_before_read)
async def error_with_finally(httpx: Any, server: Address) -> None:
    """The same with a finally."""
    async with httpx.AsyncClient() as client:

        async def fetch() -> None:
            request = request_of(client, server, "/status/500")
            response = await client.send(request, stream=True)
            try:
                response.raise_for_status()
            finally:
                await response.aclose()

        with suppress(httpx.HTTPStatusError):
            await fetch()
        gc.collect()


@leaking(count=3, loops=("asyncio",))
async def gathered(httpx: Any, server: Address) -> None:
    """The tasks have no line of the program: the one who waits for them has."""
    async with httpx.AsyncClient() as client:
        sends = [client.send(request_of(client, server), stream=True) for _ in "abc"]
        responses = await asyncio.gather(*sends)  # LEAK
        assert len(responses) == 3
        del responses, sends
        await asyncio.sleep(0)
        gc.collect()


@harmless(twin_of=gathered, loops=("asyncio",))
async def gathered_and_closed(httpx: Any, server: Address) -> None:
    """The same, each closed."""
    async with httpx.AsyncClient() as client:
        sends = [client.send(request_of(client, server), stream=True) for _ in "abc"]
        for response in await asyncio.gather(*sends):
            await response.aclose()
        del response, sends
        gc.collect()


@leaking(loops=("asyncio",))
async def task_of_the_client(httpx: Any, server: Address) -> None:
    """A task is made of httpx's own coroutine, and waited for."""
    async with httpx.AsyncClient() as client:
        send = client.send(request_of(client, server), stream=True)
        task = asyncio.create_task(send)
        response = await task  # LEAK
        assert response.status_code == 200
        del response, task, send
        await asyncio.sleep(0)
        gc.collect()


@harmless(twin_of=task_of_the_client, loops=("asyncio",))
async def task_that_reads(httpx: Any, server: Address) -> None:
    """A task that reads."""
    async with httpx.AsyncClient() as client:
        task = asyncio.create_task(client.get(server.url("/lines")))
        assert (await task).status_code == 200
        del task
        gc.collect()


@leaking(loops=("asyncio",))
async def task_of_its_own(httpx: Any, server: Address) -> None:
    """A coroutine of the program in a task of its own."""
    async with httpx.AsyncClient() as client:

        async def work() -> int:
            request = request_of(client, server)
            response = await client.send(request, stream=True)  # LEAK
            code: int = response.status_code
            return code

        assert await asyncio.create_task(work()) == 200
        gc.collect()


@harmless(twin_of=task_of_its_own, loops=("asyncio",))
async def task_of_its_own_that_closes(httpx: Any, server: Address) -> None:
    """The same, closed."""
    async with httpx.AsyncClient() as client:

        async def work() -> int:
            async with client.stream("GET", server.url("/lines")) as response:
                code: int = response.status_code
                return code

        assert await asyncio.create_task(work()) == 200
        gc.collect()


@leaking(loops=("asyncio",))
async def shielded(httpx: Any, server: Address) -> None:
    """A shield around httpx's own coroutine."""
    async with httpx.AsyncClient() as client:
        send = client.send(request_of(client, server), stream=True)
        assert (await asyncio.shield(send)).status_code == 200  # LEAK
        del send
        await asyncio.sleep(0)
        gc.collect()


@harmless(twin_of=shielded, loops=("asyncio",))
async def shielded_and_read(httpx: Any, server: Address) -> None:
    """The same, read inside."""
    async with httpx.AsyncClient() as client:
        await asyncio.shield(client.get(server.url("/lines")))
        gc.collect()


@leaking(loops=("asyncio",))
async def in_time(httpx: Any, server: Address) -> None:
    """A limit of time around httpx's own coroutine."""
    async with httpx.AsyncClient() as client:
        send = client.send(request_of(client, server), stream=True)
        response = await asyncio.wait_for(send, 30)  # LEAK
        assert response.status_code == 200
        del response, send
        await asyncio.sleep(0)
        gc.collect()


@harmless(twin_of=in_time, loops=("asyncio",))
async def in_time_and_closed(httpx: Any, server: Address) -> None:
    """The same, closed."""
    async with httpx.AsyncClient() as client:
        send = client.send(request_of(client, server), stream=True)
        response = await asyncio.wait_for(send, 30)
        await response.aclose()


@leaking(count=2, loops=("trio",))
async def nursery(httpx: Any, server: Address) -> None:
    """Tasks of trio, whose lines are their own."""
    import trio

    async with httpx.AsyncClient() as client:

        async def work() -> None:
            request = request_of(client, server)
            await client.send(request, stream=True)  # LEAK

        async with trio.open_nursery() as tasks:
            tasks.start_soon(work)
            tasks.start_soon(work)
        gc.collect()


@harmless(twin_of=nursery, loops=("trio",))
async def nursery_that_reads(httpx: Any, server: Address) -> None:
    """The same, read."""
    import trio

    async with httpx.AsyncClient() as client, trio.open_nursery() as tasks:
        tasks.start_soon(client.get, server.url("/lines"))
        tasks.start_soon(client.get, server.url("/lines"))


@leaking()
async def generator_not_started(httpx: Any, server: Address) -> None:
    """Lines that nobody asks for."""
    async with httpx.AsyncClient() as client:

        async def lines() -> AsyncIterator[str]:
            request = request_of(client, server)
            response = await client.send(request, stream=True)  # LEAK
            found: AsyncIterator[str] = response.aiter_lines()
            return found

        await lines()
        gc.collect()


@harmless(twin_of=generator_not_started)
async def own_generator(httpx: Any, server: Address) -> None:
    """Lines that are read to their end."""
    async with httpx.AsyncClient() as client:

        async def lines() -> AsyncIterator[str]:
            async with client.stream("GET", server.url("/lines")) as response:
                async for line in response.aiter_lines():
                    yield line

        assert [line async for line in lines()]
        gc.collect()


@leaking("open")
async def left_in_a_scope(httpx: Any, server: Address) -> object:
    """A scope ends with an open response."""
    client = httpx.AsyncClient()
    request = request_of(client, server)
    return client, await client.send(request, stream=True)  # LEAK


@harmless(twin_of=left_in_a_scope)
async def closed_in_a_scope(httpx: Any, server: Address) -> None:
    """The client ends before, and with it all it has open."""
    async with httpx.AsyncClient() as client:
        response = await client.send(request_of(client, server), stream=True)
    assert response.status_code == 200


@harmless(twin_of=unread)
async def asgi(httpx: Any, server: Address) -> object:
    """An application that is called without a network."""

    async def application(_: Any, __: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x"})

    client = httpx.AsyncClient(transport=httpx.ASGITransport(app=application))
    return client, await client.send(request_of(client, server), stream=True)
