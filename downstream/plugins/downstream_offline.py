"""A machine without a network, whatever machine this is.

Some tests ask for hosts of the internet, to see a timeout or an error. What they
get depends on the machine, takes its time, and is traffic that nobody wants from
a test of ours: names that are not this machine's do not resolve, and other
addresses have no route. With and without the guard alike.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
from typing import Any, Final

_getaddrinfo: Final = socket.getaddrinfo
_connect: Final = socket.socket.connect
_connect_ex: Final = socket.socket.connect_ex


def is_local(host: object) -> bool:
    """Whether a host, by name or address, is this machine."""
    if host is None:
        return True
    text = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return text.rstrip(".").lower() in {"", "localhost", "localhost.localdomain"}
    return address.is_loopback or address.is_unspecified


def _resolve(host: Any, *args: Any, **kwargs: Any) -> Any:
    """`socket.getaddrinfo`, for this machine and for what is an address already."""
    try:
        ipaddress.ip_address(host.partition("%")[0] if isinstance(host, str) else "")
    except ValueError:
        if not is_local(host):
            raise socket.gaierror(
                socket.EAI_NONAME, "Name or service not known"
            ) from None
    return _getaddrinfo(host, *args, **kwargs)


def _reachable(address: object) -> bool:
    """Whether there is a route: Unix sockets, and addresses of this machine."""
    return not isinstance(address, tuple) or is_local(address[0])


def _connect_here(self: socket.socket, address: Any) -> None:
    """As a kernel without a route: at once, and in every state of blocking."""
    if not _reachable(address):
        raise OSError(errno.ENETUNREACH, os.strerror(errno.ENETUNREACH))
    _connect(self, address)


def _connect_here_ex(self: socket.socket, address: Any) -> int:
    """As `_connect_here`, with the error as a number."""
    if not _reachable(address):
        return errno.ENETUNREACH
    return _connect_ex(self, address)


def _cut() -> None:
    """Leave nothing but this machine."""
    socket.getaddrinfo = _resolve
    setattr(socket.socket, "connect", _connect_here)  # noqa: B010  # final, says mypy
    setattr(socket.socket, "connect_ex", _connect_here_ex)  # noqa: B010  # as above


# At import, before pytest loads other plugins: pytest-socket puts back, after each
# test, what it found. Our own tests import this module by another name.
if __name__ == "downstream_offline":
    _cut()
