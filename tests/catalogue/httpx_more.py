"""httpx and httpx2: what is handed from one place to the next, and who ends it."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import pickle
import threading
from typing import TYPE_CHECKING, Any

from ._httpx import harmless, leaking

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.server import Address


@leaking(count=2)
def redirects_by_hand(httpx: Any, server: Address) -> object:
    """Each hop is left unread, and its next request sent."""
    client = httpx.Client()
    request = client.build_request("GET", server.url("/redirect/2"))
    for _ in range(2):
        response = client.send(request, stream=True)  # LEAK
        request = response.next_request
    del response
    gc.collect()
    return client


@harmless(twin_of=redirects_by_hand)
def redirects_by_hand_closed(httpx: Any, server: Address) -> object:
    """Each hop is closed."""
    client = httpx.Client()
    request = client.build_request("GET", server.url("/redirect/2"))
    for _ in range(2):
        response = client.send(request, stream=True)
        request = response.next_request
        response.close()
    gc.collect()
    return client


@leaking("held")
def stack_moved_on(httpx: Any, server: Address) -> object:
    """``pop_all`` takes over, and whoever has that never closes it."""
    client = httpx.Client()
    with contextlib.ExitStack() as stack:
        url = server.url("/lines")
        stack.enter_context(client.stream("GET", url))  # LEAK
        return client, stack.pop_all()


@harmless(twin_of=stack_moved_on)
def stack_moved_on_and_closed(httpx: Any, server: Address) -> object:
    """It does."""
    client = httpx.Client()
    with contextlib.ExitStack() as stack:
        response = stack.enter_context(client.stream("GET", server.url("/lines")))
        later = stack.pop_all()
    assert response.read()
    later.close()
    return client, later


@leaking()
def function_of_the_package_not_left(httpx: Any, server: Address) -> object:
    """``httpx.stream`` entered by hand, in a cycle with an object of the program."""

    class Download:
        def __init__(self) -> None:
            self.client = httpx.Client()
            request = self.client.build_request("GET", server.url("/lines"))
            self.response = self.client.send(request, stream=True)  # LEAK
            self.myself = self

    client = Download().client
    gc.collect()
    return client


@harmless(twin_of=function_of_the_package_not_left)
def streamed_by_the_package(httpx: Any, server: Address) -> object:
    """``httpx.stream`` closes all, whatever ends the block."""
    with contextlib.suppress(LookupError), httpx.stream("GET", server.url("/lines")):
        raise LookupError
    with httpx.stream("GET", server.url("/lines")) as response:
        for _ in response.iter_lines():
            break
    gc.collect()
    return response


@harmless(twin_of=function_of_the_package_not_left)
def copied_after_it_was_read(httpx: Any, server: Address) -> object:
    """A read one is pickled, and kept."""
    client = httpx.Client()
    response = client.get(server.url("/lines"))
    return client, response, pickle.loads(pickle.dumps(response))


@leaking(count=3)
async def generator_of_pages(httpx: Any, server: Address) -> None:
    """Pages are asked for one after the other, and only their links are read."""
    async with httpx.AsyncClient() as client:

        async def pages() -> AsyncIterator[Any]:
            for number in (2, 1, 0):
                request = client.build_request("GET", server.url(f"/pages/{number}"))
                yield await client.send(request, stream=True)  # LEAK

        async for page in pages():
            assert page.headers["Content-Type"]
        del page
        gc.collect()


@harmless(twin_of=generator_of_pages)
async def generator_of_pages_read(httpx: Any, server: Address) -> None:
    """Each is read before the next."""
    async with httpx.AsyncClient() as client:

        async def pages() -> AsyncIterator[Any]:
            for number in (2, 1, 0):
                url = server.url(f"/pages/{number}")
                async with client.stream("GET", url) as response:
                    yield response

        async for page in pages():
            await page.aread()
        gc.collect()


@harmless(twin_of=generator_of_pages)
async def read_by_the_next_one(httpx: Any, server: Address) -> object:
    """Another task reads on."""
    async with httpx.AsyncClient() as client:
        request = client.build_request("GET", server.url("/lines"))
        response = await client.send(request, stream=True)
        chunks = response.aiter_raw(100)
        await chunks.__anext__()
        rest = [chunk async for chunk in chunks]
    return rest, response


@leaking(count=2)
def loops_in_threads(httpx: Any, server: Address) -> object:
    """Each thread has a loop and a client of its own."""
    clients: list[Any] = []

    async def ask() -> None:
        client = httpx.AsyncClient()
        clients.append(client)
        request = client.build_request("GET", server.url("/lines"))
        await client.send(request, stream=True)  # LEAK

    for _ in range(2):
        thread = threading.Thread(target=lambda: asyncio.run(ask()))
        thread.start()
        thread.join()
    gc.collect()
    return clients


@harmless(twin_of=loops_in_threads)
def loops_in_threads_that_read(httpx: Any, server: Address) -> object:
    """Read, and closed."""

    async def ask() -> None:
        async with (
            httpx.AsyncClient() as client,
            client.stream("GET", server.url("/lines")) as response,
        ):
            await response.aread()

    for _ in range(2):
        thread = threading.Thread(target=lambda: asyncio.run(ask()))
        thread.start()
        thread.join()
    gc.collect()
    return None
