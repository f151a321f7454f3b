"""urllib3 as the engine sees it: questions by its private parts, and hints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ..._leases.client import Client, Ending
from ..._leases.wire import real_socket
from ..hints import urllib3_hint
from .closing import shut

if TYPE_CHECKING:
    import socket

# Once: a sweep asks for each response, and CPython 3.11 is slow to find them.
_OPEN, _RELEASED = Ending.OPEN, Ending.RELEASED
_CLOSED, _CUT = Ending.CLOSED, Ending.CUT


class Urllib3(Client):
    """urllib3 1.26 and 2.x, or a copy of it, or who has one `below`."""

    def __init__(self, name: str = "urllib3", below: str | None = None) -> None:
        self.name = name
        self._below = below or name

    def state(self, response: Any) -> Ending:
        connection = response._connection
        if connection is None:
            return _RELEASED
        if is_cut(connection):
            return _CUT
        return _CLOSED if response.closed else _OPEN

    def bytes_read(self, response: Any) -> int:
        """Not what `stream` or iteration reads: see `Gate.read`."""
        count: int = response._fp_bytes_read
        return count

    def unread(self, response: Any) -> tuple[object, ...]:
        """What it has decoded, and of gzip and deflate what it has yet to decode.

        Each read makes new ones. br and zstd keep the latter to themselves. And what is
        left of the body, or a chunk, of http.client's response, which some read.
        """
        below = response._fp
        decoder = getattr(response, "_decoder", None)
        decoded = getattr(getattr(response, "_decoded_buffer", None), "buffer", ())
        parts = (
            *tuple(decoded)[:1],
            getattr(decoder, "_unconsumed_tail", None),
            getattr(getattr(decoder, "_obj", None), "unconsumed_tail", None),
            getattr(below, "length", None),
            getattr(below, "chunk_left", None),
        )
        return tuple(part for part in parts if part is not None)

    def socket(self, response: Any) -> socket.socket | None:
        """The connection may have handed it over."""
        sock = getattr(response._connection, "sock", None)
        if sock is None:
            raw = getattr(getattr(response._fp, "fp", None), "raw", None)
            sock = getattr(raw, "_sock", None)
        return real_socket(sock)

    def readers(self, response: Any) -> list[object]:
        """Some read the http.client response below it directly."""
        parts: list[Any] = [response, response._connection]
        below: Any = response._fp
        # http.client's response, its buffer, that one's raw stream, the socket.
        for name in ("fp", "raw", "_sock", ""):
            parts.append(below)
            below = getattr(below, name, None) if name else None
        parts.append(getattr(response._connection, "sock", None))
        return [part for part in parts if part is not None]

    def close(self, response: Any, note: str) -> bool:
        shut(response, note, self._below)
        return True

    def release(self, response: Any) -> None:
        response.release_conn()

    hint = staticmethod(urllib3_hint)


def is_cut(connection: Any) -> bool:
    """Whether the program closed the socket of a connection.

    docker's ``CancellableStream.close`` does so.
    """
    # `socket.socket` and `ssl.SSLSocket` tell so; other sockets never look cut.
    sock = getattr(connection, "sock", None)
    return sock is not None and getattr(sock, "_closed", False) is True


URLLIB3: Final = Urllib3()
