"""CacheControl and requests-cache: what is cached holds no connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

import requests
from cachecontrol import CacheControl
from requests_cache import CachedSession

from ._case import innocent, leaks

if TYPE_CHECKING:
    from tests.server import Address


@leaks()
def cachecontrol_miss(server: Address) -> None:
    """Not in the cache yet: a real response."""
    session = CacheControl(requests.Session())
    session.get(server.url("/cacheable"), stream=True)  # LEAK


@innocent(twin_of=cachecontrol_miss)
def cachecontrol_hit(server: Address) -> object:
    """From the cache: no connection, read or not."""
    session = CacheControl(requests.Session())
    assert session.get(server.url("/cacheable")).content
    session.get(server.url("/cacheable"), stream=True)
    return session.get(server.url("/cacheable"), stream=True)


@innocent(twin_of=cachecontrol_miss)
def cachecontrol_miss_read(server: Address) -> object:
    """Read through the file object that fills the cache."""
    session = CacheControl(requests.Session())
    response = session.get(server.url("/cacheable"), stream=True)
    assert sum(map(len, response.iter_content(1024))) == 90_000
    return response


@leaks()
def cachecontrol_chunked(server: Address) -> None:
    """A chunked body, wrapped for the cache."""
    session = CacheControl(requests.Session())
    session.get(server.url("/chunked/1000"), stream=True)  # LEAK


@innocent(twin_of=cachecontrol_chunked)
def cachecontrol_chunked_closed(server: Address) -> object:
    """The same, closed."""
    session = CacheControl(requests.Session())
    with session.get(server.url("/chunked/1000"), stream=True) as response:
        return response


@leaks()
def requests_cache_refuses(server: Address) -> None:
    """An answer that is not to be cached is not read either."""
    session = CachedSession(backend="memory")
    session.get(server.url("/status/404"), stream=True)  # LEAK


@innocent(twin_of=requests_cache_refuses)
def requests_cache_keeps(server: Address) -> object:
    """What it caches it has read, stream or not."""
    session = CachedSession(backend="memory")
    session.get(server.url("/lines"), stream=True)
    return session.get(server.url("/lines"), stream=True)


@leaks("held")
def requests_cache_disabled(server: Address) -> object:
    """Switched off, it is a plain session."""
    session = CachedSession(backend="memory")
    with session.cache_disabled():
        return session.get(server.url("/lines"), stream=True)  # LEAK


@innocent(twin_of=requests_cache_disabled)
def requests_cache_disabled_read(server: Address) -> object:
    """The same, read."""
    session = CachedSession(backend="memory")
    with session.cache_disabled():
        return session.get(server.url("/lines"))
