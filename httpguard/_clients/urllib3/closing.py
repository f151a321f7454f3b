"""How a response of urllib3 is closed: by the program, by a finalizer, or by us."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Any, Final

from ..._leases.client import Ending
from ..._leases.lease import ANNOUNCED, FINALIZED
from ..._stacks.variables import first_argument
from ..collected import is_closed_by_program
from ..gate import GATE
from ..patching import MODULES

if TYPE_CHECKING:
    from types import FrameType

    from urllib3.response import HTTPResponse

    from ..._leases.lease import Lease
    from ..patching import Method

# In finalizers too runs what comes before `_Shut`: no lock, no log.


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
        not by_finalizer or lease.client.state(response) is not Ending.OPEN
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


class _Shut:
    """In the place of a body that is closed: every read says so.

    urllib3 ends a body that was closed under it without a word where it is chunked
    or read by `stream`, and a program would take half a body for the whole of it.
    That is why this one does not call itself closed; the response does.
    """

    closed: Final = False

    def __init__(self, read: int, missing: int | None, note: str, package: str) -> None:
        self._package = package
        self._read = read
        self._note = note
        self._missing = missing
        # http.client's response has the file of the socket there.
        self.fp = self

    def _raise(self, *_: object) -> Any:
        """urllib3's own error for a body that ended too early."""
        exceptions: Any = MODULES[f"{self._package}.exceptions"]
        error = exceptions.ProtocolError("Response ended prematurely")
        if self._missing:
            cause = exceptions.IncompleteRead(self._read, self._missing)
            error = exceptions.ProtocolError(f"Connection broken: {cause!r}", cause)
        # CPython 3.11 and later.
        if hasattr(error, "add_note"):
            error.add_note(self._note)
        raise error

    read = read1 = readinto = readline = peek = _raise

    def isclosed(self) -> bool:
        """urllib3 asks before it reads."""
        return False

    def close(self) -> None:
        """It is."""


def shut(response: HTTPResponse, note: str, package: str) -> None:
    """Close a response and give its connection back; what reads it later is told."""
    stub = _Shut(response._fp_bytes_read, response.length_remaining, note, package)
    response.close()
    response.release_conn()
    response._fp = stub  # type: ignore[assignment]  # it is read like one
    # From now on `closed` is what `io.IOBase` says.
    response.auto_close = False
    io.IOBase.close(response)
