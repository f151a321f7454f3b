"""Closing a `held` response for the program, so that a later read of it says so."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from urllib3.response import HTTPResponse


class _Shut:
    """In the place of a body that is closed: every read says so.

    urllib3 ends a body that was closed under it without a word where it is chunked
    or read by `stream`, and a program would take half a body for the whole of it.
    That is why this one does not call itself closed; the response does.

    Args:
        read: Bytes that were read.
        missing: Bytes that were announced and not read; None: not known.
        note: Why it is closed.
        package: Its urllib3.
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
        exceptions: Any = sys.modules[f"{self._package}.exceptions"]
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
    """Close a response and give its connection back; what reads it later is told.

    Args:
        response: Open, and read by nobody.
        note: For the error of a later read.
        package: Its urllib3.
    """
    stub = _Shut(response._fp_bytes_read, response.length_remaining, note, package)
    response.close()
    response.release_conn()
    response._fp = stub  # type: ignore[assignment]  # it is read like one
    # From now on `closed` is what `io.IOBase` says.
    response.auto_close = False
    io.IOBase.close(response)
