"""What a sweep and a finalizer ask of a urllib3 response, by its private parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from urllib3.response import HTTPResponse


def holds_connection(response: HTTPResponse) -> bool:
    """Whether it has not given its connection back."""
    return response._connection is not None


def is_shut(response: HTTPResponse) -> bool:
    """Whether its socket was closed by other means than `close`.

    docker's ``CancellableStream.close`` does so: the program has closed it.
    """
    if response.closed:
        return True
    # `socket.socket` and `ssl.SSLSocket` tell so; other sockets never look shut.
    return (
        getattr(getattr(response._connection, "sock", None), "_closed", False) is True
    )
