"""urllib3 1.26 and 2.x: where responses are handed out and given back."""

from __future__ import annotations

import sys
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..._leases.opening import begin
from ..._model.errors import LeakError, hand_back
from ..._stacks.raw import code_of
from ..forwarding import around
from ..gate import GATE
from ..losing import note_retries
from ..patching import MODULES
from .callers import above, outermost, reads_body, session_above
from .client import close, dealloc_warn
from .compiled import begin_lease
from .mocks import KNOWN, holds_real_connection
from .pools import POOLS, put_conn

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from ..._leases.client import Client
    from ..._leases.lease import Lease
    from ..patching import Method, Patcher
    from .callers import Codes


def patch(patcher: Patcher, codes: Codes) -> None:
    package = codes.urllib3.name
    module = import_module(f"{package}.connectionpool")
    HTTPConnectionPool = module.HTTPConnectionPool  # noqa: N806
    PoolManager = import_module(f"{package}.poolmanager").PoolManager  # noqa: N806
    HTTPResponse = import_module(f"{package}.response").HTTPResponse  # noqa: N806
    MODULES.note(f"{package}.exceptions")
    opening = partial(_urlopen, codes=codes)
    codes.urlopen = code_of(HTTPConnectionPool.__dict__["urlopen"])
    codes.manager_urlopen = code_of(PoolManager.__dict__["urlopen"])
    patcher.wrap(HTTPResponse, "close", close)
    patcher.wrap(HTTPConnectionPool, "_put_conn", put_conn)
    # urllib3's own `release_conn` gives the connection to the pool, which is seen.
    patcher.wrap_overrides(
        HTTPResponse, {"release_conn": _release_conn, "close": close}
    )
    if "_handle_chunk" in HTTPResponse.__dict__:
        patcher.wrap(HTTPResponse, "_handle_chunk", _handle_chunk)
    patcher.add(HTTPResponse, "_dealloc_warn", dealloc_warn)
    # Last: with this one responses are seen, and their end has to be.
    patcher.wrap(HTTPConnectionPool, "urlopen", opening)
    patcher.wrap_overrides(
        HTTPConnectionPool, {"_put_conn": put_conn, "urlopen": opening}
    )


def _urlopen(wrapped: Method, *, codes: Codes) -> Method:
    """The lowest call that hands a response out; redirects and retries re-enter it."""
    after = _answered(codes)
    urlopen = around(wrapped, ("self", "method", "url"), after, GATE.before)
    if wrapped.__code__ is codes.urlopen:
        codes.own_urlopen = urlopen.__code__
    return urlopen


def _answered(codes: Codes) -> Callable[[Any, Any, Any, Any], Any]:
    """What is done with an answer."""
    client = codes.urllib3

    def opened(pool: Any, method: Any, url: Any, response: Any) -> Any:
        try:
            if response._connection is None or GATE.guard is None:
                return response  # Most are read inside.
        except Exception as error:  # None of urllib3's.
            hand_back(error)
            return response
        try:
            frame = sys._getframe(2)
            code = frame.f_code
            if code is codes.manager_urlopen:
                if GATE.registry.leases:
                    note_retries(GATE.registry, url, frame)
                hand_over(client, response, pool, method, url, frame)
            elif (
                code is not codes.adapter_send
                # Unless somebody took the method before it was patched, our function
                # around that hands it over.
                or getattr(frame.f_back, "f_code", None) is not codes.own_send
            ):
                _look_at(response, pool, method, url, frame, codes)
        except LeakError:
            raise
        except Exception as error:
            GATE.fault("urlopen", error)
        return response

    return opened


def _look_at(  # noqa: PLR0917  # By position: it is called for each answer.
    response: Any, pool: Any, method: Any, url: Any, frame: FrameType, codes: Codes
) -> None:
    """Hand over a response that holds a connection, if the application gets it."""
    frame = outermost(frame, codes)
    code = frame.f_code
    if (
        code is codes.adapter_send
        and frame.f_back
        and frame.f_back.f_code is codes.own_send
    ):
        return
    if GATE.registry.leases:
        note_retries(GATE.registry, url, frame)
    session = None
    if code.co_name == "send":  # It may be requests' that called it.
        session = session_above(frame, codes)
    if session is None:
        client = codes.client if code is codes.adapter_send else codes.urllib3
        hand_over(client, response, pool, method, url, frame)
    elif reads_body(session):
        hand_over(codes.client, response, pool, method, url, frame, reading=True)
    else:
        hand_over(codes.client, response, pool, method, url, above(session))


def hand_over(  # noqa: PLR0917  # By position: it is called for each lease.
    client: Client,
    response: Any,
    pool: Any,
    method: Any,
    url: Any,
    frame: FrameType,
    *,
    reading: bool = False,
    raising: bool = True,
) -> None:
    """Open the lease of a response that holds a connection; nothing for a mock.

    As `begin` otherwise. Without a pool, the response's own.
    """
    registry = GATE.registry
    if (
        begin_lease is not None
        and registry.swift is not None
        and raising
        and not reading
        and begin_lease(
            registry.swift, KNOWN, response, pool, method, url, frame, client
        )
    ) or not holds_real_connection(response):
        return
    if pool is None:
        pool = response._pool
    # As `Pools.get`, without a call.
    known = registry.pools.known.get(id(pool))
    if known is None or known() is not pool:
        known = registry.pools.meet(pool, POOLS, registry.clock())
    begin(
        registry,
        client,
        response,
        response._connection,
        known,
        method,
        url,
        response.status,
        response.length_remaining,
        response._fp_bytes_read,
        frame,
        reading,
        raising,
    )


def lend_lost(
    client: Client, response: Any, request: Any, frame: FrameType, **how: bool
) -> Lease | None:
    """The lease of a response, opened if need be, that nobody else is going to read.

    `how` as of `hand_over`.
    """
    method, url = getattr(request, "method", None), getattr(request, "url", None)
    hand_over(client, response, response._pool, method, url, frame, **how)
    return GATE.registry.get(response._connection, response)


def _release_conn(wrapped: Method) -> Method:
    """A subclass gives its connection back, perhaps without the pool's knowledge."""

    def release_conn(self: Any) -> None:
        registry = GATE.registry
        lease = None
        try:
            lease = registry.get(self._connection, self)
        except Exception as error:
            registry.give_up(None, "release_conn", error)
        wrapped(self)
        if lease is not None:
            try:
                if self._connection is None:
                    registry.release(lease)
            except Exception as error:
                registry.give_up(lease, "release_conn", error)

    return release_conn


def _handle_chunk(wrapped: Method) -> Method:
    """One chunk of a body read by `stream` or by iteration.

    Such a reader leaves no other trace: `tell` counts what `read` reads, in
    urllib3 1.26 and 2.x alike, and nothing of this.
    """

    def _handle_chunk(self: Any, amt: int | None) -> bytes:
        chunk: bytes = wrapped(self, amt)
        lease = GATE.registry.leases.get(id(getattr(self, "_connection", None)))
        if lease is not None:
            lease.uncounted += len(chunk)
        return chunk

    return _handle_chunk
