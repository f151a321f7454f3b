"""http.client's responses: where they are handed out, read and closed.

What reference counting takes, takes its socket along: such a response is counted, not
reported. What the cycle collector takes was dropped.

Most bodies have a length. What counts the reads of the others, as http.client does not,
is put on with the first of them.
"""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Any, Final

from ..._leases.lease import ANNOUNCED
from ..._model.errors import LeakError, hide_own
from ..collected import is_closed_by_program
from ..gate import GATE
from ..patching import MODULES, Later, is_wrapped
from ..urllib3.mocks import REAL_SOCKET
from .client import HTTP_CLIENT, LENGTH, URLLIB_REQUEST, is_read, is_urllib
from .pools import CONNECTIONS, HOSTS, address_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from ..._leases.lease import Lease
    from ..._leases.registry import Registry
    from ..patching import Method, Patcher

URL: Final = "_httpguard_url"
"""On a connection: the URL of its request."""
_SWITCHING_PROTOCOLS: Final = 101
_IS_CLOSED: Final = io.IOBase.closed


def _patch_reads(patcher: Patcher) -> None:
    response = MODULES["http.client"].HTTPResponse
    patcher.wrap(response, "_read_next_chunk_size", _read_next_chunk_size)
    for name in ("read", "readinto", "read1", "readline"):
        patcher.wrap(response, name, _read)


COUNTING: Final = Later(_patch_reads)


def _lease_of(response: Any) -> Lease | None:
    registry = GATE.registry
    try:
        lease = registry.leases.get(id(response))
        return lease if lease is not None and lease() is response else None
    except Exception as error:
        registry.give_up(None, "http.client", error)
        return None


def _read_next_chunk_size(wrapped: Method) -> Method:
    """A chunk begins: see `HttpClient.bytes_read`."""

    def _read_next_chunk_size(self: Any) -> Any:
        size = wrapped(self)
        lease = _lease_of(self)
        if lease is not None:
            lease.uncounted += size
        return size

    return _read_next_chunk_size


def _read(wrapped: Method) -> Method:
    """A read of a body without a length, which http.client does not count."""

    def read(self: Any, *args: Any, **kwargs: Any) -> Any:
        if self.length is not None or self.chunked:
            return wrapped(self, *args, **kwargs)
        lease = _lease_of(self)
        before = 0 if lease is None else lease.uncounted
        data = wrapped(self, *args, **kwargs)
        if lease is not None:
            # Not added: one may call another.
            lease.uncounted = before + (data if type(data) is int else len(data))
        return data

    return read


def connection_class() -> Any:
    """http.client's own, which vcrpy puts another one in the place of for a time."""
    kind = MODULES["http.client"].HTTPConnection
    if kind.__module__ == "http.client":
        return kind
    return next(
        one
        for one in object.__subclasses__()
        if (one.__module__, one.__name__) == ("http.client", "HTTPConnection")
    )


def patch_responses(patcher: Patcher, is_left_alone: Callable[[Any], bool]) -> None:
    response = MODULES["http.client"].HTTPResponse
    patcher.wrap(response, "_close_conn", _close_conn)
    patcher.wrap(response, "close", _close)
    patcher.wrap_overrides(response, {"_close_conn": _close_conn, "close": _close})
    patcher.add(response, "_dealloc_warn", _dealloc_warn)
    COUNTING.promise(patcher)

    def getresponse(wrapped: Method) -> Method:
        """An answer: the application's, unless its connection is another client's."""

        def getresponse(self: Any) -> Any:
            response = wrapped(self)
            if GATE.guard is not None:
                url = self.__dict__.get(URL)
                if url is not None or not is_left_alone(self):
                    try:
                        _opened(self, response, url, sys._getframe(1))
                    except LeakError as error:
                        hide_own(error)
                        raise
            return response

        return getresponse

    # Last: with this one responses are seen, and their end has to be.
    patcher.wrap(connection_class(), "getresponse", getresponse)


def _opened(connection: Any, response: Any, url: Any, frame: FrameType) -> None:
    """The application is given a response that it has to read or close.

    Without a URL: it asked before we were there.
    """
    try:
        if not is_real(response):
            return
        by_urllib, length = is_urllib(frame), response.length
        if length == 0 and not (response.will_close or by_urllib):
            return  # Nothing to read, and the socket is the connection's.
        if length is None:
            COUNTING.put_on()
        response.__dict__[LENGTH] = length
        registry = GATE.registry
        known = registry.pools.known.get(id(connection))
        if known is None or known() is not connection:
            known = (
                HOSTS.meet(address_of(connection))
                if by_urllib
                else GATE.pool(connection, CONNECTIONS)
            )
        GATE.begin(
            URLLIB_REQUEST if by_urllib else HTTP_CLIENT,
            response,
            response,  # Its connection does not live as long.
            known,
            method=connection._method,
            url=url or "",
            status=response.status,
            length=length,
            frame=frame,
        )
    except LeakError:
        raise
    except Exception as error:
        GATE.fault("getresponse", error)


def is_real(response: Any) -> bool:
    """Whether it has a socket, and its end will be seen."""
    own = MODULES["http.client"].HTTPResponse
    kind = type(response)
    if kind is not own and not (issubclass(kind, own) and is_wrapped(kind._close_conn)):
        return False
    sock = HTTP_CLIENT.socket(response)
    return (
        sock is not None
        and REAL_SOCKET[type(sock)]
        and response.status != _SWITCHING_PROTOCOLS
    )


def _close_conn(wrapped: Method) -> Method:
    """A response lets go of its socket: it was read to its end, or is closed.

    Runs in finalizers: no lock, no log.
    """

    def _close_conn(self: Any) -> Any:
        registry = GATE.registry
        lease = registry.leases.get(id(self))
        if lease is not None:
            try:
                _end(registry, lease, self)
            except Exception as error:
                registry.give_up(lease, "http.client", error)
        return wrapped(self)

    return _close_conn


def _end(registry: Registry, lease: Lease, response: Any) -> None:
    """A lease ends, whose key is the response's id, unless the collector ends it."""
    owner = lease()
    space = response.__dict__
    if (owner is None and LENGTH not in space) or (
        owner is not None and owner is not response
    ):
        return  # Of another one, that was there before.
    by_finalizer = "_finalizing" in space or lease.finalizing == ANNOUNCED
    if owner is None:
        # The collector has cleared the reference before anything is finalized.
        frame = sys._getframe().f_back
        if is_read(response):
            registry.release(lease)
            return
        if by_finalizer or not is_closed_by_program(response, frame):
            lease.bytes_read = lease.read_so_far(response)
            return
    if by_finalizer or _IS_CLOSED.__get__(response):
        lease.closed = registry.clock()
        registry.finish_closed(lease)
    else:
        registry.release(lease)


def _close(wrapped: Method) -> Method:
    """``close``, which may not come to `_close_conn`: that of a subclass, or a second.

    The collector may run the response's own finalizer before one of the program,
    which then closes it.
    """

    def close(self: Any, *args: Any, **kwargs: Any) -> Any:
        registry = GATE.registry
        lease = registry.leases.get(id(self))
        if lease is None:
            return wrapped(self, *args, **kwargs)
        try:
            return wrapped(self, *args, **kwargs)
        finally:
            if registry.leases.get(id(self)) is lease:
                try:
                    _end_late(registry, lease, self)
                except Exception as error:
                    registry.give_up(lease, "http.client", error)

    return close


def _end_late(registry: Registry, lease: Lease, response: Any) -> None:
    """As `_end`, of a response that is finalized. Arguments as there."""
    space = response.__dict__
    owner = lease()
    if LENGTH not in space or "_finalizing" not in space:
        return
    if owner is response or (
        owner is None and is_closed_by_program(response, sys._getframe().f_back)
    ):
        lease.closed = registry.clock()
        registry.finish_closed(lease)


def _dealloc_warn(self: Any, _source: object) -> None:
    """A ``BufferedReader`` or ``TextIOWrapper`` around it is being finalized.

    ``io`` announces this (CPython 3.10 to 3.14, as it does to ``FileIO``) and then
    closes the response by a call that looks like the program's own.
    """
    lease = GATE.registry.leases.get(id(self))
    if lease is not None and LENGTH in self.__dict__ and lease() in {None, self}:
        lease.finalizing = ANNOUNCED
