"""The clients that need a loop: one of their own, which turns while it is asked."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from ._drivers import HALF, PATIENCE, Driver, Httpx, NoSlot

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from tests.server import Address

_TURNS: Final = 50


class OnALoop(Driver):
    """What is the same for all of them."""

    def __init__(self, library: Any, server: Address) -> None:
        self.loop = asyncio.new_event_loop()
        self.said: list[str] = []
        self.loop.set_exception_handler(
            lambda _, context: self.said.append(str(context["message"]))
        )
        super().__init__(library, server)

    def wait(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(coroutine)

    def make(self) -> Any:
        async def make() -> Any:
            return self.new()

        return self.wait(make())

    def new(self) -> Any:
        """A client; the loop runs."""
        raise NotImplementedError

    def read(self, response: Any) -> None:
        self.wait(response.read())

    def settle(self) -> None:
        async def turns() -> None:
            # So many, however little of the time this process has: one step leads to
            # the next.
            for _ in range(_TURNS):
                await asyncio.sleep(0)
            await asyncio.sleep(0.02)

        self.wait(turns())

    def complaints(self) -> list[str]:
        return [*super().complaints(), *self.said]

    def done(self) -> None:
        self.loop.close()


class AsyncHttpx(OnALoop, Httpx):
    """`AsyncClient`."""

    def new(self) -> Any:
        return self.library.AsyncClient(**self.limits())

    def open(self, path: str, method: str = "GET", patience: float = PATIENCE) -> Any:
        request = self.request(path, method, patience)
        return self.wait(self.client.send(request, stream=True))

    def read(self, response: Any) -> None:
        self.wait(response.aread())

    def read_some(self, response: Any, size: int = HALF) -> None:
        async def some() -> None:
            left = size
            async for chunk in response.aiter_bytes(size):
                left -= len(chunk)
                if not left:
                    break

        self.wait(some())

    def close(self, response: Any) -> None:
        self.wait(response.aclose())

    def leave(self, path: str) -> None:
        async def leave() -> None:
            async with self.client.stream("GET", self.server.url(path)):
                pass

        self.wait(leave())

    def peer(self) -> int:
        try:
            response = self.wait(self.client.get(self.server.url("/peer")))
        except self.library.PoolTimeout as error:
            raise NoSlot from error
        return int(response.content)

    def shut(self) -> None:
        self.wait(self.client.aclose())


class Aiohttp(OnALoop):
    """`ClientSession` with a connector of one connection."""

    def new(self) -> Any:
        return self.library.ClientSession(connector=self.library.TCPConnector(limit=1))

    def open(self, path: str, method: str = "GET", patience: float = PATIENCE) -> Any:
        # `connect` is the wait for a slot, and connecting.
        timeout = self.library.ClientTimeout(
            total=None, connect=0.5, sock_read=patience
        )
        url = self.server.url(path)
        return self.wait(self.client._request(method, url, timeout=timeout))

    def read_some(self, response: Any, size: int = HALF) -> None:
        self.wait(response.content.readexactly(size))

    def leave(self, path: str) -> None:
        async def leave() -> None:
            async with self.client.get(self.server.url(path)):
                pass

        self.wait(leave())

    def give_back(self, response: Any) -> None:
        response.release()

    def peer(self) -> int:
        try:
            response = self.open("/peer")
        except self.library.ConnectionTimeoutError as error:
            raise NoSlot from error
        return int(self.wait(response.read()))

    def shut(self) -> None:
        self.wait(self.client.close())
