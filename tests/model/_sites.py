"""The clients of a random program, and the lines with which it opens responses."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

if TYPE_CHECKING:
    from tests.server import Address

# Seconds: nothing hangs for long, whatever a program has done to a connection.
_TIMEOUT: Final = 5
_NARROW: Final = 2


def _retry(*, raising: bool) -> Retry:
    """Ask once more after a 503."""
    return Retry(1, status_forcelist=[503], raise_on_status=raising, backoff_factor=0)


class Clients:
    """One of each kind; a program can replace each by a new one.

    Args:
        server: Where they connect to.
    """

    def __init__(self, server: Address) -> None:
        """Connect nowhere yet."""
        self.server = server
        for name in _MAKERS:
            self.renew(name)

    def __getattr__(self, name: str) -> Any:
        """They are set by `renew`."""
        raise AttributeError(name)

    def url(self, path: str) -> str:
        """The absolute URL of a path."""
        return self.server.url(path)

    def renew(self, name: str) -> None:
        """Forget a client, and put a new one in its place."""
        setattr(self, name, _MAKERS[name](self.server))

    def close(self, name: str) -> None:
        """Close a client's idle connections."""
        client: Any = getattr(self, name)
        client.clear() if name == "manager" else client.close()

    def is_full(self, name: str) -> bool:
        """Whether a blocking pool has no slot to give."""
        if name not in _BLOCKING:
            return False
        client: Any = getattr(self, name)
        if not isinstance(client, requests.Session):
            return bool(client.pool.qsize() == 0)
        manager: Any = client.adapters["http://"]
        pools = manager.poolmanager.pools
        return any(pools[key].pool.qsize() == 0 for key in pools.keys())  # noqa: SIM118

    def prepared(self, method: str, path: str) -> requests.PreparedRequest:
        """What ``send`` takes."""
        return requests.Request(method, self.url(path)).prepare()


def _session(adapter: HTTPAdapter | None = None) -> requests.Session:
    """A session, all of whose connections go by one adapter."""
    session = requests.Session()
    session.mount("http://", adapter or HTTPAdapter())
    return session


def _pool(server: Address, **options: Any) -> urllib3.HTTPConnectionPool:
    """A pool of the server."""
    return urllib3.HTTPConnectionPool(server.host, server.port, **options)


_MAKERS: Final[dict[str, Callable[[Address], object]]] = {
    "session": lambda _: _session(),
    "bounded": lambda _: _session(HTTPAdapter(pool_maxsize=3, pool_block=True)),
    "retrying": lambda _: _session(HTTPAdapter(max_retries=_retry(raising=False))),
    "adapter": lambda _: HTTPAdapter(),
    "pool": lambda server: _pool(server, maxsize=3),
    "narrow": lambda server: _pool(server, maxsize=_NARROW, block=True),
    "manager": lambda _: urllib3.PoolManager(maxsize=2),
}
_BLOCKING: Final = frozenset({"bounded", "narrow"})
CLIENTS: Final = tuple(_MAKERS)

Opener = Callable[[Clients, str, str], Any]


@dataclass(frozen=True, eq=False)
class Site:
    """One line that opens responses.

    Args:
        opener: The function it is in.
        place: The client it asks.
        library: `Leak.client` of what it opens.
    """

    opener: Opener
    place: str
    library: str

    @property
    def name(self) -> str:
        """The function's."""
        return self.opener.__name__

    @property
    def hops(self) -> bool:
        """Whether each redirect is a response handed out by a pool."""
        return self.place == "manager"

    @property
    def follows(self) -> bool:
        """Whether redirects are followed at all."""
        return self.place != "adapter"

    @property
    def keeps_frames(self) -> bool:
        """Whether a response can be in a cycle of its library's making.

        Where urllib3 met a broken connection and tried again, the response refers
        to that error, by its traceback to the frames of the call, and by the
        variables of those of requests and `PoolManager` to itself.
        """
        return self.place not in {"pool", "narrow"}

    @property
    def line(self) -> int:
        """The one that says so in a comment."""
        source, first = inspect.getsourcelines(self.opener)
        return first + next(i for i, text in enumerate(source) if "# OPENS" in text)

    @property
    def filename(self) -> str:
        """This file."""
        return self.opener.__code__.co_filename


SITES: Final[dict[str, Site]] = {}


def _opens(place: str, library: str) -> Callable[[Opener], Opener]:
    """Put a site into the list."""

    def register(opener: Opener) -> Opener:
        SITES[opener.__name__] = Site(opener, place, library)
        return opener

    return register


# Of requests, streamed.


@_opens("session", "requests")
def session_request(on: Clients, method: str, path: str) -> Any:
    url = on.url(path)
    return on.session.request(method, url, stream=True, timeout=_TIMEOUT)  # OPENS


@_opens("session", "requests")
def session_send(on: Clients, method: str, path: str) -> Any:
    request = on.prepared(method, path)
    return on.session.send(request, stream=True, timeout=_TIMEOUT)  # OPENS


@_opens("bounded", "requests")
def bounded_request(on: Clients, method: str, path: str) -> Any:
    url = on.url(path)
    return on.bounded.request(method, url, stream=True, timeout=_TIMEOUT)  # OPENS


@_opens("retrying", "requests")
def retrying_request(on: Clients, method: str, path: str) -> Any:
    url = on.url(path)
    return on.retrying.request(method, url, stream=True, timeout=_TIMEOUT)  # OPENS


@_opens("adapter", "requests")
def adapter_send(on: Clients, method: str, path: str) -> Any:
    request = on.prepared(method, path)
    return on.adapter.send(request, timeout=_TIMEOUT)  # OPENS


# Of urllib3, streamed.


@_opens("pool", "urllib3")
def pool_request(on: Clients, method: str, path: str) -> Any:
    options: Any = {"preload_content": False, "timeout": _TIMEOUT}
    return on.pool.request(method, path, **options)  # OPENS


@_opens("pool", "urllib3")
def pool_urlopen(on: Clients, method: str, path: str) -> Any:
    options: Any = {"preload_content": False, "timeout": _TIMEOUT}
    return on.pool.urlopen(method=method, url=path, **options)  # OPENS


@_opens("narrow", "urllib3")
def narrow_request(on: Clients, method: str, path: str) -> Any:
    options: Any = {"preload_content": False, "timeout": _TIMEOUT, "pool_timeout": 0.01}
    return on.narrow.request(method, path, **options)  # OPENS


@_opens("narrow", "urllib3")
def narrow_urlopen(on: Clients, method: str, path: str) -> Any:
    options: Any = {"preload_content": False, "timeout": _TIMEOUT, "pool_timeout": 0.01}
    options["retries"] = _retry(raising=True)
    return on.narrow.urlopen(method, path, **options)  # OPENS


@_opens("manager", "urllib3")
def manager_request(on: Clients, method: str, path: str) -> Any:
    options: Any = {"preload_content": False, "timeout": _TIMEOUT}
    return on.manager.request(method, on.url(path), **options)  # OPENS


# Read before they are handed out.


@_opens("session", "requests")
def session_read(on: Clients, method: str, path: str) -> Any:
    return on.session.request(method, on.url(path), timeout=_TIMEOUT)  # OPENS


@_opens("bounded", "requests")
def bounded_read(on: Clients, method: str, path: str) -> Any:
    return on.bounded.request(method, on.url(path), timeout=_TIMEOUT)  # OPENS


@_opens("narrow", "urllib3")
def narrow_read(on: Clients, method: str, path: str) -> Any:
    options: Any = {"timeout": _TIMEOUT, "pool_timeout": 0.01}
    return on.narrow.request(method, path, **options)  # OPENS


READING: Final = [name for name in SITES if name.endswith("_read")]
STREAMING: Final = [name for name in SITES if name not in READING]
