"""An in-memory transport: all of urllib3 and http.client, and no socket.

Only the socket is fake, so that the CPU time of a request is the time of Python
code, and the few microseconds an instrumentation adds are not lost in the
kernel's.
"""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, Any, Final, cast

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool

if TYPE_CHECKING:
    import socket

HOST: Final = "memory.test"
_BODY: Final = b"x" * 512
ANSWER: Final = (
    b"HTTP/1.1 200 OK\r\n"
    b"Server: canned\r\n"
    b"Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
    b"Content-Type: application/octet-stream\r\n"
    b"Content-Length: %d\r\n"
    b"\r\n"
    b"%b"
) % (len(_BODY), _BODY)
# Its other end stays open.
_SILENT, _ = os.pipe()


class MemorySocket:
    """Answers every request with the same bytes."""

    def sendall(self, data: bytes) -> None:
        """Swallow a request."""

    def makefile(self, _mode: str) -> io.BytesIO:
        """What http.client reads its response from."""
        return io.BytesIO(ANSWER)

    def settimeout(self, _timeout: float | None) -> None:
        """Nothing ever waits here."""

    def setsockopt(self, *_option: int) -> None:
        """No kernel to tell."""

    def getpeername(self) -> tuple[str, int]:
        """OpenTelemetry asks."""
        return ("192.0.2.1", 80)

    def fileno(self) -> int:
        """Of a pipe in which nothing ever comes: urllib3 1.26 looks for it."""
        return _SILENT

    def close(self) -> None:
        """Nothing to close."""


class MemoryConnection(HTTPConnection):
    """urllib3's own connection, on a memory socket."""

    def connect(self) -> None:
        """Make the socket."""
        self.sock = cast("socket.socket", MemorySocket())

    @property
    def is_connected(self) -> bool:
        """urllib3 would ask ``poll`` about a file descriptor there is not."""
        return self.sock is not None


class MemoryPool(HTTPConnectionPool):
    """urllib3's own pool, of memory connections."""

    ConnectionCls = MemoryConnection


class MemoryAdapter(HTTPAdapter):
    """requests' own adapter, over memory pools."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Have the pool manager make memory pools."""
        super().init_poolmanager(*args, **kwargs)
        use_memory(self.poolmanager)


def use_memory(manager: urllib3.PoolManager) -> None:
    """Have a pool manager make memory pools.

    Args:
        manager: Any that has no pools yet.
    """
    manager.pool_classes_by_scheme = {"http": MemoryPool}


def memory_manager(maxsize: int = 10, *, block: bool = False) -> urllib3.PoolManager:
    """A pool manager without a network.

    Args:
        maxsize: Connections each pool keeps.
        block: Whether they make requests wait.
    """
    manager = urllib3.PoolManager(maxsize=maxsize, block=block)
    use_memory(manager)
    return manager


def memory_session(*, block: bool = False) -> requests.Session:
    """A session without a network; its pools may make requests wait."""
    session = requests.Session()
    session.trust_env = False  # Proxy settings of the machine are no part of this.
    session.mount("http://", MemoryAdapter(pool_block=block))
    return session
