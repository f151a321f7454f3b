"""urllib3 with ``preload_content=False``, and nobody who reads or releases."""

from __future__ import annotations

import io
import json
import shutil
from typing import TYPE_CHECKING

import urllib3

from ._case import innocent, leaks

if TYPE_CHECKING:
    from tests.server import Address


@leaks(client="urllib3")
def dropped_unread(server: Address) -> None:
    """The body is never touched."""
    pool = urllib3.PoolManager()
    pool.request("GET", server.url("/bytes/90000"), preload_content=False)  # LEAK


@innocent(twin_of=dropped_unread)
def preloaded(server: Address) -> object:
    """urllib3 reads the body unless told not to."""
    return urllib3.PoolManager().request("GET", server.url("/bytes/90000"))


@innocent(twin_of=dropped_unread)
def drained(server: Address) -> object:
    """``drain_conn`` reads and throws away."""
    pool = urllib3.PoolManager()
    response = pool.request("GET", server.url("/bytes/90000"), preload_content=False)
    response.drain_conn()
    return response


@innocent(twin_of=dropped_unread)
def released(server: Address) -> object:
    """``release_conn`` gives the connection back as it is."""
    pool = urllib3.PoolManager()
    response = pool.request("GET", server.url("/bytes/90000"), preload_content=False)
    response.release_conn()
    return response


@innocent(twin_of=dropped_unread)
def closed_in_with_block(server: Address) -> object:
    """Where the pool does not block, closing is enough."""
    pool = urllib3.PoolManager()
    url = server.url("/bytes/90000")
    with pool.request("GET", url, preload_content=False) as response:
        pass
    return response


@innocent(twin_of=dropped_unread)
def data_read(server: Address) -> object:
    """``data`` reads all there is."""
    pool = urllib3.PoolManager()
    response = pool.request("GET", server.url("/bytes/90000"), preload_content=False)
    assert len(response.data) == 90_000
    return response


@innocent(twin_of=dropped_unread)
def released_at_once(server: Address) -> object:
    """``release_conn=True``: the response never has the connection."""
    pool = urllib3.PoolManager()
    return pool.request(
        "GET", server.url("/empty"), preload_content=False, release_conn=True
    )


@leaks("held", client="urllib3")
def held_unread(server: Address) -> object:
    """Kept for later, and later never comes."""
    pool = urllib3.PoolManager()
    url = server.url("/bytes/90000")
    return [pool.request("GET", url, preload_content=False)]  # LEAK


@innocent(twin_of=held_unread)
def held_and_read(server: Address) -> object:
    """Read before it is kept."""
    pool = urllib3.PoolManager()
    response = pool.request("GET", server.url("/bytes/90000"), preload_content=False)
    response.read()
    return [response]


@leaks(client="urllib3")
def connection_pool(server: Address) -> None:
    """One host's pool, by its lowest call."""
    pool = urllib3.HTTPConnectionPool(server.host, server.port)
    pool.urlopen("GET", "/bytes/90000", preload_content=False)  # LEAK


@innocent(twin_of=connection_pool)
def connection_pool_read(server: Address) -> object:
    """The same, read."""
    pool = urllib3.HTTPConnectionPool(server.host, server.port)
    response = pool.urlopen("GET", "/bytes/90000", preload_content=False)
    assert len(response.read()) == 90_000
    return response


@leaks(client="urllib3")
def stream_broken_off(server: Address) -> None:
    """``stream`` left after the first chunk of a body with a length."""
    pool = urllib3.PoolManager()
    url = server.url("/bytes/90000")
    response = pool.request("GET", url, preload_content=False)  # LEAK
    for _ in response.stream(1024):
        break


@innocent(twin_of=stream_broken_off)
def chunked_stream_broken_off(server: Address) -> None:
    """In a chunked body urllib3 closes up as its generator is collected."""
    pool = urllib3.PoolManager()
    response = pool.request("GET", server.url("/chunked/1000"), preload_content=False)
    for _ in response.stream(1024):
        break


@innocent(twin_of=stream_broken_off)
def stream_to_the_end(server: Address) -> object:
    """Every chunk is taken."""
    pool = urllib3.PoolManager()
    response = pool.request("GET", server.url("/bytes/90000"), preload_content=False)
    assert sum(map(len, response.stream(1024))) == 90_000
    return response


@leaks(client="urllib3")
def iteration_broken_off(server: Address) -> None:
    """A response can be iterated by lines."""
    pool = urllib3.PoolManager()
    url = server.url("/lines")
    response = pool.request("GET", url, preload_content=False)  # LEAK
    for _ in response:
        break


@innocent(twin_of=iteration_broken_off)
def iteration_to_the_end(server: Address) -> None:
    """Every line is taken."""
    pool = urllib3.PoolManager()
    response = pool.request("GET", server.url("/lines"), preload_content=False)
    assert sum(1 for _ in response) == 1000


@leaks(client="urllib3")
def read_partly(server: Address) -> None:
    """The first bytes were enough."""
    pool = urllib3.PoolManager()
    url = server.url("/bytes/90000")
    response = pool.request("GET", url, preload_content=False)  # LEAK
    response.read(100)


@innocent(twin_of=read_partly)
def read_in_parts(server: Address) -> object:
    """Reads go on until they bring nothing."""
    pool = urllib3.PoolManager()
    response = pool.request("GET", server.url("/bytes/90000"), preload_content=False)
    while response.read(20_000):
        pass
    return response


@leaks(client="urllib3")
def readinto_partly(server: Address) -> None:
    """One buffer full."""
    pool = urllib3.PoolManager()
    url = server.url("/bytes/90000")
    response = pool.request("GET", url, preload_content=False)  # LEAK
    response.readinto(bytearray(1024))


@innocent(twin_of=readinto_partly)
def copied(server: Address) -> object:
    """``shutil`` copies the whole body."""
    pool = urllib3.PoolManager()
    response = pool.request("GET", server.url("/bytes/90000"), preload_content=False)
    shutil.copyfileobj(response, io.BytesIO())
    return response


@leaks(client="urllib3")
def status_checked(server: Address) -> None:
    """A health check that looks at the status alone."""
    pool = urllib3.PoolManager()
    url = server.url("/status/500")
    response = pool.request("GET", url, preload_content=False)  # LEAK
    assert response.status == 500


@innocent(twin_of=status_checked)
def json_loaded(server: Address) -> object:
    """``json.load`` reads to the end."""
    pool = urllib3.PoolManager()
    response = pool.request("GET", server.url("/pages/1"), preload_content=False)
    assert json.load(response)["items"]
    return response


@leaks(client="urllib3")
def head_unread(server: Address) -> None:
    """No body, yet the connection waits to be given back."""
    pool = urllib3.PoolManager()
    pool.request("HEAD", server.url("/bytes/90000"), preload_content=False)  # LEAK


@innocent(twin_of=head_unread)
def head(server: Address) -> object:
    """A plain HEAD."""
    return urllib3.PoolManager().request("HEAD", server.url("/bytes/90000"))


@leaks(client="urllib3")
def no_content_unread(server: Address) -> None:
    """204: the same."""
    pool = urllib3.PoolManager()
    pool.request("DELETE", server.url("/status/204"), preload_content=False)  # LEAK


@innocent(twin_of=no_content_unread)
def no_content(server: Address) -> object:
    """A plain 204."""
    return urllib3.PoolManager().request("DELETE", server.url("/status/204"))


@leaks(client="urllib3")
def empty_unread(server: Address) -> None:
    """Content-Length 0: the same."""
    pool = urllib3.PoolManager()
    pool.request("GET", server.url("/empty"), preload_content=False)  # LEAK


@innocent(twin_of=empty_unread)
def empty_read(server: Address) -> object:
    """Reading nothing gives the connection back."""
    pool = urllib3.PoolManager()
    response = pool.request("GET", server.url("/empty"), preload_content=False)
    assert response.read() == b""
    return response


@leaks(client="urllib3")
def through_a_proxy(server: Address) -> None:
    """A proxy's pool is a pool."""
    pool = urllib3.ProxyManager(server.url("/"))
    url = "http://service.invalid/bytes/90000"
    pool.request("GET", url, preload_content=False)  # LEAK


@innocent(twin_of=through_a_proxy)
def through_a_proxy_read(server: Address) -> object:
    """The same, read."""
    pool = urllib3.ProxyManager(server.url("/"))
    url = "http://service.invalid/bytes/90000"
    response = pool.request("GET", url, preload_content=False)
    response.read()
    return response


@leaks("held", client="urllib3")
def pool_cleared_before_response(server: Address) -> object:
    """Clearing the manager closes the idle connections, not the busy ones."""
    with urllib3.PoolManager() as pool:
        url = server.url("/bytes/90000")
        return pool.request("GET", url, preload_content=False)  # LEAK


@innocent(twin_of=pool_cleared_before_response)
def read_after_pool_cleared(server: Address) -> object:
    """A response can still be read when its pool is closed."""
    with urllib3.PoolManager() as pool:
        url = server.url("/bytes/90000")
        response = pool.request("GET", url, preload_content=False)
    assert len(response.read()) == 90_000
    return response
