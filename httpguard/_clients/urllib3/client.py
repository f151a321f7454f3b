"""urllib3 as the engine sees it: questions by its private parts, and hints."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

from ..._leases.client import Ending
from ..._leases.wire import real_socket
from ..hints import urllib3_hint
from ..patching import LeftAloneError
from .closing import shut

if TYPE_CHECKING:
    import socket

    from ..._leases.client import Adopters, Leases, Patcher, Reference
    from ..._leases.facts import Facts
    from .callers import Codes


class Urllib3:
    """urllib3 1.26 and 2.x, or a copy of it. Implements `Client`.

    Args:
        name: Of the package.
    """

    is_async = False
    # By which its wrappers know who calls.
    codes: Codes

    def __init__(self, name: str = "urllib3") -> None:
        self.name = name
        # Where imports are lazy, the one is half imported as the other is there.
        self.imports: tuple[str, ...] = (
            f"{name}.connectionpool",
            f"{name}.poolmanager",
        )
        self.packages: tuple[str, ...] = (name,)

    def patch(self, patcher: Patcher, leases: Leases) -> None:  # noqa: ARG002
        """See `Client`."""
        from . import managers, parts, pools, responses

        if not is_itself(self.imports[0]):
            return  # Another name of one that is guarded.
        managers_module = sys.modules.get(self.imports[1])
        if managers_module and not hasattr(managers_module, "PoolManager"):
            return  # We are called again.
        unknown = parts.unknown_part(self.name)
        if unknown:
            # requests on top of it is left alone too.
            raise LeftAloneError(unknown)
        responses.patch(patcher, self.codes)
        pools.patch(patcher, self.name)
        managers.patch(patcher, self.codes)

    def adopters(self) -> Adopters:
        """See `Client`."""
        from .adopting import adopters

        return adopters(self)

    def state(self, response: Any) -> Ending:
        """See `Client`."""
        connection = response._connection
        if connection is None:
            return Ending.RELEASED
        if is_cut(connection):
            return Ending.CUT
        return Ending.CLOSED if response.closed else Ending.OPEN

    def bytes_read(self, response: Any) -> int:
        """See `Client`. Not what is read by `stream` or by iteration: see `Leases`."""
        count: int = response._fp_bytes_read
        return count

    def socket(self, response: Any) -> socket.socket | None:
        """See `Client`. The connection may have handed it over."""
        sock = getattr(response._connection, "sock", None)
        if sock is None:
            raw = getattr(getattr(response._fp, "fp", None), "raw", None)
            sock = getattr(raw, "_sock", None)
        return real_socket(sock)

    def readers(self, response: Any) -> list[object]:
        """See `Client`. Some read the http.client response below it directly."""
        parts: list[Any] = [response, response._connection]
        below: Any = response._fp
        # http.client's response, its buffer, that one's raw stream, the socket.
        for name in ("fp", "raw", "_sock", ""):
            parts.append(below)
            below = getattr(below, name, None) if name else None
        parts.append(getattr(response._connection, "sock", None))
        return [part for part in parts if part is not None]

    def is_awaited(self, response: Any) -> bool | None:  # noqa: ARG002  # Of threads.
        """See `Client`."""
        return False

    def is_forgotten(self, reference: Reference) -> bool:  # noqa: ARG002
        """See `Client`. A forgotten one is collected."""
        return False

    def close(self, response: Any, note: str) -> bool:
        """See `Client`."""
        shut(response, note, self.codes.urllib3.name)
        return True

    def release(self, response: Any) -> None:
        """See `Client`."""
        response.release_conn()

    def hint(self, facts: Facts) -> str:
        """See `Client`."""
        return urllib3_hint(facts)


def is_itself(module: str) -> bool:
    """Whether a module that was imported bears its own name."""
    return getattr(sys.modules.get(module), "__name__", None) == module


def is_cut(connection: Any) -> bool:
    """Whether the program closed the socket of a connection.

    docker's ``CancellableStream.close`` does so.
    """
    # `socket.socket` and `ssl.SSLSocket` tell so; other sockets never look cut.
    sock = getattr(connection, "sock", None)
    return sock is not None and getattr(sock, "_closed", False) is True


URLLIB3: Final = Urllib3()
