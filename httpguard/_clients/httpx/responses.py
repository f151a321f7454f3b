"""httpx and httpx2: where responses are handed out, and clients made and closed."""

from __future__ import annotations

import sys
import weakref
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from ..._model.errors import LeakError
from ..gate import GATE
from ..patching import is_wrapped
from ..sessions import made
from .client import core_stream
from .notes import hand_on
from .pools import _OWNER, meet
from .reclaiming import mark

if TYPE_CHECKING:
    from types import FrameType, ModuleType

    from ..._leases.client import Patcher
    from ..patching import Method
    from .client import Httpx

_SWITCHING_PROTOCOLS: Final = 101


def patch(patcher: Patcher, module: ModuleType, sync: Httpx, other: Httpx) -> None:
    """Patch what httpx or httpx2 define.

    Args:
        patcher: Of the process.
        module: The package.
        sync: Whose responses `Client` returns.
        other: Whose responses `AsyncClient` returns.
    """
    client, async_client = module.Client, module.AsyncClient
    for kind, known in ((client, sync), (async_client, other)):
        patcher.wrap(kind, "__init__", made("Client", partial(_note, client=known)))
    patcher.wrap(client, "close", _close)
    patcher.wrap(async_client, "aclose", _aclose)
    patcher.wrap(client, "__exit__", _close)
    patcher.wrap(async_client, "__aexit__", _aclose)
    patcher.wrap(client, "send", partial(_send, client=sync))
    patcher.wrap(async_client, "send", partial(_asend, client=other))


def _send(wrapped: Method, *, client: Httpx) -> Method:
    """The call through which every request of a `Client` goes."""

    def send(self: Any, request: Any, **options: Any) -> Any:
        if GATE.guard is None:
            return wrapped(self, request, **options)
        GATE.before()
        try:
            response = wrapped(self, request, **options)
        except Exception as error:
            hand_on(error)
            raise
        # Most are read inside.
        if not response.is_closed:
            _opened(client, response, sys._getframe(1))
        return response

    return send


def _asend(wrapped: Method, *, client: Httpx) -> Method:
    """The call through which every request of an `AsyncClient` goes."""

    async def send(self: Any, request: Any, **options: Any) -> Any:
        if GATE.guard is None:
            return await wrapped(self, request, **options)
        GATE.before()
        try:
            response = await wrapped(self, request, **options)
        except Exception as error:
            hand_on(error)
            raise
        if not response.is_closed:
            try:
                # This frame may be the task's outermost.
                _opened(client, response, sys._getframe())
            except LeakError:
                await response.aclose()
                raise
        return response

    return send


def _opened(client: Httpx, response: Any, frame: FrameType) -> None:
    """The application is given a response that it has to read or close.

    Those of mock, ASGI and WSGI transports have no network below them.

    Args:
        client: Whose.
        response: Open.
        frame: The innermost frame to keep.

    Raises:
        LeakError: As of `Leases.begin`.
    """
    registry = GATE.registry
    try:
        if (
            "network_stream" not in response.extensions
            or response.status_code == _SWITCHING_PROTOCOLS
        ):
            return
        stream = core_stream(response)
        if stream is None or stream._closed or not _ends_are_seen(stream):
            return
        url, method = response._request.url, response._request.method
        if registry.addresses and (url.host, url.port) in registry.addresses:
            return
        pool, connection = stream._pool, stream._pool_request.connection
        mark(stream._pool_request, stream, response, is_async=client.is_async)
        known = meet(pool)
        GATE.begin(
            client,
            response,
            stream,
            known,
            method=method,
            url=url,
            status=response.status_code,
            length=_length(response),
            frame=frame,
            stack=(GATE.task_stack(frame) if client.is_async else None),
        )
        # Its connection: the key is httpcore's stream, since with HTTP/2 many
        # responses share one.
        lease = registry.leases.get(id(stream))
        if lease is not None and known is not None and known.block:
            if response.extensions.get("http_version") != b"HTTP/2":
                lease.slot = known.slot_of(connection)
            lease.turn = 0 if lease.slot is None else lease.slot.turn
    except LeakError:
        raise
    except Exception as error:
        GATE.fault("send", error)


def _ends_are_seen(stream: Any) -> bool:
    """Whether httpcore was patched too."""
    kind = type(stream)
    return is_wrapped(kind.__dict__.get("close") or kind.__dict__.get("aclose"))


def _length(response: Any) -> int | None:
    """The bytes that the server announced."""
    text = response.headers.get("Content-Length", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None  # noqa: PLR2004


def _note(made: Any, frame: FrameType, *, client: Httpx) -> None:
    """A client is made: remember where, and whose its pools are."""
    if _is_api(frame, client.name):
        return  # `httpx.get` closes the one that it makes for itself.
    GATE.session(made, client, frame)
    for transport in (made._transport, *made._mounts.values()):
        pool = getattr(transport, "_pool", None)
        if pool is not None:
            setattr(pool, _OWNER, weakref.ref(made))


def _is_api(frame: FrameType, name: str) -> bool:
    """Whether a function such as `httpx.get` makes a client for itself."""
    return frame.f_globals.get("__name__") == f"{name}._api"


def _close(wrapped: Method) -> Method:
    """A client is closed, also by the end of a with block."""

    def close(self: Any, *args: Any) -> None:
        GATE.owner_closed(self)
        wrapped(self, *args)

    return close


def _aclose(wrapped: Method) -> Method:
    """As `_close`."""

    async def aclose(self: Any, *args: Any) -> None:
        GATE.owner_closed(self)
        await wrapped(self, *args)

    return aclose
