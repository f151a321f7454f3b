"""httpx and httpx2: where responses are handed out, and clients made and closed.

And what of these was there before httpguard came.
"""

from __future__ import annotations

import sys
import weakref
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from ..._model.errors import LeakError, hide_own
from ..._pools.kind import DEFAULT_PORTS
from ..gate import GATE
from ..importlib_bootstrap import made
from ..patching import is_wrapped
from ..sessions import aclosing, closing
from .below import core_stream
from .cut_off import left_behind
from .notes import explain_silence, hand_on
from .pools import _OWNER, POOLS, lend, meet
from .reclaiming import Mark, loop_here

if TYPE_CHECKING:
    from types import FrameType, ModuleType

    from ..._pools.pool import PoolRef
    from ..patching import Adopters, Method, Patcher
    from .client import Httpx

_SWITCHING_PROTOCOLS: Final = 101


def patch(patcher: Patcher, module: ModuleType, sync: Httpx, other: Httpx) -> None:
    client, async_client = module.Client, module.AsyncClient
    for kind, known in ((client, sync), (async_client, other)):
        patcher.wrap(kind, "__init__", made("Client", partial(_note, client=known)))
    patcher.wrap(client, "close", closing)
    patcher.wrap(async_client, "aclose", aclosing)
    patcher.wrap(client, "__exit__", closing)
    patcher.wrap(async_client, "__aexit__", aclosing)
    patcher.wrap(client, "send", partial(_send, client=sync))
    patcher.wrap(async_client, "send", partial(_asend, client=other))


def _send(wrapped: Method, *, client: Httpx) -> Method:
    """The call through which every request of a `Client` goes."""

    def send(self: Any, request: Any, **options: Any) -> Any:
        if GATE.guard is None:
            return wrapped(self, request, **options)
        registry = GATE.registry
        try:
            if registry.dead or registry.alert:
                GATE.before()
            try:
                response = wrapped(self, request, **options)
            except Exception as error:
                hand_on(error)
                explain_silence(self, request.url, error)
                left_behind(self, request, error, sys._getframe(1))
                raise
            # Most are read inside.
            if not response.is_closed:
                opened(client, response, sys._getframe(1))
        except LeakError as error:
            hide_own(error)
            raise
        return response

    return send


def _asend(wrapped: Method, *, client: Httpx) -> Method:
    """The call through which every request of an `AsyncClient` goes."""

    async def send(self: Any, request: Any, **options: Any) -> Any:
        if GATE.guard is None:
            return await wrapped(self, request, **options)
        registry = GATE.registry
        try:
            if registry.dead or registry.alert:
                GATE.before()
            try:
                response = await wrapped(self, request, **options)
            except BaseException as error:
                hand_on(error)
                explain_silence(self, request.url, error)
                left_behind(self, request, error, sys._getframe())
                raise
            if not response.is_closed:
                try:
                    # This frame may be the task's outermost.
                    opened(client, response, sys._getframe())
                except LeakError:
                    await response.aclose()
                    raise
        except LeakError as error:
            hide_own(error)
            raise
        return response

    return send


def opened(client: Httpx, response: Any, frame: FrameType, asked: Any = None) -> None:
    """The application is given a response that it has to read or close.

    Those of mock, ASGI and WSGI transports have no network below them. `asked` is the
    request of a response that a transport returns: its lease is the stream's, which may
    go on in another response.
    """
    registry, guard = GATE.registry, GATE.guard
    try:
        stream = stream_of(response)
        if guard is None or stream is None:
            return
        pool, taken = stream._pool, stream._pool_request
        owner = response if asked is None else stream
        known = registry.pools.known.get(id(pool))
        if known is None or known() is not pool:
            known = meet(pool) if ends_are_seen(stream) else None
        request = response._request if asked is None else asked
        own = registry.addresses
        if known is None or (own and (request.url.host, request.url.port) in own):
            return
        mine = (
            Mark(taken, stream, owner, loop_here() if client.is_async else None)
            if guard.reclaims
            else None
        )
        multiplexed = known.block and (
            response.extensions.get("http_version") == b"HTTP/2"
        )
        GATE.begin(
            client,
            owner,
            lend(stream),
            known,
            method=request.method,
            url=_url(taken.request.url, known) or request.url,
            status=response.status_code,
            length=announced(response),
            frame=frame,
            reading=asked is not None,
            # The key is httpcore's stream: with HTTP/2 many have one connection.
            held=taken.connection if known.block and not multiplexed else None,
        )
        if multiplexed and mine is not None:
            lease = registry.leases.get(id(stream))
            if lease is not None:
                lease.slot = mine.slot
                lease.turn = 0 if lease.slot is None else lease.slot.turn
    except LeakError:
        raise
    except Exception as error:
        GATE.fault("send", error)


def ends_are_seen(stream: Any) -> bool:
    """Whether httpcore was patched too."""
    kind = type(stream)
    return is_wrapped(kind.__dict__.get("close") or kind.__dict__.get("aclose"))


def stream_of(response: Any) -> Any:
    """Of httpcore; None where the response holds no connection that comes back."""
    if response.status_code == _SWITCHING_PROTOCOLS:
        return None
    # A transport of the program's own may leave httpcore's extensions out.
    stream = core_stream(response)
    return None if stream is None or stream._closed else stream


def _url(url: Any, known: PoolRef) -> str:
    """The path of a pool, which is made sooner than httpx's own text of a URL.

    Empty where the host is another than the one that the pool is called by.
    """
    if (
        url.host.decode("ascii") != known.host
        or url.scheme.decode("ascii") != known.scheme
        or (url.port or DEFAULT_PORTS.get(known.scheme)) != known.port
    ):
        return ""
    path: str = url.target.decode("ascii")
    return path if path.startswith("/") else ""


def announced(response: Any) -> int | None:
    # Not by `headers.get`, which decodes all of them: 3 us.
    for _, name, value in response.headers._list:
        if name == b"content-length":
            return int(value) if value.isdigit() and len(value) < 20 else None  # noqa: PLR2004
    return None


def _note(made: Any, frame: FrameType, *, client: Httpx) -> None:
    """A client is made: remember where, and whose its pools are."""
    if frame.f_globals.get("__name__") == f"{client.name}._api":
        return  # `httpx.get` closes the one that it makes for itself.
    GATE.session(made, client, frame)
    for transport in (made._transport, *made._mounts.values()):
        pool = getattr(transport, "_pool", None)
        if pool is not None:
            setattr(pool, _OWNER, weakref.ref(made))


def adopters(sync: Httpx, other: Httpx) -> Adopters:
    """See `Package`."""
    module, core = sys.modules.get(sync.name), sys.modules.get(sync.core)
    if (module is None or module.__name__ != sync.name) or (
        core is None or core.__name__ != sync.core
    ):
        return {}
    adopt_response = partial(_adopt_response, sync=sync, other=other)
    return {
        module.Response: adopt_response,
        module.Client: partial(_adopt_client, client=sync),
        module.AsyncClient: partial(_adopt_client, client=other),
        core.ConnectionPool: _adopt_pool,
        core.AsyncConnectionPool: _adopt_pool,
    }


def _adopt_pool(pool: Any) -> None:
    """One that has had no request has no name yet: it is met with its first."""
    if _is_used(pool):
        meet(pool)


def _is_used(pool: Any) -> bool:
    return bool(pool._requests or pool._connections)


def _adopt_response(response: Any, sync: Httpx, other: Httpx) -> None:
    """As one that is opened, but for what is not known any more."""
    stream = None if response.is_closed else stream_of(response)
    if stream is None or not ends_are_seen(stream):
        return
    pool, request = stream._pool, response._request
    shared = response.extensions.get("http_version") == b"HTTP/2"
    GATE.adopt(
        other if hasattr(type(stream), "aclose") else sync,
        response,
        lend(stream),
        meet(pool),
        method=getattr(request, "method", ""),
        url=getattr(request, "url", ""),
        status=response.status_code,
        length=announced(response),
        taken=None if shared else stream._pool_request.connection,
    )


def _adopt_client(session: Any, client: Httpx) -> None:
    space = vars(session)
    mounted = (space.get("_transport"), *space.get("_mounts", {}).values())
    pools = [pool for one in mounted if (pool := getattr(one, "_pool", None))]
    for pool in pools:
        setattr(pool, _OWNER, weakref.ref(session))
    GATE.adopt_session(session, client, [(p, POOLS) for p in pools if _is_used(p)])
