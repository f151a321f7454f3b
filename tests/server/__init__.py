"""A real local HTTP/1.1 server: threads, keep-alive, every kind of body."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

# These modules register their routes.
from . import _models, _routes, _services  # noqa: F401
from ._handler import Handler, Listener

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Address", "Server"]


@dataclass
class Address:
    """Where a server listens; all that a case in another process needs."""

    host: str
    port: int

    def url(self, path: str) -> str:
        """The absolute URL of a path."""
        return f"http://{self.host}:{self.port}{path}"


class Server(Address):
    """The server, on a free port of the loopback interface.

    Usable as a context manager. `close` ends every exchange that is still
    waiting (``/slow``).
    """

    def __init__(self) -> None:
        """Bind; `start` serves."""
        self._listener = Listener(("127.0.0.1", 0), Handler)
        host, port = self._listener.server_address[:2]
        super().__init__(str(host), int(port))
        self._thread = threading.Thread(
            target=self._listener.serve_forever, args=(0.05,), daemon=True
        )

    def start(self) -> Server:
        """Serve from a thread of its own."""
        self._thread.start()
        return self

    def close(self) -> None:
        """Stop serving."""
        self._listener.closing.set()
        self._listener.shutdown()
        self._listener.server_close()
        self._thread.join()

    def __enter__(self) -> Server:  # noqa: PYI034 (typing.Self came with 3.11)
        """Start."""
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()
