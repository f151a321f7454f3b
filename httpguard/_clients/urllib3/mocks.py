"""Which responses hold a real connection: those of mocks do not."""

from __future__ import annotations

from typing import Any, Final

# Mocks that replay a recorded response through a real pool: nothing is held.
# vcrpy does so by its class of http.client response; what it lets through has a
# real one. The others fake the socket.
_MOCKED_BODIES: Final = ("vcr.",)
_MOCKED_SOCKETS: Final = ("httpretty.", "mocket.")
_MOST_CLASSES: Final = 256


class _Reality(dict[type, bool]):
    """Class of a body or a socket -> whether it is of the real world.

    Bounded: a program may make classes without end.

    Args:
        mocks: How the names of the modules of mocks begin.
    """

    def __init__(self, mocks: tuple[str, ...]) -> None:
        super().__init__()
        self._mocks = mocks

    def __missing__(self, kind: type) -> bool:
        if len(self) >= _MOST_CLASSES:
            self.clear()
        self[kind] = known = not kind.__module__.startswith(self._mocks)
        return known


class _Responses(dict[type, bool]):
    """Class -> whether it is urllib3's ``HTTPResponse`` or derived from it.

    Of any copy of urllib3: each asks for its own.
    """

    def __missing__(self, kind: type) -> bool:
        if len(self) >= _MOST_CLASSES:
            self.clear()
        self[kind] = known = any(
            one.__name__ == "HTTPResponse"
            and f".{one.__module__}".endswith(".urllib3.response")
            for one in kind.__mro__
        )
        return known


_IS_RESPONSE: Final = _Responses()
_REAL_BODY: Final = _Reality(_MOCKED_BODIES)
REAL_SOCKET: Final = _Reality(_MOCKED_SOCKETS)
"""Class of a socket -> whether it is of the real world."""
# In the order in which `_speedups.c` names them.
KNOWN: Final = (_IS_RESPONSE, _REAL_BODY, REAL_SOCKET)
"""What is known of the classes of responses, of their bodies and of sockets."""


def holds_real_connection(response: Any) -> bool:
    """Whether this is a response of urllib3 that holds a connection.

    Args:
        response: Whatever a call returned. One that was read inside
            (``preload_content``) holds none.
    """
    try:
        return (
            _IS_RESPONSE[type(response)]
            and (connection := response._connection) is not None
            and _REAL_BODY[type(response._fp)]
            and REAL_SOCKET[type(connection.sock)]
        )
    except AttributeError:  # A subclass that is only half a response.
        return False
