"""httpx and httpx2: responses that end up somewhere, and those lost on the way.

Sync programs first, then tasks.
"""

from __future__ import annotations

import asyncio
import functools
import gc
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack, suppress
from typing import TYPE_CHECKING, Any

from ._httpx import harmless, leaking

if TYPE_CHECKING:
    from tests.server import Address


def request_of(client: Any, server: Address, path: str = "/lines") -> Any:
    """A request that is not sent yet."""
    return client.build_request("GET", server.url(path))


@leaking("held")
def kept_by_a_hook(httpx: Any, server: Address) -> object:
    """A hook keeps what it sees, for statistics."""
    seen: list[Any] = []
    client = httpx.Client(event_hooks={"response": [seen.append]})
    client.send(request_of(client, server), stream=True)  # LEAK
    return client, seen


@harmless(twin_of=kept_by_a_hook)
def kept_by_a_hook_and_read(httpx: Any, server: Address) -> object:
    """What is not streamed is read after the hook."""
    seen: list[Any] = []
    client = httpx.Client(event_hooks={"response": [seen.append]})
    client.get(server.url("/lines"))
    return client, seen


@leaking(count=3)
def retried(httpx: Any, server: Address) -> object:
    """Each failed attempt is forgotten."""
    client = httpx.Client()
    for _ in range(3):
        request = request_of(client, server, "/status/503")
        response = client.send(request, stream=True)  # LEAK
        if response.is_success:
            break
    return client


@harmless(twin_of=retried)
def retried_and_closed(httpx: Any, server: Address) -> object:
    """Each failed attempt is closed."""
    client = httpx.Client()
    for _ in range(3):
        response = client.send(request_of(client, server, "/status/503"), stream=True)
        response.close()
    return client


@leaking("held")
def error_kept(httpx: Any, server: Address) -> object:
    """The errors of the day, with their responses."""
    client = httpx.Client()
    errors = []
    request = request_of(client, server, "/status/404")
    response = client.send(request, stream=True)  # LEAK
    try:
        response.raise_for_status()
    except httpx.HTTPStatusError as error:
        errors.append(error)
    return client, errors


@harmless(twin_of=error_kept)
def error_kept_and_read(httpx: Any, server: Address) -> object:
    """They may be kept, once they are read."""
    client = httpx.Client()
    errors = []
    try:
        client.get(server.url("/status/404")).raise_for_status()
    except httpx.HTTPStatusError as error:
        errors.append(error)
    return client, errors


@leaking("held")
def entered_by_hand(httpx: Any, server: Address) -> object:
    """A manager that is entered, and never left."""
    client = httpx.Client()
    manager = client.stream("GET", server.url("/lines"))
    return client, manager, manager.__enter__()  # LEAK


@harmless(twin_of=entered_by_hand)
def entered_by_hand_and_dropped(httpx: Any, server: Address) -> object:
    """Its generator ends with it, and closes."""
    client = httpx.Client()
    client.stream("GET", server.url("/lines")).__enter__()
    return client


@leaking("held")
def stack_not_closed(httpx: Any, server: Address) -> object:
    """An ExitStack that nobody closes."""
    stack = ExitStack()
    client = stack.enter_context(httpx.Client())
    stack.enter_context(client.stream("GET", server.url("/lines")))  # LEAK
    return stack


@harmless(twin_of=stack_not_closed)
def stack_closed(httpx: Any, server: Address) -> object:
    """The same, closed."""
    with ExitStack() as stack:
        client = stack.enter_context(httpx.Client())
        stack.enter_context(client.stream("GET", server.url("/lines")))
    return stack


@leaking("held")
def cached(httpx: Any, server: Address) -> object:
    """A cache of a function keeps what it returned."""
    client = httpx.Client()

    @functools.lru_cache
    def fetch(path: str) -> Any:
        return client.send(request_of(client, server, path), stream=True)  # LEAK

    assert fetch("/lines") is fetch("/lines")
    return client, fetch


@harmless(twin_of=cached)
def cached_text(httpx: Any, server: Address) -> object:
    """A cache of what was read."""
    client = httpx.Client()

    @functools.lru_cache
    def fetch(path: str) -> str:
        text: str = client.get(server.url(path)).text
        return text

    assert fetch("/lines") is fetch("/lines")
    return client, fetch


@leaking("held", count=2)
def futures(httpx: Any, server: Address) -> object:
    """Futures keep their results."""
    client = httpx.Client()

    def fetch(path: str) -> Any:
        return client.send(request_of(client, server, path), stream=True)  # LEAK

    with ThreadPoolExecutor(2) as pool:
        work = [pool.submit(fetch, "/lines") for _ in range(2)]
    return client, work


@harmless(twin_of=futures)
def futures_that_are_read(httpx: Any, server: Address) -> object:
    """The same, read."""
    client = httpx.Client()

    def fetch(path: str) -> Any:
        return client.send(request_of(client, server, path), stream=True)

    with ThreadPoolExecutor(2) as pool:
        work = [pool.submit(fetch, "/lines") for _ in range(2)]
    assert all(one.result().read() for one in work)
    return client, work


@leaking()
def in_a_cycle(httpx: Any, server: Address) -> object:
    """An object that has the response, and a way back to itself."""

    class Page:
        def __init__(self, response: Any) -> None:
            self.response = response
            self.me = self

    client = httpx.Client()
    Page(client.send(request_of(client, server), stream=True))  # LEAK
    return client


@harmless(twin_of=in_a_cycle)
def in_a_cycle_and_read(httpx: Any, server: Address) -> object:
    """The same, read before."""

    class Page:
        def __init__(self, response: Any) -> None:
            self.response = response
            self.me = self

    client = httpx.Client()
    Page(client.get(server.url("/lines")))
    return client


@leaking()
def posted(httpx: Any, server: Address) -> object:
    """An answer to what was sent, of which only the header is asked."""
    client = httpx.Client()
    request = client.build_request("POST", server.url("/echo"), content=b"x" * 5000)
    assert client.send(request, stream=True).headers  # LEAK
    return client


@harmless(twin_of=posted)
def posted_and_read(httpx: Any, server: Address) -> object:
    """The same, read."""
    client = httpx.Client()
    assert client.post(server.url("/echo"), content=b"x" * 5000).content
    return client


@leaking(count=2)
async def cancelled(httpx: Any, server: Address) -> None:
    """The time is over between the opening and the read."""
    import anyio

    async with httpx.AsyncClient() as client:

        async def work() -> None:
            request = request_of(client, server)
            response = await client.send(request, stream=True)  # LEAK
            await anyio.sleep(30)
            await response.aread()

        for _ in range(2):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(work)
                while not client._transport._pool.connections:
                    await anyio.lowlevel.checkpoint()
                await anyio.sleep(0.2)
                tasks.cancel_scope.cancel()
        gc.collect()


@harmless(twin_of=cancelled)
async def cancelled_in_with(httpx: Any, server: Address) -> None:
    """The same, in an async with block."""
    import anyio

    async with httpx.AsyncClient() as client:
        with anyio.move_on_after(0.2):
            async with client.stream("GET", server.url("/lines")):
                await anyio.sleep(30)
        gc.collect()


@leaking(count=2, loops=("asyncio",))
async def first_of_three(httpx: Any, server: Address) -> None:
    """The first answer is enough; the others are forgotten."""
    async with httpx.AsyncClient() as client:

        async def ask() -> Any:
            return await client.send(request_of(client, server), stream=True)  # LEAK

        work = {asyncio.create_task(ask()) for _ in range(3)}
        await asyncio.wait(work)
        await work.pop().result().aread()
        del work
        await asyncio.sleep(0)
        gc.collect()


@harmless(twin_of=first_of_three, loops=("asyncio",))
async def first_of_three_and_cancelled(httpx: Any, server: Address) -> None:
    """The others are closed, or cancelled before they have any."""
    async with httpx.AsyncClient() as client:

        async def ask() -> bytes:
            async with client.stream("GET", server.url("/lines")) as response:
                body: bytes = await response.aread()
                return body

        work = {asyncio.create_task(ask()) for _ in range(3)}
        _, late = await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        gc.collect()


@leaking("open", loops=("asyncio",))
async def in_a_queue(httpx: Any, server: Address) -> object:
    """A queue of what nobody takes."""
    client = httpx.AsyncClient()
    queue: asyncio.Queue[Any] = asyncio.Queue()
    queue.put_nowait(await client.send(request_of(client, server), stream=True))  # LEAK
    return client, queue


@harmless(twin_of=in_a_queue, loops=("asyncio",))
async def taken_from_a_queue(httpx: Any, server: Address) -> object:
    """A consumer takes it, and closes."""
    client = httpx.AsyncClient()
    queue: asyncio.Queue[Any] = asyncio.Queue()
    queue.put_nowait(await client.send(request_of(client, server), stream=True))
    await queue.get_nowait().aclose()
    return client, queue


@harmless(twin_of=in_a_queue)
async def async_stack_not_closed(httpx: Any, server: Address) -> object:
    """An AsyncExitStack that nobody closes: its generators end with the loop."""
    stack = AsyncExitStack()
    client = await stack.enter_async_context(httpx.AsyncClient())
    stream = client.stream("GET", server.url("/lines"))
    await stack.enter_async_context(stream)
    return stack


@harmless(twin_of=in_a_queue)
async def async_stack_closed(httpx: Any, server: Address) -> object:
    """The same, closed."""
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(httpx.AsyncClient())
        stream = client.stream("GET", server.url("/lines"))
        await stack.enter_async_context(stream)
    return stack


@leaking(loops=("asyncio",))
async def in_the_background(httpx: Any, server: Address) -> None:
    """A task of httpx's own coroutine, for which nobody waits."""
    async with httpx.AsyncClient() as client:
        send = client.send(request_of(client, server), stream=True)
        task = asyncio.create_task(send)  # LEAK
        while not task.done():  # noqa: ASYNC110  # It is not awaited.
            await asyncio.sleep(0)
        del task, send
        await asyncio.sleep(0)
        gc.collect()


@harmless(twin_of=in_the_background, loops=("asyncio",))
async def in_the_background_and_read(httpx: Any, server: Address) -> None:
    """What reads by itself may be forgotten."""
    async with httpx.AsyncClient() as client:
        task = asyncio.create_task(client.get(server.url("/lines")))
        while not task.done():  # noqa: ASYNC110  # It is not awaited.
            await asyncio.sleep(0)
        del task
        gc.collect()


@leaking()
async def lost_beside_an_async_hook(httpx: Any, server: Address) -> None:
    """httpx closes what a hook refuses, and not what comes after it."""
    async with httpx.AsyncClient() as client:

        async def refuse(response: Any) -> None:
            response.raise_for_status()

        client.event_hooks = {"response": [refuse]}
        with suppress(httpx.HTTPStatusError):
            await client.send(request_of(client, server, "/status/500"), stream=True)
        await client.send(request_of(client, server), stream=True)  # LEAK
        gc.collect()


@harmless(twin_of=lost_beside_an_async_hook)
async def refused_by_an_async_hook(httpx: Any, server: Address) -> None:
    """What a hook raises of is closed by httpx."""
    async with httpx.AsyncClient() as client:

        async def refuse(response: Any) -> None:
            response.raise_for_status()

        client.event_hooks = {"response": [refuse]}
        with suppress(httpx.HTTPStatusError):
            await client.send(request_of(client, server, "/status/500"), stream=True)
        gc.collect()


@harmless(twin_of=cancelled)
async def broken_off(httpx: Any, server: Address) -> None:
    """A body that was begun and dropped is closed a turn later, by its generator."""
    import anyio

    async with httpx.AsyncClient() as client:
        response = await client.send(request_of(client, server), stream=True)
        async for _ in response.aiter_bytes(100):
            break
        del response
        gc.collect()
        for _ in range(5):
            await anyio.sleep(0.01)
