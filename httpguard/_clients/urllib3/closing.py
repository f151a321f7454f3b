"""Closing a `held` response for the program, so that a later read of it says so."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from urllib3.response import HTTPResponse

NOTE: Final = (
    "httpguard closed this response, since nothing was read from it for max_idle"
    " seconds: on_held='close' (HTTPGUARD_ON_HELD)"
)


class _Shut:
    """In the place of a body that is closed: every read says so.

    urllib3 ends a body that was closed under it without a word where it is chunked
    or read by `stream`, and a program would take half a body for the whole of it.
    That is why this one does not call itself closed; the response does.

    Args:
        read: Bytes that were read.
        missing: Bytes that were announced and not read; None: not known.
    """

    closed: Final = False

    def __init__(self, read: int, missing: int | None) -> None:
        """Keep the figures for the error."""
        self._read = read
        self._missing = missing
        # http.client's response has the file of the socket there.
        self.fp = self

    def _raise(self, *_: object) -> Any:
        """urllib3's own error for a body that ended too early."""
        from urllib3.exceptions import IncompleteRead, ProtocolError

        error = ProtocolError("Response ended prematurely")
        if self._missing:
            cause = IncompleteRead(self._read, self._missing)
            error = ProtocolError(f"Connection broken: {cause!r}", cause)
        # CPython 3.11 and later.
        if hasattr(error, "add_note"):
            error.add_note(NOTE)
        raise error

    read = read1 = readinto = readline = peek = _raise

    def isclosed(self) -> bool:
        """urllib3 asks before it reads."""
        return False

    def close(self) -> None:
        """It is."""


def shut(response: HTTPResponse) -> None:
    """Close a response and give its connection back; what reads it later is told.

    Args:
        response: Open, and read by nobody.
    """
    stub = _Shut(response._fp_bytes_read, response.length_remaining)
    response.close()
    response.release_conn()
    response._fp = stub  # type: ignore[assignment]  # it is read like one
    # From now on `closed` is what `io.IOBase` says.
    response.auto_close = False
    io.IOBase.close(response)
