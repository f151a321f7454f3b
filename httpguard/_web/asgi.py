"""The page as an ASGI application."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from .answer import Environ
    from .application import WSGIApplication

    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]


class ASGIApplication:
    """The live page of this process, to be mounted under any prefix.

    Of a server with several workers it shows the one that answers.

    Args:
        application: What answers, in a thread, so that the event loop never waits.
    """

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application

    async def __call__(
        self, scope: MutableMapping[str, Any], receive: Receive, send: Send
    ) -> None:
        """Answer a request; end the lifespan and refuse web sockets politely."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] == "http":
            for message in await _in_thread(self._ask, _environ(scope)):
                await send(message)
        else:
            await send({"type": "websocket.close", "code": 1008})

    def _ask(self, environ: Environ) -> list[Message]:
        start: Message = {"type": "http.response.start"}

        def start_response(line: str, headers: list[tuple[str, str]]) -> None:
            start["status"] = int(line.partition(" ")[0])
            start["headers"] = [
                (name.lower().encode("latin-1"), value.encode("latin-1"))
                for name, value in headers
            ]

        body = b"".join(self._application(environ, start_response))
        return [start, {"type": "http.response.body", "body": body}]


async def _in_thread(ask: Callable[[Environ], Any], environ: Environ) -> Any:
    try:
        asyncio.get_running_loop()
    except RuntimeError:  # Another library's loop.
        return await sys.modules["trio"].to_thread.run_sync(ask, environ)
    return await asyncio.to_thread(ask, environ)


async def _live(receive: Receive, send: Send) -> None:
    """The life of a server whose only application this is."""
    kind = ""
    while kind != "lifespan.shutdown":
        kind = (await receive())["type"]
        await send({"type": f"{kind}.complete"})


def _environ(scope: MutableMapping[str, Any]) -> Environ:
    """A scope as WSGI has it.

    Servers and frameworks have not agreed whether ``path`` has the prefix
    (``root_path``) in it; the specification of 2024 says that it has.
    """
    prefix = str(scope.get("root_path") or "").rstrip("/")
    path = str(scope["path"])
    if prefix and (path == prefix or path.startswith(f"{prefix}/")):
        path = path[len(prefix) :]
    environ = {
        "REQUEST_METHOD": scope["method"],
        "PATH_INFO": path.encode().decode("latin-1"),
        "SCRIPT_NAME": prefix.encode().decode("latin-1"),
        "QUERY_STRING": scope.get("query_string", b"").decode("latin-1"),
        "wsgi.url_scheme": scope.get("scheme", "http"),
    }
    for name, value in scope["headers"]:
        key = "HTTP_" + name.decode("latin-1").upper().replace("-", "_")
        text = value.decode("latin-1")
        # Over HTTP/2 each cookie may come in a header of its own.
        glue = "; " if key == "HTTP_COOKIE" else ", "
        environ[key] = f"{environ[key]}{glue}{text}" if key in environ else text
    return environ
