"""Programs that use each of the other clients in all ways, and what they get."""

from __future__ import annotations

import asyncio
import gc
import urllib.error
import urllib.request
from contextlib import suppress
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any, Final

import httpguard

if TYPE_CHECKING:
    from tests.conftest import GuardControl
    from tests.server import Server

    Outcome = list[Any]

BIG: Final = "/bytes/2000000"


def httpx_of_threads(guard: GuardControl, server: Server) -> Outcome:
    """Read, forgotten, kept, half read; a pool that is used up; transports."""
    import httpx

    guard.install(reclaim=True, on_held="close")
    got: Outcome = []

    class Twice(httpx.HTTPTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            super().handle_request(request)
            return super().handle_request(request)

    limits = httpx.Limits(max_connections=2)
    with httpx.Client(limits=limits, base_url=server.url("")) as client:
        got.append(len(client.get("/lines").content))
        with client.stream("GET", "/lines") as response:
            got.append(len(response.read()))
        unread = client.build_request("GET", "/lines")
        got.append(client.send(unread, stream=True).status_code)
        gc.collect()
        kept = client.send(unread, stream=True)
        got.append(kept.status_code)
        guard.advance(100)
        with suppress(Exception):
            guard.check()
        guard.advance(100)
        kept.close()
        httpguard.snapshot()
        got.append(client.get("/status/404").status_code)
    with httpx.Client(transport=Twice(), base_url=server.url("")) as client:
        got.append(len(client.get("/lines").content))
        gc.collect()
        httpguard.snapshot()
    with (
        httpx.Client(
            limits=httpx.Limits(max_connections=1),
            timeout=httpx.Timeout(30, pool=0.01),
            base_url=server.url(""),
        ) as client,
        client.stream("GET", "/lines"),
    ):
        try:
            client.get("/lines")
        except httpx.PoolTimeout as error:
            got.append(str(error))
    return got


def httpx_of_tasks(guard: GuardControl, server: Server) -> Outcome:
    """The same for coroutines."""
    import httpx

    guard.install(reclaim=True)
    got: Outcome = []

    async def main() -> None:
        limits = httpx.Limits(max_connections=3)
        timeout = httpx.Timeout(30, pool=0.01)
        async with httpx.AsyncClient(
            limits=limits, timeout=timeout, base_url=server.url("")
        ) as client:
            got.append(len((await client.get("/lines")).content))
            unread = client.build_request("GET", "/lines")
            sends = [client.send(unread, stream=True) for _ in "ab"]
            got.extend(one.status_code for one in await asyncio.gather(*sends))
            task = asyncio.create_task(client.send(unread, stream=True))
            got.append((await task).status_code)
            kept = task.result()
            del task
            gc.collect()
            with suppress(httpx.PoolTimeout):
                await client.get("/lines")
            guard.advance(100)
            with suppress(Exception):
                guard.check()
            guard.advance(100)
            with suppress(Exception):
                guard.check()
            await kept.aclose()
            # Cancelled as it closes, which loses a slot.
            response: Any = await client.send(unread, stream=True)
            closes = asyncio.ensure_future(response.aclose())
            await asyncio.sleep(0)
            closes.cancel()
            await asyncio.wait([closes])
            del response, closes
            gc.collect()
        # The same of plain requests, and as they are about to connect.
        for turns in range(8, 16):
            async with httpx.AsyncClient(base_url=server.url("")) as client:
                task = asyncio.create_task(client.get("/bytes/10"))
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.wait([task])
                with suppress(Exception):
                    guard.check()
                await asyncio.sleep(0)

    asyncio.run(main())
    return got


def aiohttp_of_tasks(guard: GuardControl, server: Server) -> Outcome:
    """Read, forgotten, kept; a connector that is used up; middlewares."""
    import aiohttp

    guard.install(reclaim=True, on_held="close")
    got: Outcome = []

    async def through(request: Any, handler: Any) -> Any:
        return await handler(request)

    async def main() -> None:
        connector = aiohttp.TCPConnector(limit=2)
        async with aiohttp.ClientSession(connector=connector) as session:
            async with session.get(server.url("/lines")) as response:
                got.append(len(await response.read()))
            if hasattr(aiohttp, "ClientHandlerType"):
                url = server.url(BIG)
                async with session.get(url, middlewares=(through,)) as response:
                    got.append(len(await response.read()))
            got.append((await session.get(server.url(BIG))).status)
            task = asyncio.ensure_future(session.get(server.url(BIG)))
            kept = await task
            got.append(kept.status)
            del task
            for _ in range(3):
                guard.advance(100)
                with suppress(Exception):
                    guard.check()
                await asyncio.sleep(0)
            kept.close()
            timeout = aiohttp.ClientTimeout(total=0.05)
            with suppress(asyncio.TimeoutError):
                await session.get(server.url(BIG), timeout=timeout)

    asyncio.run(main())
    return got


def standard_library(guard: GuardControl, server: Server) -> Outcome:
    """Read, kept, in a cycle, closed."""
    guard.install(on_held="close")
    got: Outcome = []
    connection = HTTPConnection(server.host, server.port, timeout=30)
    for path in ("/bytes/9000", "/chunked/9", "/close"):
        connection.request("GET", path)
        got.append(len(connection.getresponse().read()))
    connection.request("GET", "/bytes/90000")
    kept = connection.getresponse()
    got.append(len(kept.read(10)))
    guard.advance(100)
    with suppress(Exception):
        guard.check()
    guard.advance(100)
    with suppress(Exception):
        guard.check()
    kept.close()
    connection.close()
    with urllib.request.urlopen(server.url("/lines")) as response:
        got.append(len(response.read()))
    try:
        urllib.request.urlopen(server.url("/status/404"))
    except urllib.error.HTTPError as error:
        got.append(error.code)
        error.close()
    cycle: list[Any] = [urllib.request.urlopen(server.url("/bytes/90000"))]
    cycle.append(cycle)
    del cycle
    gc.collect()
    httpguard.snapshot()
    return got


PROGRAMS: Final = {
    "httpx": (httpx_of_threads, httpx_of_tasks),
    "aiohttp": (aiohttp_of_tasks,),
    "http": (standard_library,),
}
"""By the package that they need."""
