"""The page as an ASGI application."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from .access import Access, Token
from .application import Application
from .http import Request
from .sampler import Sampler

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    Message = MutableMapping[str, Any]


class ASGIApplication:
    """The live page, to be mounted in an ASGI server under any prefix.

    Args:
        token: What a visitor has to know; None: nothing.
    """

    def __init__(self, token: str | None = None) -> None:
        """Serve nothing yet; the first request starts the history."""
        access = Access(None if token is None else Token(token, "httpguard"))
        self._application = Application(access)
        self._sampler = Sampler(self._application)

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        """Answer a request; end the lifespan and refuse web sockets politely."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        if not self._sampler.running:
            self._sampler.start()
        # In the loop's own thread: what is done here is bounded and short.
        answer = self._application.answer(_request(scope))
        headers = [
            (name.lower().encode("latin-1"), value.encode("latin-1"))
            for name, value in answer.all_headers()
        ]
        await send(
            {
                "type": "http.response.start",
                "status": answer.status,
                "headers": headers,
            }
        )
        body = b"" if scope["method"] == "HEAD" else answer.body
        await send({"type": "http.response.body", "body": body})


async def _live(
    receive: Callable[[], Awaitable[Message]],
    send: Callable[[Message], Awaitable[None]],
) -> None:
    """The life of a server whose only application this is."""
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            await send({"type": "lifespan.shutdown.complete"})
            return


def _request(scope: MutableMapping[str, Any]) -> Request:
    """The request of a scope.

    Servers and frameworks have not agreed whether ``path`` has the prefix
    (``root_path``) in it; the specification of 2024 says that it has.
    """
    prefix = str(scope.get("root_path") or "").rstrip("/")
    path = str(scope["path"])
    if prefix and (path == prefix or path.startswith(f"{prefix}/")):
        path = path[len(prefix) :]
    return Request(
        method=scope["method"],
        path=path,
        query=scope.get("query_string", b"").decode("latin-1"),
        headers={
            name.decode("latin-1"): value.decode("latin-1")
            for name, value in scope["headers"]
        },
        prefix=quote(prefix),
        secure=scope.get("scheme") == "https",
    )
