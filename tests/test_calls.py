"""Whose a response is: requests' while it reads, the application's afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import requests
import urllib3
from requests.adapters import HTTPAdapter

from httpguard import LeakKind

if TYPE_CHECKING:
    from tests.conftest import GuardControl
    from tests.server import Server


class OwnSend(requests.Session):
    """A session with a `send` of its own, as libraries have."""

    def send(self, request: Any, **kwargs: Any) -> requests.Response:
        return super().send(request, **kwargs)


class OwnAdapter(HTTPAdapter):
    """An adapter that calls urllib3 itself."""

    def send(self, request: Any, *_args: Any, **_kwargs: Any) -> requests.Response:
        pool = self.poolmanager.connection_from_url(request.url)
        raw = pool.urlopen("GET", request.path_url, preload_content=False)
        return self.build_response(request, raw)


def test_redirects_of_a_session_with_its_own_send(
    guard: GuardControl, server: Server
) -> None:
    guard.install()
    session = OwnSend()
    session.get(server.url("/redirect/3"))
    assert guard.check().counters["opened"] == 0
    session.get(server.url("/redirect/3"), stream=True)
    state = guard.check()
    assert (state.counters["opened"], state.counters["dropped"]) == (1, 1)
    assert state.leaks[0].url == server.url("/bytes/90000")


def test_an_adapter_that_calls_urllib3_itself(
    guard: GuardControl, server: Server
) -> None:
    guard.install(strict=True, max_open=1)
    session = requests.Session()
    session.mount("http://", OwnAdapter())
    assert len(session.get(server.url("/bytes/90000")).content) == 90000
    assert guard.check().counters["opened"] == 0
    kept = session.get(server.url("/bytes/90000"), stream=True)
    assert len(session.get(server.url("/bytes/90000")).content) == 90000
    assert guard.check().open[0].client == "requests"
    kept.close()


def test_a_hook_that_calls_urllib3(guard: GuardControl, server: Server) -> None:
    guard.install()
    kept = []

    def hook(_response: requests.Response, *_args: Any, **_options: Any) -> None:
        pool = urllib3.PoolManager()
        url = server.url("/bytes/90000")
        kept.append(pool.request("GET", url, preload_content=False))

    requests.get(server.url("/bytes/10"), hooks={"response": hook})
    (opened,) = guard.check().open
    assert (opened.client, opened.site.function) == ("urllib3", "hook")
    kept[0].release_conn()


def test_an_adapter_without_a_session(guard: GuardControl, server: Server) -> None:
    guard.install()
    url = server.url("/bytes/90000")
    request = requests.Request("GET", url).prepare()
    HTTPAdapter().send(request)
    (leak,) = guard.check().leaks
    assert (leak.kind, leak.client, leak.url) == (LeakKind.DROPPED, "requests", url)
    assert leak.site.function == "test_an_adapter_without_a_session"


def test_a_call_that_fails_to_read_has_handed_nothing_out(
    guard: GuardControl, server: Server
) -> None:
    guard.install()
    with pytest.raises(requests.exceptions.ContentDecodingError):
        requests.get(server.url("/bad-gzip"))
    assert guard.check().counters["opened"] == 0
