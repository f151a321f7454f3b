"""What the kernel knows of a response's socket: bytes taken past the client's count.

sseclient and docker read from the file or the socket below a response. And urllib3 2.x
decodes what it has taken in as it is read, or has it in http.client's buffer.
"""

from __future__ import annotations

import _socket
import socket
import struct
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from .lease import Lease

# `tcpi_bytes_received` of Linux's `struct tcp_info`, since 4.1.
_RECEIVED: Final = struct.Struct("128xQ")
_INT: Final = struct.Struct("i")


def descriptor_of(lease: Lease, response: Any) -> int | None:
    """The number of its socket's descriptor; None for sockets that are not Python's."""
    sock = lease.client.socket(response)
    number = -1 if sock is None else number_of(sock)
    return None if number < 0 else number


def has_waiting_greenlet(lease: Lease, response: Any) -> bool:
    """Whether a greenlet of gevent waits to read from its socket.

    No walk over all objects finds those that were there at a ``gc.freeze()``.
    """
    event = getattr(lease.client.socket(response), "_read_event", None)
    return bool(getattr(event, "active", False))


def real_socket(sock: object) -> socket.socket | None:
    """A socket of Python's or gevent's; that of eventlet has one of Python's in it."""
    if not issubclass(type(sock), _socket.socket):
        # Not by getattr(): that may run code of the program.
        with suppress(AttributeError):
            sock = object.__getattribute__(sock, "__dict__").get("fd", sock)
        if not issubclass(type(sock), (_socket.socket, socket.socket)):
            return None
    return sock  # type: ignore[return-value]  # By its class.


def number_of(sock: socket.socket) -> int:
    """The descriptor of what `real_socket` returns; -1 once it is closed."""
    return _methods(sock).fileno(sock)


def _methods(sock: socket.socket) -> type[socket.socket]:
    """Where its own methods are, whatever `socket.socket` was replaced with."""
    plain = issubclass(type(sock), _socket.socket)
    return cast("type[socket.socket]", _socket.socket) if plain else socket.socket


def is_read_below(lease: Lease, response: Any) -> bool:
    """Whether bytes were taken from the socket since the look before this one.

    The client has counted nothing since that look.
    """
    before, lease.taken = lease.taken, _taken(lease.client.socket(response))
    if before is None or lease.taken is None:
        return False
    # The server's last word, which ends its side, counts as a byte.
    return lease.taken - before > 1


def is_read_inside(lease: Lease, response: Any) -> bool:
    """Whether what its client had taken in was read since the look before this one.

    Args:
        lease: Keeps what was seen: another object may get its id.
    """
    before, lease.unread = lease.unread, lease.client.unread(response)
    return before is not None and [*map(id, before)] != [*map(id, lease.unread)]


def _taken(sock: socket.socket | None) -> int | None:
    """How many bytes the program has taken from the socket, since it was opened.

    About 2 us. Only differences mean anything; None where the kernel does not tell.
    """
    if sock is None or sys.platform != "linux":
        return None
    with suppress(OSError, ImportError, struct.error, AttributeError):
        import fcntl
        import termios

        size = bytes(_INT.size)
        number = number_of(sock)
        before = fcntl.ioctl(number, termios.FIONREAD, size)
        info = _methods(sock).getsockopt(
            sock, socket.IPPROTO_TCP, socket.TCP_INFO, _RECEIVED.size
        )
        # More may have come in between.
        if fcntl.ioctl(number, termios.FIONREAD, size) == before:
            (received,) = _RECEIVED.unpack(info)
            return int(received) - int(_INT.unpack(before)[0])
    return None
