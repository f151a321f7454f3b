"""urllib3 1.26 and 2.x: where responses are handed out and given back."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Any

from ..._leases.client import Ending
from ..._leases.lease import ANNOUNCED, FINALIZED
from ..._leases.opening import begin
from ..._model.errors import LeakError
from ..._stacks.variables import first_argument
from ..forwarding import around
from ..gate import GATE
from ..losing import note_retries
from ..patching import Method, code_of
from .callers import CODES, above, outermost, reads_body, session_above
from .client import URLLIB3
from .compiled import open_lease
from .mocks import holds_real_connection
from .pools import POOLS, put_conn

if TYPE_CHECKING:
    from types import FrameType

    from ..._leases.client import Client, Patcher
    from ..._leases.lease import Lease


def patch(patcher: Patcher) -> None:
    """Patch what `urllib3.connectionpool` and `urllib3.response` define."""
    from urllib3.connectionpool import HTTPConnectionPool
    from urllib3.poolmanager import PoolManager
    from urllib3.response import HTTPResponse

    CODES.urlopen = code_of(HTTPConnectionPool.__dict__["urlopen"])
    CODES.manager_urlopen = code_of(PoolManager.__dict__["urlopen"])
    patcher.wrap(HTTPResponse, "close", _close)
    patcher.wrap(HTTPConnectionPool, "_put_conn", put_conn)
    # urllib3's own `release_conn` gives the connection to the pool, which is seen.
    patcher.wrap_overrides(
        HTTPResponse, {"release_conn": _release_conn, "close": _close}
    )
    if "_handle_chunk" in HTTPResponse.__dict__:
        patcher.wrap(HTTPResponse, "_handle_chunk", _handle_chunk)
    patcher.add(HTTPResponse, "_dealloc_warn", _dealloc_warn)
    # Last: with this one responses are seen, and their end has to be.
    patcher.wrap(HTTPConnectionPool, "urlopen", _urlopen)
    patcher.wrap_overrides(
        HTTPConnectionPool, {"_put_conn": put_conn, "urlopen": _urlopen}
    )
    CODES.settle()


def _urlopen(wrapped: Method) -> Method:
    """The lowest call that hands a response out; redirects and retries re-enter it."""
    urlopen = around(wrapped, ("self", "method", "url"), _opened, _opening)
    if wrapped.__code__ is CODES.urlopen:
        CODES.own_urlopen = urlopen.__code__
    return urlopen


def _opening() -> None:
    """A request begins, and the guard has something to say."""
    guard = GATE.guard
    if guard is not None:
        guard.before_request()


def _opened(pool: Any, method: Any, url: Any, response: Any) -> Any:
    """A request was answered.

    Args:
        pool: Whose ``urlopen`` returns.
        method: As it was called with.
        url: As it was called with.
        response: What it returns.
    """
    try:
        connection = response._connection
    except Exception:  # None of urllib3's.
        return response
    if connection is None or GATE.guard is None:
        return response  # Most are read inside.
    try:
        if GATE.registry.leases:
            note_retries(GATE.registry, url, sys._getframe(2))
        swift = GATE.registry.swift
        if swift is None or not open_lease(
            swift, CODES.world, response, pool, method, url, None, URLLIB3
        ):
            _look_at(response, pool, method, url, sys._getframe(2))
    except LeakError:
        raise
    except Exception as error:
        GATE.fault("urlopen", error)
    return response


def _look_at(response: Any, pool: Any, method: Any, url: Any, frame: FrameType) -> None:
    """Hand over a response that holds a connection, if the application gets it.

    Args:
        response: It.
        pool: Its pool.
        method: As the program gave it.
        url: As the program gave it.
        frame: Of who called ``urlopen``.
    """
    code = frame.f_code
    if code is CODES.urlopen:
        frame = outermost(frame)
        code = frame.f_code
    if code is CODES.adapter_send:
        caller = frame.f_back
        # Unless somebody took the method before it was patched.
        if caller is not None and caller.f_code is CODES.own_send:
            return  # Our function around that hands it over.
    if not holds_real_connection(response):
        return
    if code.co_name != "send":
        hand_over(URLLIB3, response, pool, method, url, frame)
        return
    # It may be requests' that called it.
    session = session_above(frame)
    if session is None:
        client = CODES.client if code is CODES.adapter_send else URLLIB3
        hand_over(client, response, pool, method, url, frame)
    elif reads_body(session):
        hand_over(CODES.client, response, pool, method, url, frame, reading=True)
    else:
        hand_over(CODES.client, response, pool, method, url, above(session))


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
    """Open a lease. Arguments as of `begin`, which takes more of a response.

    Raises:
        LeakError: As of `begin`.
    """
    registry = GATE.registry
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
        frame,
        reading=reading,
        raising=raising,
    )


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


def _close(wrapped: Method) -> Method:
    """Closing: by the program, or by a finalizer, which does not count.

    Runs in finalizers: no lock, no log.
    """

    def close(self: Any) -> None:
        registry = GATE.registry
        lease = None
        try:
            lease = registry.leases.get(id(getattr(self, "_connection", None)))
            if lease is not None:
                # No frame at all where the last reference goes as a thread ends.
                caller = sys._getframe().f_back
                _note_close(self, lease, registry.clock(), caller)
        except Exception as error:
            registry.give_up(lease, "close", error)
        wrapped(self)

    return close


def _note_close(
    response: Any, lease: Lease, now: float, frame: FrameType | None
) -> None:
    """A response with a lease is about to be closed by whoever's frame it is."""
    owner = lease()
    if owner is not None and owner is not response:
        return
    by_finalizer = lease.finalizing == ANNOUNCED or _in_finalizer(response, frame)
    # The cycle collector has cleared the reference before it finalizes: what closes
    # it then is its finalizer, or code of the program that the collector runs.
    known = GATE.registry.pools.known.get(id(response._pool))
    if owner is None and not by_finalizer and not lease.is_of(known):
        return
    bytes_read = lease.read_so_far(response)
    if bytes_read != lease.bytes_read:
        # No sweep looks at it once a finalizer has closed it.
        lease.bytes_read = bytes_read
        lease.active = now
    lease.finalizing = FINALIZED if by_finalizer else 0
    if lease.closed is None and (
        not by_finalizer or URLLIB3.state(response) is not Ending.OPEN
    ):
        lease.closed = now
        if not lease.pool.block:
            # Nothing waits for it to come back.
            lease.pool.forget(lease.slot)


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


def _dealloc_warn(self: Any, _source: object) -> None:
    """A ``BufferedReader`` or ``TextIOWrapper`` around it is being finalized.

    ``io`` announces this (CPython 3.10 to 3.14, as it does to ``FileIO``) and
    then closes the response by a call that looks like the program's own.
    """
    registry = GATE.registry
    try:
        lease = registry.get(self._connection, self)
        if lease is not None:
            lease.finalizing = ANNOUNCED
    except Exception as error:
        registry.give_up(None, "finalizer", error)


def _in_finalizer(response: Any, frame: FrameType | None) -> bool:
    """Whether `io.IOBase`'s finalizer closes the response.

    It does so itself, or by the ``close`` of a Python class around it, such as
    botocore's ``StreamingBody``. The finalizer sets ``_finalizing`` on whom it
    closes.
    """
    if "_finalizing" in response.__dict__:
        return True
    while frame is not None and frame.f_code.co_name == "close":
        owner = first_argument(frame)
        if isinstance(owner, io.IOBase) and "_finalizing" in vars(owner):
            return True
        frame = frame.f_back
    return False
