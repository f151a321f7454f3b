"""What stands in the place of a body that was closed under whoever may yet read it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_E = TypeVar("_E", bound=Exception)


def noted(error: _E, note: str) -> _E:
    if hasattr(error, "add_note"):  # CPython 3.11 and later.
        error.add_note(note)
    return error


class Shut:
    """Every read says so, by the client's own error for a body that ended too early.

    urllib3 and http.client end a body that was closed under them without a word where
    it is chunked or read in parts, and a program would take half of it for the whole.
    That is why this one does not call itself closed; the response does.
    """

    closed: Final = False

    def __init__(self, error: Callable[[], Exception], note: str) -> None:
        self._error = error
        self._note = note
        # http.client's response has the file of the socket there.
        self.fp = self

    def _raise(self, *_: object) -> Any:
        raise noted(self._error(), self._note)

    read = read1 = readinto = readline = peek = _raise

    def isclosed(self) -> bool:
        """urllib3 asks before it reads."""
        return False

    def flush(self) -> None:
        """Nothing to write."""

    def close(self) -> None:
        """It is."""
