"""Whose a response is: requests' while it reads, the application's afterwards."""

from __future__ import annotations

import _thread
import inspect
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from httpguard import LeakKind
from tests.program import line_of

if TYPE_CHECKING:
    from tests.conftest import GuardControl
    from tests.server import Server


class OwnSend(requests.Session):
    """A session with a `send` of its own, as libraries have."""

    def send(self, request: Any, **kwargs: Any) -> requests.Response:
        return super().send(request, **kwargs)


class Patient(HTTPAdapter):
    """An adapter that adds a timeout, as many programs have one."""

    def send(self, request: Any, *args: Any, **kwargs: Any) -> requests.Response:
        kwargs["timeout"] = 9
        return super().send(request, *args, **kwargs)


class Stubborn(HTTPAdapter):
    """An adapter that tries once more, and forgets the first response."""

    def send(self, request: Any, *args: Any, **kwargs: Any) -> requests.Response:
        super().send(request, *args, **kwargs)  # LEAK
        return super().send(request, *args, **kwargs)


class Unmoved(requests.Session):
    """A session that follows no redirect, and gives it to its caller."""

    def get_redirect_target(self, _resp: Any) -> None:
        return None


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
    counters = guard.check().counters
    assert (counters["opened"], counters["released"]) == (1, 1)
    kept = session.get(server.url("/bytes/90000"), stream=True)
    assert len(session.get(server.url("/bytes/90000")).content) == 90000
    (opened,) = guard.check().open
    function = "test_an_adapter_that_calls_urllib3_itself"
    assert (opened.client, opened.site.function) == ("requests", function)
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


def test_an_adapter_that_adds_a_timeout(guard: GuardControl, server: Server) -> None:
    guard.install(strict=True, max_open=1)
    session = requests.Session()
    session.mount("http://", Patient())
    url = server.url("/bytes/90000")
    kept = session.get(url, stream=True)
    with ThreadPoolExecutor(8) as workers:
        results = list(workers.map(lambda _: session.get(url), range(16)))
    assert {len(result.content) for result in results} == {90000}
    with pytest.raises(requests.exceptions.ContentDecodingError):
        session.get(server.url("/bad-gzip"))
    state = guard.check()
    (opened,) = state.open
    # Not the adapter's line, which every request passes.
    function = "test_an_adapter_that_adds_a_timeout"
    assert (opened.client, opened.site.function) == ("requests", function)
    assert (state.leaks, state.counters["too_many_open"]) == ((), 0)
    kept.close()


def test_an_adapter_that_forgets_a_response(
    guard: GuardControl, server: Server
) -> None:
    guard.install()
    session = requests.Session()
    session.mount("http://", Stubborn())
    session.get(server.url("/bytes/90000"))
    (leak,) = guard.check().leaks
    assert (leak.kind, leak.count, leak.client) == (LeakKind.DROPPED, 1, "requests")
    assert leak.site.lineno == line_of(inspect.getsource(Stubborn), "# LEAK") + (
        inspect.getsourcelines(Stubborn)[1] - 1
    )


def test_a_session_that_follows_no_redirect(
    guard: GuardControl, server: Server
) -> None:
    guard.install()
    url = server.url("/redirect/1")
    requests.get(url, stream=True, allow_redirects=False)
    assert guard.check().counters["opened"] == 0
    Unmoved().get(url, stream=True).close()
    assert guard.check().counters["opened"] == 1


@pytest.mark.parametrize("stream", [False, True])
def test_a_hook_that_raises_leaves_the_response_unread(
    guard: GuardControl, server: Server, *, stream: bool
) -> None:
    guard.install()

    def hook(_response: requests.Response, *_args: Any, **_options: Any) -> None:
        raise LookupError

    url = server.url("/bytes/90000")
    with pytest.raises(LookupError):
        requests.get(url, stream=stream, hooks={"response": hook})
    (leak,) = guard.check().leaks
    assert (leak.kind, leak.count, leak.url) == (LeakKind.DROPPED, 1, url)
    assert leak.site.function == "test_a_hook_that_raises_leaves_the_response_unread"


def test_a_method_taken_before_it_was_patched(
    guard: GuardControl, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = HTTPAdapter.send
    guard.install()
    monkeypatch.setattr(HTTPAdapter, "send", original)
    url = server.url("/bytes/90000")
    assert len(requests.get(url).content) == 90000
    assert guard.check().leaks == ()
    requests.get(url, stream=True)
    (leak,) = guard.check().leaks
    assert (leak.kind, leak.count, leak.client) == (LeakKind.DROPPED, 1, "requests")
    assert leak.site.function == "test_a_method_taken_before_it_was_patched"


def _retrying() -> Retry:
    """Tries 503 twice more, and then takes it."""
    return Retry(2, status_forcelist=[503], raise_on_status=False, backoff_factor=0)


@pytest.mark.parametrize("stream", [False, True])
def test_a_call_that_was_repeated_is_one(
    guard: GuardControl, server: Server, *, stream: bool
) -> None:
    guard.install(max_open=1)
    with requests.Session() as session:
        session.mount("http://", HTTPAdapter(max_retries=_retrying()))
        url = server.url("/status/503")
        response = session.get(url, stream=stream)
        raw: Any = response.raw
        assert (response.status_code, len(raw.retries.history)) == (503, 2)
        response.close()
        assert guard.check().leaks == ()
        counters = guard.check().counters
        # Unread: its connection is thrown away.
        assert (counters["opened"], counters["closed"]) == (stream, stream)
        session.get(url, stream=True)
    (leak,) = guard.check().leaks
    assert (leak.kind, leak.count, leak.client) == (LeakKind.DROPPED, 1, "requests")
    assert leak.site.function == "test_a_call_that_was_repeated_is_one"
    assert guard.check().counters["too_many_open"] == 0


def test_a_repeated_call_of_urllib3(guard: GuardControl, server: Server) -> None:
    guard.install()
    with urllib3.PoolManager(retries=_retrying()) as manager:
        url = server.url("/status/503")
        assert manager.request("GET", url).status == 503
        manager.request("GET", url, preload_content=False).drain_conn()
        counters = guard.check().counters
        assert (counters["opened"], counters["released"]) == (1, 1)
        assert guard.check().leaks == ()
        manager.request("GET", url, preload_content=False)
        (leak,) = guard.check().leaks
        assert (leak.kind, leak.count, leak.client) == ("dropped", 1, "urllib3")
        assert leak.site.function == "test_a_repeated_call_of_urllib3"
        frames = [frame.function for frame in leak.stack]
        assert frames[-3:] == ["request", "request_encode_url", "urlopen"]


def test_calls_that_nobody_of_python_made(
    guard: GuardControl, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the first function of a thread, whose result nobody gets."""
    guard.install()
    request = requests.Request("GET", server.url("/lines")).prepare()
    raised: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", raised.append)
    got: list[Any] = []

    class Own(HTTPAdapter):
        def build_response(self, req: Any, resp: Any) -> requests.Response:
            got.append(resp.status)
            return super().build_response(req, resp)

    before = _thread._count()
    _thread.start_new_thread(Own().send, (request,))
    while not (got or raised) or _thread._count() > before:
        time.sleep(0.001)
    assert (got, raised) == ([200], [])


def test_a_session_whose_send_is_all_that_a_thread_does(
    guard: GuardControl, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    """No frame is left as the response goes."""
    guard.install()
    session = requests.Session()
    request = requests.Request("GET", server.url("/bytes/90000")).prepare()
    _thread.start_new_thread(session.send, (request,), {"stream": True})
    deadline = time.monotonic() + 30
    while not (leaks := guard.check().leaks) and time.monotonic() < deadline:
        time.sleep(0.01)
    (leak,) = leaks
    assert (leak.kind, leak.count) == (LeakKind.DROPPED, 1)
    assert leak.stack[0].function == "send"
    assert not [text for text in caplog.messages if "stepped aside" in text]
