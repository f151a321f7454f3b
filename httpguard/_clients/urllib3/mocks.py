"""Which responses hold a real connection: those of mocks do not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_MOST_CLASSES: Final = 256


class Classes(dict[type, bool]):
    """Class -> what a look at it has said.

    Bounded: a program may make classes without end.
    """

    def __init__(self, look: Callable[[type], bool]) -> None:
        super().__init__()
        self._look = look

    def __missing__(self, kind: type) -> bool:
        if len(self) >= _MOST_CLASSES:
            self.clear()
        self[kind] = known = self._look(kind)
        return known


def _is_response(kind: type) -> bool:
    """Whether it is urllib3's ``HTTPResponse`` or derived from it, in any copy."""
    return any(
        one.__name__ == "HTTPResponse"
        and f".{one.__module__}".endswith(".urllib3.response")
        for one in kind.__mro__
    )


_IS_RESPONSE: Final = Classes(_is_response)
# Mocks that replay a recorded response through a real pool: nothing is held.
# vcrpy does so by its class of http.client response; what it lets through has a
# real one. The others fake the socket.
_REAL_BODY: Final = Classes(lambda kind: not kind.__module__.startswith("vcr."))
REAL_SOCKET: Final = Classes(
    lambda kind: not kind.__module__.startswith(("httpretty.", "mocket."))
)
"""Class of a socket -> whether it is of the real world."""
# In the order in which `_speedups.c` names them.
KNOWN: Final = (_IS_RESPONSE, _REAL_BODY, REAL_SOCKET)
"""What is known of the classes of responses, of their bodies and of sockets."""


def holds_real_connection(response: Any) -> bool:
    """Whether this is a response of urllib3 that holds a connection.

    One that was read inside (``preload_content``) holds none.
    """
    try:
        if (
            not _IS_RESPONSE[type(response)]
            or (connection := response._connection) is None
            or not _REAL_BODY[type(response._fp)]
        ):
            return False
        # Where the server is going to close the connection, http.client has handed
        # the socket over to the file below the response.
        holder = connection.sock
        if holder is None:
            holder = getattr(response._fp, "fp", None)
        return holder is None or REAL_SOCKET[type(holder)]
    except AttributeError:  # A subclass that is only half a response.
        return False
