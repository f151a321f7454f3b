"""What a sweep and a finalizer ask of a urllib3 response, by its private parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from urllib3.response import HTTPResponse


def holds_connection(response: HTTPResponse) -> bool:
    """Whether it has not given its connection back."""
    return response._connection is not None


def is_cut(response: HTTPResponse) -> bool:
    """Whether the program closed its socket, and not the response.

    docker's ``CancellableStream.close`` does so.
    """
    # `socket.socket` and `ssl.SSLSocket` tell so; other sockets never look cut.
    sock = getattr(response._connection, "sock", None)
    return sock is not None and getattr(sock, "_closed", False) is True


def is_shut(response: HTTPResponse) -> bool:
    """Whether it was closed by other means than its own `close`."""
    return response.closed or is_cut(response)
