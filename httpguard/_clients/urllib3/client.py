"""urllib3 as the engine sees it: questions by its private parts, closing, and hints."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Any, Final

from ..._leases.client import Client, Ending
from ..._leases.lease import ANNOUNCED, FINALIZED
from ..._leases.wire import real_socket
from ..._stacks.variables import first_argument
from ..collected import is_closed_by_program
from ..gate import GATE
from ..hints import urllib3_hint
from ..patching import MODULES
from ..shut import Shut

if TYPE_CHECKING:
    import socket
    from types import FrameType

    from urllib3.response import HTTPResponse

    from ..._leases.lease import Lease
    from ..patching import Method

# Once: a sweep asks for each response, and CPython 3.11 is slow to find them.
_OPEN, _RELEASED = Ending.OPEN, Ending.RELEASED
_CLOSED, _CUT = Ending.CLOSED, Ending.CUT


class Urllib3(Client):
    """urllib3 1.26 and 2.x, or a copy of it, or who has one `below`."""

    def __init__(self, name: str = "urllib3", below: str | None = None) -> None:
        self.name = name
        self._below = below or name

    def state(self, response: Any) -> Ending:
        connection = response._connection
        if connection is None:
            return _RELEASED
        # `socket.socket` and `ssl.SSLSocket` tell that the program closed them, as
        # docker's ``CancellableStream.close`` does; other sockets never look cut.
        sock = getattr(connection, "sock", None)
        if sock is not None and getattr(sock, "_closed", False) is True:
            return _CUT
        return _CLOSED if response.closed else _OPEN

    def bytes_read(self, response: Any) -> int:
        """Not what `stream` or iteration reads: see `Gate.read`."""
        count: int = response._fp_bytes_read
        return count

    def unread(self, response: Any) -> tuple[object, ...]:
        """What it has decoded, and of gzip and deflate what it has yet to decode.

        Each read makes new ones. br and zstd keep the latter to themselves. And what is
        left of the body, or a chunk, of http.client's response, which some read.
        """
        below = response._fp
        decoder = getattr(response, "_decoder", None)
        decoded = getattr(getattr(response, "_decoded_buffer", None), "buffer", ())
        parts = (
            *tuple(decoded)[:1],
            getattr(decoder, "_unconsumed_tail", None),
            getattr(getattr(decoder, "_obj", None), "unconsumed_tail", None),
            getattr(below, "length", None),
            getattr(below, "chunk_left", None),
        )
        return tuple(part for part in parts if part is not None)

    def socket(self, response: Any) -> socket.socket | None:
        """The connection may have handed it over."""
        sock = getattr(response._connection, "sock", None)
        if sock is None:
            raw = getattr(getattr(response._fp, "fp", None), "raw", None)
            sock = getattr(raw, "_sock", None)
        return real_socket(sock)

    def readers(self, response: Any) -> list[object]:
        """Some read the http.client response below it directly."""
        parts: list[Any] = [response, response._connection]
        below: Any = response._fp
        # http.client's response, its buffer, that one's raw stream, the socket.
        for name in ("fp", "raw", "_sock", ""):
            parts.append(below)
            below = getattr(below, name, None) if name else None
        parts.append(getattr(response._connection, "sock", None))
        return [part for part in parts if part is not None]

    def close(self, response: Any, note: str) -> bool:
        shut(response, note, self._below)
        return True

    def release(self, response: Any) -> bool | None:
        response.release_conn()
        return None

    hint = staticmethod(urllib3_hint)


URLLIB3: Final = Urllib3()


# In finalizers too runs what comes before `shut`: no lock, no log.


def close(wrapped: Method) -> Method:
    """Closing: by the program, or by a finalizer, which does not count."""

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
    # The cycle collector has cleared the reference before it finalizes.
    if owner is None and not by_finalizer:
        if not lease.is_of(GATE.registry.pools.known.get(id(response._pool))):
            return
        by_finalizer = not is_closed_by_program(response, frame)
    bytes_read = lease.read_so_far(response)
    if bytes_read != lease.bytes_read:
        # No sweep looks at it once a finalizer has closed it.
        lease.bytes_read = bytes_read
        lease.active = now
    lease.finalizing = FINALIZED if by_finalizer else 0
    if lease.closed is None and (
        not by_finalizer or lease.client.state(response) is not _OPEN
    ):
        lease.closed = now
        if not lease.pool.block:
            # Nothing waits for it to come back.
            lease.pool.forget(lease.slot)


def dealloc_warn(self: Any, _source: object) -> None:
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
    botocore's ``StreamingBody``, or by what that one calls of its own. The finalizer
    sets ``_finalizing`` on whom it closes.
    """
    if "_finalizing" in response.__dict__:
        return True
    while frame is not None:
        owner = first_argument(frame)
        if isinstance(owner, io.IOBase) and "_finalizing" in vars(owner):
            return True
        if frame.f_code.co_name != "close":
            break
        frame = frame.f_back
    return False


def shut(response: HTTPResponse, note: str, package: str) -> None:
    """Close a response and give its connection back; what reads it later is told."""
    exceptions: Any = MODULES[f"{package}.exceptions"]
    read, missing = response._fp_bytes_read, response.length_remaining

    def error() -> Any:
        if not missing:
            return exceptions.ProtocolError("Response ended prematurely")
        cause = exceptions.IncompleteRead(read, missing)
        return exceptions.ProtocolError(f"Connection broken: {cause!r}", cause)

    response.close()
    response.release_conn()
    response._fp = Shut(error, note)  # type: ignore[assignment]  # it is read like one
    # From now on `closed` is what `io.IOBase` says.
    response.auto_close = False
    io.IOBase.close(response)
