"""A real local server that speaks HTTP/2 in clear text, with few streams."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import TYPE_CHECKING, Any

from hypercorn.asyncio import serve
from hypercorn.config import Config

from . import Address

if TYPE_CHECKING:
    from types import TracebackType

BODY = b"x" * 90_000


class Http2Server(Address):
    """The server, on a free port of the loopback interface, as a context manager.

    Every path has 90,000 bytes, in two parts; ``/empty`` has none, ``/big`` 500,000
    more. ``/slow`` gives the second part when ``/finish`` is asked for.

    Args:
        streams: The requests that a connection may have under way at once.
    """

    def __init__(self, streams: int = 3) -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        super().__init__(*listener.getsockname()[:2])
        self._config = Config()
        # The server closes it.
        self._config.bind = [f"fd://{listener.detach()}"]
        self._config.h2_max_concurrent_streams = streams
        self._config.loglevel = "CRITICAL"
        self._config.graceful_timeout = 0.1
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Http2Server:  # noqa: PYI034 (typing.Self came with 3.11)
        """Serve."""
        self._thread.start()
        assert self._started.wait(30)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End every exchange that is under way."""
        self._loop.call_soon_threadsafe(self._finished.set)
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(30)

    def _serve(self) -> None:
        asyncio.run(self._main())

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._end, self._finished = asyncio.Event(), asyncio.Event()
        self._started.set()
        await serve(self._answer, self._config, shutdown_trigger=self._end.wait)

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        path = scope["path"]
        start = {"type": "http.response.start", "status": 200, "headers": []}
        await send(start)
        if path == "/finish":
            self._finished.set()
        if path != "/empty":
            await send(_part(BODY[:45_000], more=True))
            if path == "/slow":
                await self._finished.wait()
            await send(_part(BODY[45_000:], more=True))
        if path == "/big":
            await send(_part(b"x" * 500_000, more=True))
        await send(_part(b"", more=False))


def _part(body: bytes, *, more: bool) -> dict[str, Any]:
    return {"type": "http.response.body", "body": body, "more_body": more}
