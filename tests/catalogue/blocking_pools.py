"""Pools with ``block=True``: a slot that is never given back is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import requests
import urllib3
from requests.adapters import HTTPAdapter

from ._case import innocent, leaks

if TYPE_CHECKING:
    from tests.server import Address


def _pool(server: Address, maxsize: int = 2) -> urllib3.HTTPConnectionPool:
    """A pool in which a third request would wait, for a second at most."""
    return urllib3.HTTPConnectionPool(
        server.host, server.port, maxsize=maxsize, block=True
    )


def _blocking_session() -> requests.Session:
    """A session whose pools block."""
    session = requests.Session()
    session.mount("http://", HTTPAdapter(pool_maxsize=2, pool_block=True))
    return session


@leaks("unreleased", client="urllib3")
def with_block(server: Address) -> None:
    """A with block closes and does not release."""
    pool = _pool(server)
    with pool.request("GET", "/bytes/90000", preload_content=False):  # LEAK
        pass


@innocent(twin_of=with_block)
def with_block_and_read(server: Address) -> object:
    """Reading to the end releases; the close comes too late to matter."""
    pool = _pool(server)
    with pool.request("GET", "/bytes/90000", preload_content=False) as response:
        response.read()
    return response


@innocent(twin_of=with_block)
def with_block_and_drain(server: Address) -> object:
    """``drain_conn`` releases."""
    pool = _pool(server)
    with pool.request("GET", "/bytes/90000", preload_content=False) as response:
        response.drain_conn()
    return response


@innocent(twin_of=with_block)
def with_block_in_plain_pool(server: Address) -> object:
    """Where the pool does not block, nothing is lost."""
    pool = urllib3.HTTPConnectionPool(server.host, server.port, maxsize=2)
    with pool.request("GET", "/bytes/90000", preload_content=False) as response:
        pass
    return response


@leaks("unreleased", client="urllib3")
def closed_only(server: Address) -> None:
    """``close`` alone, as with a file."""
    response = _pool(server).urlopen("GET", "/lines", preload_content=False)  # LEAK
    response.read(100)
    response.close()


@innocent(twin_of=closed_only)
def closed_then_released(server: Address) -> object:
    """The honest pair: thrown away, and its slot given back."""
    response = _pool(server).urlopen("GET", "/lines", preload_content=False)
    response.read(100)
    response.close()
    response.release_conn()
    return response


@innocent(twin_of=closed_only)
def released_then_closed(server: Address) -> object:
    """The other way round."""
    response = _pool(server).urlopen("GET", "/lines", preload_content=False)
    response.release_conn()
    response.close()
    return response


@leaks("unreleased", count=2, client="urllib3")
def pool_emptied(server: Address) -> None:
    """Two are enough: the third request would hang."""
    pool = _pool(server)
    for _ in range(2):
        with pool.request("GET", "/bytes/90000", preload_content=False):  # LEAK
            pass


@innocent(twin_of=pool_emptied)
def pool_reused(server: Address) -> None:
    """A slot that is given back serves any number of requests."""
    pool = _pool(server)
    for _ in range(5):
        response = pool.request(
            "GET", "/bytes/90000", preload_content=False, pool_timeout=5
        )
        response.release_conn()


@leaks(client="urllib3")
def dropped_unread(server: Address) -> None:
    """Dropped: connection and slot are lost."""
    _pool(server).request("GET", "/bytes/90000", preload_content=False)  # LEAK


@innocent(twin_of=dropped_unread)
def preloaded(server: Address) -> object:
    """Read inside urllib3."""
    return _pool(server).request("GET", "/bytes/90000")


@leaks("held", client="urllib3")
def held_unread(server: Address) -> object:
    """Kept open: the slot is taken as long."""
    return _pool(server).request("GET", "/lines", preload_content=False)  # LEAK


@innocent(twin_of=held_unread)
def held_released(server: Address) -> object:
    """Released before it is kept."""
    response = _pool(server).request("GET", "/lines", preload_content=False)
    response.release_conn()
    return response


@leaks("unreleased")
def raw_closed_in_session(server: Address) -> None:
    """``raw.close`` is not requests' ``close``: it does not release."""
    session = _blocking_session()
    response = session.get(server.url("/bytes/90000"), stream=True)  # LEAK
    response.raw.close()


@innocent(twin_of=raw_closed_in_session)
def closed_in_session(server: Address) -> object:
    """requests' own ``close`` releases."""
    session = _blocking_session()
    with session.get(server.url("/bytes/90000"), stream=True) as response:
        pass
    return response


@leaks()
def dropped_in_session(server: Address) -> None:
    """A blocking session loses a slot to every dropped response."""
    _blocking_session().get(server.url("/bytes/90000"), stream=True)  # LEAK


@innocent(twin_of=dropped_in_session)
def crowd_in_session(server: Address) -> None:
    """A plain session gets along with two slots."""
    session = _blocking_session()
    for _ in range(5):
        session.get(server.url("/bytes/90000"))


@leaks("unreleased", client="urllib3")
def closed_and_kept(server: Address) -> object:
    """Kept though closed: known once the clock has passed ``max_idle``."""
    response = _pool(server).request("GET", "/lines", preload_content=False)  # LEAK
    response.close()
    return response


@innocent(twin_of=closed_and_kept, idle=0.5)
def closed_a_moment_ago(server: Address) -> object:
    """Its ``release_conn`` may still come."""
    response = _pool(server).request("GET", "/lines", preload_content=False)
    response.close()
    return response


@leaks("unreleased", client="urllib3")
def read_to_the_last_byte_but_one(server: Address) -> None:
    """Nearly read, then closed."""
    pool = _pool(server)
    with pool.request("GET", "/bytes/90000", preload_content=False) as response:  # LEAK
        response.read(89_999)


@innocent(twin_of=read_to_the_last_byte_but_one)
def read_to_the_last_byte(server: Address) -> object:
    """A body with a length is at its end with its last byte."""
    pool = _pool(server)
    with pool.request("GET", "/bytes/90000", preload_content=False) as response:
        response.read(90_000)
    return response
