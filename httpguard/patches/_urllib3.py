"""urllib3 1.26 and 2.x: where responses are handed out and given back."""

from __future__ import annotations

import io
import sys
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from .._lease import ANNOUNCED, FINALIZED
from .._response import is_shut
from .._scope import CURRENT_CALL
from ._patch import STATE, Method, add, wrap
from ._requests import is_for_requests

if TYPE_CHECKING:
    from types import FrameType

    from urllib3.response import HTTPResponse

# Mocks that replay a recorded response through a real pool: nothing is held.
# vcrpy does so by its class of http.client response; what it lets through has a
# real one. The others fake the socket.
_MOCKED_BODIES: Final = ("vcr.",)
_MOCKED_SOCKETS: Final = ("httpretty.", "mocket.")


class _Reality(dict[type, bool]):
    """Class of a body or a socket -> whether it is of the real world.

    Args:
        mocks: How the names of the modules of mocks begin.
    """

    def __init__(self, mocks: tuple[str, ...]) -> None:
        """Start with nothing known."""
        super().__init__()
        self._mocks = mocks

    def __missing__(self, kind: type) -> bool:
        """Judge a class seen for the first time."""
        self[kind] = known = not kind.__module__.startswith(self._mocks)
        return known


_REAL_BODY: Final = _Reality(_MOCKED_BODIES)
_REAL_SOCKET: Final = _Reality(_MOCKED_SOCKETS)


def apply() -> None:
    """Patch what `urllib3.connectionpool` and `urllib3.response` define."""
    from urllib3.connectionpool import HTTPConnectionPool
    from urllib3.response import HTTPResponse

    wrap(HTTPConnectionPool, "urlopen", partial(_urlopen, HTTPResponse))
    wrap(HTTPResponse, "release_conn", _release_conn)
    wrap(HTTPResponse, "close", _close)
    if "_handle_chunk" in HTTPResponse.__dict__:
        wrap(HTTPResponse, "_handle_chunk", _handle_chunk)
    add(HTTPResponse, "_dealloc_warn", _dealloc_warn)


def _urlopen(response_class: type[HTTPResponse], wrapped: Method) -> Method:
    """The lowest call that hands a response out; redirects re-enter it."""
    current_call = CURRENT_CALL.get

    def urlopen(self: Any, *args: Any, **kwargs: Any) -> Any:
        hub = STATE.hub
        if hub is None:
            return wrapped(self, *args, **kwargs)
        call = current_call()
        if call is None or call.done:
            call = None
            registry = hub.registry
            if registry.dead or registry.resolved or hub.alert:
                hub.before_request()
        response = wrapped(self, *args, **kwargs)
        # No connection: read inside (preload_content).
        if (
            isinstance(response, response_class)
            and (connection := response._connection) is not None
            and _REAL_BODY[type(response._fp)]
            and _REAL_SOCKET[type(connection.sock)]
        ):
            frame = sys._getframe(1)
            if call is not None and is_for_requests(frame):
                call.append(response)
            else:
                method = args[0] if args else kwargs.get("method")
                url = args[1] if len(args) > 1 else kwargs.get("url")
                hub.hand_over(response, self, method, url, frame)
        try:
            return response
        finally:
            # A retried attempt's traceback, which the response refers to, keeps
            # this frame: with the response in it that would be a cycle.
            del response

    return urlopen


def _release_conn(wrapped: Method) -> Method:
    """The one way in which a connection is given back to its pool.

    Called once or more for every request, lease or not.
    """

    def release_conn(self: Any) -> None:
        wrapped(self)
        registry = STATE.registry
        if (
            registry is not None
            and id(self) in registry.leases
            and self._connection is None
        ):
            registry.end(self)

    return release_conn


def _close(wrapped: Method) -> Method:
    """Closing: by the program, or by a finalizer, which does not count.

    Runs in finalizers: no lock, no log.
    """

    def close(self: Any) -> None:
        registry = STATE.registry
        lease = None if registry is None else registry.leases.get(id(self))
        if registry is not None and lease is not None:
            # The cycle collector has cleared the reference before it finalizes.
            owner = lease()
            by_finalizer = lease.finalizing == ANNOUNCED or _in_finalizer(
                self, sys._getframe(1)
            )
            if owner is self or (owner is None and by_finalizer):
                lease.bytes_read = self._fp_bytes_read + lease.chunked
                lease.finalizing = FINALIZED if by_finalizer else 0
                if lease.closed is None and (not by_finalizer or is_shut(self)):
                    lease.closed = registry.clock()
                    if not lease.pool.block:
                        # Nothing waits for it to come back.
                        lease.pool.out.pop(id(self._connection), None)
        wrapped(self)

    return close


def _handle_chunk(wrapped: Method) -> Method:
    """One chunk of a body read by `stream` or by iteration.

    Such a reader leaves no other trace: `tell` counts what `read` reads, in
    urllib3 1.26 and 2.x alike, and nothing of this.
    """

    def _handle_chunk(self: Any, amt: int | None) -> bytes:
        chunk: bytes = wrapped(self, amt)
        registry = STATE.registry
        if registry is not None:
            lease = registry.leases.get(id(self))
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
    lease = None if registry is None else registry.get(self)
    if lease is not None:
        lease.finalizing = ANNOUNCED


def _in_finalizer(response: Any, frame: FrameType | None) -> bool:
    """Whether `io.IOBase`'s finalizer closes the response.

    It does so itself, or by the ``close`` of a Python class around it, such as
    botocore's ``StreamingBody``. The finalizer sets ``_finalizing`` on whom it
    closes.
    """
    if "_finalizing" in response.__dict__:
        return True
    while frame is not None and frame.f_code.co_name == "close":
        names = frame.f_code.co_varnames
        owner = frame.f_locals.get(names[0]) if names else None
        if isinstance(owner, io.IOBase) and "_finalizing" in vars(owner):
            return True
        frame = frame.f_back
    return False
