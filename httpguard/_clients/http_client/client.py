"""http.client as the engine sees it: questions by its private parts, and hints."""

from __future__ import annotations

from functools import partial
from socket import SocketIO
from typing import TYPE_CHECKING, Any, Final

from ..._leases.client import Client, Ending
from ..._leases.wire import number_of, real_socket
from ..gate import GATE
from ..hints import http_client_hint, urllib_request_hint
from ..patching import MODULES
from ..shut import Shut

if TYPE_CHECKING:
    import socket
    from types import FrameType

LENGTH: Final = "_httpguard_length"
"""On a response that has a lease: the bytes that were announced, None where unknown."""


class HttpClient(Client):
    name = "http.client"

    def state(self, response: Any) -> Ending:
        """Closing it gives back all that it has."""
        if response.__dict__.get("fp") is None or is_read(response):
            return Ending.RELEASED
        sock = self.socket(response)
        # Not `_closed`: urllib.request closes the socket, and the file below a response
        # keeps it.
        if sock is not None:
            return Ending.CUT if number_of(sock) < 0 else Ending.OPEN
        raw = _raw(response)  # Of which the program may have closed the file.
        is_cut = type(raw) is SocketIO and raw.__dict__["_sock"] is None
        return Ending.CUT if is_cut else Ending.OPEN

    def bytes_read(self, response: Any) -> int:
        """What has no length is counted by `Gate.read`.

        Of a chunked body the chunk that is read now was counted there, whole.
        """
        if response.chunked:
            return -(response.chunk_left or 0)
        announced, left = response.__dict__.get(LENGTH), response.length
        return 0 if announced is None or left is None else announced - left

    def socket(self, response: Any) -> socket.socket | None:
        try:
            return real_socket(response.__dict__["fp"].raw._sock)
        except (AttributeError, KeyError, ValueError):  # As in `_raw`.
            return None

    def readers(self, response: Any) -> list[object]:
        raw = _raw(response)
        parts = (response, response.fp, raw, getattr(raw, "_sock", None))
        return [part for part in parts if part is not None]

    def close(self, response: Any, note: str) -> bool:
        left = response.length
        response.close()
        connection = _waiting_for(response)
        if connection is not None:
            connection.close()
        kind = MODULES["http.client"].IncompleteRead
        response.fp = Shut(partial(kind, b"", left), note)
        return True

    hint = staticmethod(http_client_hint)


class UrllibRequest(HttpClient):
    """urllib.request, whose responses are http.client's. Patched with that one."""

    name = "urllib.request"

    hint = staticmethod(urllib_request_hint)


HTTP_CLIENT: Final = HttpClient()
URLLIB_REQUEST: Final = UrllibRequest()


def is_read(response: Any) -> bool:
    """Whether all of a body that had one was read.

    CPython 3.10 to 3.12.1 do not close it where that was done by lines or `read1`,
    3.13.0 does.
    """
    return response.length == 0 and bool(response.__dict__.get(LENGTH))


def is_urllib(frame: FrameType) -> bool:
    """Whether urllib.request does it, for a request of its own."""
    return frame.f_globals.get("__name__") == "urllib.request"


def _waiting_for(response: Any) -> Any:
    """The connection that is kept, and has the rest of a body on it; None: none."""
    for pool in list(GATE.registry.pools.known.values()):
        space = getattr(pool(), "__dict__", {})
        if space.get("_HTTPConnection__response") is response:
            return pool()
    return None


def _raw(response: Any) -> Any:
    """The raw file of the socket below a response; None: there is none."""
    try:
        return response.__dict__["fp"].raw
    except (AttributeError, KeyError, ValueError):  # Another file, or a detached one.
        return None
