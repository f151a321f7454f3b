"""The four kinds of request that are measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import requests
import urllib3

from ._transport import HOST, memory_manager, memory_session

Call = Callable[[], object]
KINDS: Final = ("urllib3", "urllib3 stream", "requests", "requests stream")


@dataclass(frozen=True, slots=True)
class Client:
    """A pool manager and a session, and where they go.

    Args:
        url: What is asked for.
        manager: urllib3's side.
        session: requests' side.
    """

    url: str
    manager: urllib3.PoolManager
    session: requests.Session

    def calls(self) -> dict[str, Call]:
        """What one request of each kind is."""
        own = (self._urllib3, self._urllib3_stream, self._requests, self._stream)
        return dict(zip(KINDS, own, strict=True))

    def _urllib3(self) -> None:
        """Read inside urllib3."""
        self.manager.request("GET", self.url)

    def _urllib3_stream(self) -> None:
        """Read by the application, and given back by hand."""
        response = self.manager.request("GET", self.url, preload_content=False)
        response.read()
        response.release_conn()

    def _requests(self) -> None:
        """Read inside requests."""
        self.session.get(self.url)

    def _stream(self) -> None:
        """Read to the end by the application."""
        for _ in self.session.get(self.url, stream=True).iter_content(8192):
            pass


def memory_client(maxsize: int = 10, *, block: bool = False) -> Client:
    """A client without a network.

    Args:
        maxsize: Connections each urllib3 pool keeps.
        block: Whether pools make requests wait.
    """
    return Client(
        f"http://{HOST}/item",
        memory_manager(maxsize, block=block),
        memory_session(block=block),
    )


def network_client(url: str, threads: int = 1) -> Client:
    """A client of a real server.

    Args:
        url: What to ask for.
        threads: How many will use it at once.
    """
    size = max(threads, 10)
    session = requests.Session()
    session.trust_env = False  # Proxy settings of the machine are no part of this.
    session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=size))
    return Client(url, urllib3.PoolManager(maxsize=size), session)
