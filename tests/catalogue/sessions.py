"""Sessions: made again and again, and closed by nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import requests
import urllib3

from ._case import innocent, leaks

if TYPE_CHECKING:
    from tests.server import Address

_JUDGED: Final[dict[str, Any]] = {"max_sessions": 20}


@leaks("session", count=3, settings=_JUDGED)
def session_for_each_call(server: Address) -> None:
    """A new session for each call: no connection is ever used twice."""

    def fetch() -> bytes:
        session = requests.Session()  # LEAK
        return session.get(server.url("/lines")).content

    assert all(fetch() for _ in range(3))


@innocent(twin_of=session_for_each_call, settings=_JUDGED)
def session_for_all_calls(server: Address) -> None:
    """One session for all of them, closed at the end."""
    with requests.Session() as session:
        for _ in range(3):
            assert session.get(server.url("/lines")).content


@innocent(twin_of=session_for_each_call, settings=_JUDGED)
def sessions_of_requests_itself(server: Address) -> None:
    """``requests.get`` makes one for each call too, and closes it."""
    for _ in range(3):
        assert requests.get(server.url("/lines")).content


@innocent(twin_of=session_for_each_call, settings=_JUDGED, idle=0.5)
def session_kept_for_good(server: Address) -> object:
    """A client object that lives as long as the program."""
    session = requests.Session()
    assert session.get(server.url("/lines")).content
    return session


@leaks("session", client="urllib3", settings=_JUDGED)
def manager_dropped(server: Address) -> None:
    """A pool manager, used once."""
    manager = urllib3.PoolManager()  # LEAK
    assert manager.request("GET", server.url("/lines")).data


@innocent(twin_of=manager_dropped, settings=_JUDGED)
def manager_with_block(server: Address) -> None:
    """Its with block clears it."""
    with urllib3.PoolManager() as manager:
        assert manager.request("GET", server.url("/lines")).data


@innocent(twin_of=manager_dropped, settings=_JUDGED)
def manager_never_used(server: Address) -> None:
    """Nothing was opened, nothing is left."""
    urllib3.PoolManager()


@leaks("session", count=5, settings=_JUDGED)
def too_many_at_once(server: Address) -> object:
    """A session for each user, and all of them kept."""

    def login() -> requests.Session:
        session = requests.Session()  # LEAK
        assert session.get(server.url("/lines")).content
        return session

    return [login() for _ in range(25)]


@innocent(twin_of=too_many_at_once, settings=_JUDGED)
def many_after_each_other(server: Address) -> object:
    """As many, each closed when done with, and kept."""

    def login() -> requests.Session:
        with requests.Session() as session:
            assert session.get(server.url("/lines")).content
            return session

    return [login() for _ in range(25)]


@leaks("session", needs=("grequests",), settings=_JUDGED, subprocess=True)
def grequests_session_each(server: Address) -> None:
    """grequests makes a session for each request: 25 of them at once."""
    import grequests

    urls = [server.url("/lines")] * 25
    calls = [grequests.get(url) for url in urls]  # LEAK
    assert all(response.ok for response in grequests.map(calls))


@innocent(
    twin_of=grequests_session_each,
    needs=("grequests",),
    settings=_JUDGED,
    subprocess=True,
)
def grequests_session_shared(server: Address) -> None:
    """One session for all of them."""
    import grequests

    urls = [server.url("/lines")] * 25
    with requests.Session() as session:
        calls = [grequests.get(url, session=session) for url in urls]
        assert all(response.ok for response in grequests.map(calls))
