"""Sessions: made again and again, and closed by nobody."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import requests
import urllib3

from ._case import innocent, leaks

if TYPE_CHECKING:
    from tests.server import Address


@leaks("session", count=5)
def session_for_each_user(server: Address) -> object:
    """A session for each user, and all of them kept."""

    def login() -> requests.Session:
        session = requests.Session()  # LEAK
        assert session.get(server.url("/lines")).content
        return session

    return [login() for _ in range(25)]


@innocent(twin_of=session_for_each_user)
def session_for_each_call(server: Address) -> None:
    """No connection is ever used twice, and each goes with its session."""

    def fetch() -> bytes:
        session = requests.Session()
        return session.get(server.url("/lines")).content

    assert all(fetch() for _ in range(25))


@innocent(twin_of=session_for_each_user)
def session_for_all_calls(server: Address) -> None:
    """One session for all of them, closed at the end."""
    with requests.Session() as session:
        for _ in range(3):
            assert session.get(server.url("/lines")).content


@innocent(twin_of=session_for_each_user)
def sessions_of_requests_itself(server: Address) -> None:
    """``requests.get`` makes one for each call too, and closes it."""
    for _ in range(25):
        assert requests.get(server.url("/lines")).content


@innocent(twin_of=session_for_each_user, idle=0.5)
def session_kept_for_good(server: Address) -> object:
    """A client object that lives as long as the program."""
    session = requests.Session()
    assert session.get(server.url("/lines")).content
    return session


@leaks("session", client="urllib3", count=5)
def managers_kept(server: Address) -> object:
    """A pool manager for each user, and all of them kept."""

    def login() -> urllib3.PoolManager:
        manager = urllib3.PoolManager()  # LEAK
        assert manager.request("GET", server.url("/lines")).data
        return manager

    return [login() for _ in range(25)]


@innocent(twin_of=managers_kept)
def managers_dropped(server: Address) -> None:
    """Each used once; its connection goes with it."""
    for _ in range(25):
        manager = urllib3.PoolManager()
        assert manager.request("GET", server.url("/lines")).data


@innocent(twin_of=managers_kept)
def managers_with_block(server: Address) -> object:
    """The with block clears each."""

    def ask() -> urllib3.PoolManager:
        with urllib3.PoolManager() as manager:
            assert manager.request("GET", server.url("/lines")).data
            return manager

    return [ask() for _ in range(25)]


@innocent(twin_of=managers_kept)
def managers_never_used(server: Address) -> object:
    """Nothing was opened, nothing is left."""
    return [urllib3.PoolManager() for _ in range(25)]


@innocent(twin_of=session_for_each_user)
def session_for_each_thread(server: Address) -> object:
    """A session is not to be shared by threads: each of them has its own."""
    local = threading.local()
    ready = threading.Barrier(25)

    def ask(_: int) -> None:
        local.session = requests.Session()
        assert local.session.get(server.url("/lines")).content
        ready.wait(30)

    pool = ThreadPoolExecutor(25)
    list(pool.map(ask, range(25)))
    return pool


@innocent(twin_of=session_for_each_user)
def many_after_each_other(server: Address) -> object:
    """As many, each closed when done with, and kept."""

    def login() -> requests.Session:
        with requests.Session() as session:
            assert session.get(server.url("/lines")).content
            return session

    return [login() for _ in range(25)]


@leaks("session", count=5, needs=("grequests",), subprocess=True)
def grequests_session_each(server: Address) -> object:
    """grequests makes a session for each request, and who keeps the requests has 25."""
    import grequests

    urls = [server.url("/lines")] * 25
    calls = [grequests.get(url) for url in urls]  # LEAK
    assert all(response.ok for response in grequests.map(calls))
    return calls


@innocent(twin_of=grequests_session_each, needs=("grequests",), subprocess=True)
def grequests_session_dropped(server: Address) -> None:
    """The sessions go with the requests, and the sockets with the sessions."""
    import grequests

    urls = [server.url("/lines")] * 25
    calls = [grequests.get(url) for url in urls]
    assert all(response.ok for response in grequests.map(calls))


@innocent(
    twin_of=grequests_session_each,
    needs=("grequests",),
    subprocess=True,
)
def grequests_session_shared(server: Address) -> None:
    """One session for all of them."""
    import grequests

    urls = [server.url("/lines")] * 25
    with requests.Session() as session:
        calls = [grequests.get(url, session=session) for url in urls]
        assert all(response.ok for response in grequests.map(calls))
