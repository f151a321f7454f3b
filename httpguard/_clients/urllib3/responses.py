"""urllib3 1.26 and 2.x: where responses are handed out and given back."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Any

from ..._leases.lease import ANNOUNCED, FINALIZED
from ..._model.errors import LeakError
from ..._stacks.variables import first_argument
from ..compiled import open_lease
from ..forwarding import around
from ..patching import STATE, Method, add, code_of, follow, step_aside, wrap
from ..requests import above, reads_body, session_above
from .mocks import holds_real_connection
from .pools import put_conn
from .response import is_shut

if TYPE_CHECKING:
    from types import FrameType

    from ..._leases.lease import Lease


def apply() -> None:
    """Patch what `urllib3.connectionpool` and `urllib3.response` define."""
    from urllib3.connectionpool import HTTPConnectionPool
    from urllib3.poolmanager import PoolManager
    from urllib3.response import HTTPResponse

    STATE.urlopen = code_of(HTTPConnectionPool.__dict__["urlopen"])
    STATE.manager_urlopen = code_of(PoolManager.__dict__["urlopen"])
    wrap(HTTPResponse, "close", _close)
    wrap(HTTPConnectionPool, "_put_conn", put_conn)
    # urllib3's own `release_conn` gives the connection to the pool, which is seen.
    follow(HTTPResponse, {"release_conn": _release_conn, "close": _close})
    if "_handle_chunk" in HTTPResponse.__dict__:
        wrap(HTTPResponse, "_handle_chunk", _handle_chunk)
    add(HTTPResponse, "_dealloc_warn", _dealloc_warn)
    # Last: with this one responses are seen, and their end has to be.
    wrap(HTTPConnectionPool, "urlopen", _urlopen)
    follow(HTTPConnectionPool, {"_put_conn": put_conn, "urlopen": _urlopen})
    STATE.settle()


def _urlopen(wrapped: Method) -> Method:
    """The lowest call that hands a response out; redirects and retries re-enter it."""
    urlopen = around(wrapped, ("self", "method", "url"), _opened, _opening)
    if wrapped.__code__ is STATE.urlopen:
        STATE.own_urlopen = urlopen.__code__
    return urlopen


def _opening() -> None:
    """A request begins, and the guard has something to say."""
    hub = STATE.hub
    if hub is not None:
        hub.before_request()


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
    if connection is None or STATE.hub is None:
        return response  # Most are read inside.
    try:
        swift = STATE.registry.swift
        if swift is None or not open_lease(
            swift, STATE.world, response, pool, method, url, None, ""
        ):
            _look_at(response, pool, method, url, sys._getframe(2))
    except LeakError:
        raise
    except Exception as error:
        step_aside("urlopen", error)
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
    if code is STATE.urlopen:
        frame = _outermost(frame)
        code = frame.f_code
    if code is STATE.adapter_send:
        caller = frame.f_back
        # Unless somebody took the method before it was patched.
        if caller is not None and caller.f_code is STATE.own_send:
            return  # Our function around that hands it over.
    if holds_real_connection(response):
        if code.co_name == "send":
            _hand_over(response, pool, method, url, frame)
        else:
            STATE.registry.add(response, pool, method, url, frame, "", reading=False)


def _hand_over(
    response: Any, pool: Any, method: Any, url: Any, frame: FrameType
) -> None:
    """Hand over what a ``send`` gets that may be called by requests."""
    session = session_above(frame)
    reading = session is not None and reads_body(session)
    STATE.registry.add(
        response,
        pool,
        method,
        url,
        frame if session is None or reading else above(session),
        "" if session is None else "requests",
        reading=reading,
    )


def _outermost(frame: FrameType) -> FrameType:
    """Who called ``urlopen``, which calls itself to try again or to follow a redirect.

    Args:
        frame: Of the call that does.
    """
    while frame.f_code is STATE.urlopen:
        ours = frame.f_back
        caller = None if ours is None else ours.f_back
        if ours is None or ours.f_code is not STATE.own_urlopen or caller is None:
            break
        frame = caller
    return frame


def _release_conn(wrapped: Method) -> Method:
    """A subclass gives its connection back, perhaps without the pool's knowledge."""

    def release_conn(self: Any) -> None:
        registry = STATE.registry
        lease = None
        try:
            lease = registry.get(self)
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
        registry = STATE.registry
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
    # The cycle collector has cleared the reference before it finalizes.
    owner = lease()
    by_finalizer = lease.finalizing == ANNOUNCED or _in_finalizer(response, frame)
    if owner is response or (owner is None and by_finalizer):
        bytes_read = response._fp_bytes_read + lease.chunked
        if bytes_read != lease.bytes_read:
            # No sweep looks at it once a finalizer has closed it.
            lease.bytes_read = bytes_read
            lease.active = now
        lease.finalizing = FINALIZED if by_finalizer else 0
        if lease.closed is None and (not by_finalizer or is_shut(response)):
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
        lease = STATE.registry.leases.get(id(getattr(self, "_connection", None)))
        if lease is not None:
            lease.chunked += len(chunk)
        return chunk

    return _handle_chunk


def _dealloc_warn(self: Any, _source: object) -> None:
    """A ``BufferedReader`` or ``TextIOWrapper`` around it is being finalized.

    ``io`` announces this (CPython 3.10 to 3.14, as it does to ``FileIO``) and
    then closes the response by a call that looks like the program's own.
    """
    registry = STATE.registry
    try:
        lease = registry.get(self)
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
