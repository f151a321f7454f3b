"""Each client with a pool of one connection, driven alike."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import warnings
    from collections.abc import Sequence

    from tests.server import Address

# Seconds. What is there comes at once, however long one would wait for it.
PATIENCE = 10.0
FOR_A_SLOT = 0.1
HALF = 1000


class NoSlot(Exception):  # noqa: N818 (as urllib3's and httpx's own)
    """The client has no connection left to give."""


class Driver:
    """One client that lives until `shut`; a response is handed out unread."""

    keeps_connections = True
    follows_redirects = True

    def __init__(self, library: Any, server: Address) -> None:
        self.library = library
        self.server = server
        self.heard = ""  # Whether a read in vain has raised.
        self.warned: Sequence[warnings.WarningMessage] = ()
        self.client: Any = self.make()

    def make(self) -> Any:
        raise NotImplementedError

    def open(self, path: str, method: str = "GET", patience: float = PATIENCE) -> Any:
        """The response, of whose body the client reads nothing by itself."""
        raise NotImplementedError

    def read(self, response: Any) -> None:
        """To its end."""
        response.read()

    def read_some(self, response: Any, size: int = HALF) -> None:
        """So many bytes, in one go, as a program would."""
        assert len(response.read(size)) == size

    def close(self, response: Any) -> None:
        response.close()

    def leave(self, path: str) -> None:
        """A ``with`` block that reads nothing."""
        with self.open(path):
            pass

    def give_back(self, response: Any) -> None:
        """By what the client has beside `close` to give a connection back."""
        raise NotImplementedError

    def peer(self) -> int:
        """The port from which the client sends its next request; or `NoSlot`."""
        raise NotImplementedError

    def settle(self) -> None:
        """Let what runs in the background have its turn."""

    def complaints(self) -> list[str]:
        """What was said of a response, connection or client left open."""
        return [
            str(one.message) for one in self.warned if one.category is ResourceWarning
        ]

    def done(self) -> None:
        """What the driver itself has is given back."""

    def drop(self) -> None:
        """Forget the client."""
        self.client = None

    def shut(self) -> None:
        """Close the client."""
        self.client.close()


class Urllib3(Driver):
    """`PoolManager`, bodies not preloaded."""

    def make(self) -> Any:
        return self.library.PoolManager(
            maxsize=1, block=True, retries=self.library.Retry(3, read=0)
        )

    def open(self, path: str, method: str = "GET", patience: float = PATIENCE) -> Any:
        return self.client.request(
            method,
            self.server.url(path),
            preload_content=False,
            timeout=patience,
            pool_timeout=FOR_A_SLOT,
        )

    def give_back(self, response: Any) -> None:
        response.release_conn()

    def peer(self) -> int:
        try:
            response = self.open("/peer")
        except self.library.exceptions.EmptyPoolError as error:
            raise NoSlot from error
        return int(response.data)

    def shut(self) -> None:
        self.client.clear()


class Requests(Driver):
    """A `Session` whose adapter's pool blocks, with ``stream=True``."""

    def make(self) -> Any:
        session = self.library.Session()
        self.adapter = self.library.adapters.HTTPAdapter(
            pool_maxsize=1, pool_block=True
        )
        session.mount("http://", self.adapter)
        return session

    def open(self, path: str, method: str = "GET", patience: float = PATIENCE) -> Any:
        return self.client.request(
            method,
            self.server.url(path),
            stream=True,
            timeout=patience,
            allow_redirects=True,
        )

    def read(self, response: Any) -> None:
        assert response.content is not None

    def read_some(self, response: Any, size: int = HALF) -> None:
        for chunk in response.iter_content(size):
            size -= len(chunk)
            if not size:
                break

    def peer(self) -> int:
        # requests has no timeout for the wait for its pool.
        pools = self.adapter.poolmanager.pools
        if not pools.keys():
            return int(self.open("/peer").content)
        (key,) = pools.keys()
        empty = import_module("urllib3.exceptions").EmptyPoolError
        try:
            response = pools[key].urlopen("GET", "/peer", pool_timeout=FOR_A_SLOT)
        except empty as error:
            raise NoSlot from error
        return int(response.data)

    def drop(self) -> None:
        super().drop()
        del self.adapter


class Httpx(Driver):
    """`Client`, with ``stream=True``."""

    def make(self) -> Any:
        return self.library.Client(**self.limits())

    def limits(self) -> dict[str, Any]:
        return {
            "limits": self.library.Limits(max_connections=1),
            "timeout": self.library.Timeout(PATIENCE, pool=FOR_A_SLOT),
            "follow_redirects": True,
            "verify": False,
        }

    def open(self, path: str, method: str = "GET", patience: float = PATIENCE) -> Any:
        return self.client.send(self.request(path, method, patience), stream=True)

    def request(self, path: str, method: str, patience: float) -> Any:
        timeout = self.library.Timeout(patience, pool=FOR_A_SLOT)
        return self.client.build_request(method, self.server.url(path), timeout=timeout)

    def read_some(self, response: Any, size: int = HALF) -> None:
        for chunk in response.iter_bytes(size):
            size -= len(chunk)
            if not size:
                break

    def leave(self, path: str) -> None:
        with self.client.stream("GET", self.server.url(path)):
            pass

    def peer(self) -> int:
        try:
            return int(self.client.get(self.server.url("/peer")).content)
        except self.library.PoolTimeout as error:
            raise NoSlot from error


class HttpClient(Driver):
    """`HTTPConnection`: a pool of one, that is itself."""

    follows_redirects = False

    def make(self) -> Any:
        return self.library.HTTPConnection(
            self.server.host, self.server.port, timeout=PATIENCE
        )

    def open(self, path: str, method: str = "GET", patience: float = PATIENCE) -> Any:
        self.client.timeout = patience
        self.client.request(method, path)
        self.client.sock.settimeout(patience)
        return self.client.getresponse()

    def peer(self) -> int:
        try:
            return int(self.open("/peer").read())
        except (http.client.ResponseNotReady, http.client.CannotSendRequest) as error:
            raise NoSlot from error


class Urlopen(Driver):
    """`urllib.request.urlopen`, which has neither client nor pool."""

    keeps_connections = False

    def make(self) -> Any:
        return self.library.build_opener()

    def open(self, path: str, method: str = "GET", patience: float = PATIENCE) -> Any:
        request = urllib.request.Request(self.server.url(path), method=method)
        try:
            return self.client.open(request, timeout=patience)
        except urllib.error.HTTPError as error:
            return error

    def peer(self) -> int:
        with self.open("/peer") as response:
            return int(response.read())
