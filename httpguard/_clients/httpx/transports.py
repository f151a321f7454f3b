"""Transports of the program's own around httpx's: what they lose, no client has seen.

One that asks again and forgets the first answer loses a slot of the pool below it. What
httpx's own clients ask for is looked at when they hand it out.
"""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from ..._leases.client import Ending
from ..gate import GATE
from ..patching import as_coroutine_function
from .client import CorePart
from .responses import opened

if TYPE_CHECKING:
    from types import ModuleType

    from ..patching import Method, Patcher
    from .client import AsyncHttpx, Httpx

_HINT: Final = (
    "call `{close}` on a response that a transport does not return, before it asks"
    " again or raises: the slot of an unread response never comes back"
)
# They hand on what they get, and would have a lease for each request.
_TRACERS: Final = ("opentelemetry.", "ddtrace.", "sentry_sdk.")


class Streams(CorePart):
    """httpcore's streams, of responses that transports hand out."""

    def __init__(self, side: Httpx) -> None:
        close = "await response.aclose()" if side.is_async else "response.close()"
        super().__init__(side, _HINT.format(close=close))

    def state(self, response: Any) -> Ending:
        connection = response._pool_request.connection
        is_over = response._closed or connection is None or connection.is_closed()
        return Ending.RELEASED if is_over else Ending.OPEN

    def is_awaited(self, response: Any) -> bool:  # noqa: ARG002
        """Nobody can tell, so that it is never idle."""
        return True


def patch(patcher: Patcher, module: ModuleType, sync: Httpx, other: AsyncHttpx) -> None:
    patcher.wrap(
        module.HTTPTransport, "handle_request", partial(_handle, client=Streams(sync))
    )
    patcher.wrap(
        module.AsyncHTTPTransport,
        "handle_async_request",
        partial(_ahandle, client=Streams(other)),
    )


def _handle(wrapped: Method, *, client: Httpx) -> Method:
    """What every request over the network goes through."""
    known = (f"{client.name}._client", *_TRACERS)

    def handle_request(self: Any, request: Any) -> Any:
        response = wrapped(self, request)
        if GATE.guard is not None:
            frame = sys._getframe(1)
            if not str(frame.f_globals.get("__name__")).startswith(known):
                opened(client, response, frame, request)
        return response

    return handle_request


def _ahandle(wrapped: Method, *, client: Httpx) -> Method:
    known = (f"{client.name}._client", *_TRACERS)

    async def handed(self: Any, request: Any) -> Any:
        response = await wrapped(self, request)
        opened(client, response, sys._getframe(), request)
        return response

    # No coroutine around the one that most need.
    def handle_async_request(self: Any, request: Any) -> Any:
        name = sys._getframe(1).f_globals.get("__name__")
        if GATE.guard is None or str(name).startswith(known):
            return wrapped(self, request)
        return handed(self, request)

    return as_coroutine_function(handle_async_request)
