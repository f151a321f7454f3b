"""Redirects, retries, authentication: several exchanges behind one call."""

from __future__ import annotations

import uuid
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.auth import HTTPDigestAuth
from urllib3.exceptions import MaxRetryError
from urllib3.util import Retry

from ._case import innocent, leaks

if TYPE_CHECKING:
    from tests.server import Address


def _flaky(server: Address) -> str:
    """A URL that answers 503 once."""
    return server.url(f"/flaky/{uuid.uuid4().hex}")


def _retry(**options: Any) -> Retry:
    """Retry what answers 503, at once."""
    return Retry(total=2, status_forcelist=[503], backoff_factor=0, **options)


def _retrying_session(retry: Retry) -> requests.Session:
    """A session whose adapter retries."""
    session = requests.Session()
    session.mount("http://", HTTPAdapter(max_retries=retry))
    return session


@leaks(client="urllib3")
def urllib3_redirects(server: Address) -> None:
    """Three hops, which urllib3 drains: only the last response leaks."""
    pool = urllib3.PoolManager()
    pool.request("GET", server.url("/redirect/3"), preload_content=False)  # LEAK


@innocent(twin_of=urllib3_redirects)
def urllib3_redirects_read(server: Address) -> object:
    """Three hops, the last one read."""
    pool = urllib3.PoolManager()
    response = pool.request("GET", server.url("/redirect/3"), preload_content=False)
    assert len(response.read()) == 90_000
    return response


@leaks(client="urllib3")
def urllib3_redirect_not_followed(server: Address) -> None:
    """The redirect itself has a body."""
    pool = urllib3.HTTPConnectionPool(server.host, server.port)
    pool.urlopen("GET", "/redirect/3", redirect=False, preload_content=False)  # LEAK


@innocent(twin_of=urllib3_redirect_not_followed)
def urllib3_too_many_redirects(server: Address) -> None:
    """When urllib3 gives up it has drained the last one."""
    pool = urllib3.PoolManager()
    with suppress(MaxRetryError):
        pool.request("GET", server.url("/redirect/9"), preload_content=False, retries=2)


@leaks()
def requests_redirects(server: Address) -> None:
    """requests reads the hops itself, and leaves the last response."""
    requests.get(server.url("/redirect/3"), stream=True)  # LEAK


@innocent(twin_of=requests_redirects)
def requests_redirects_closed(server: Address) -> object:
    """Closed: its history holds no connection either."""
    with requests.get(server.url("/redirect/3"), stream=True) as response:
        assert len(response.history) == 3
    return response


@innocent(twin_of=urllib3_redirect_not_followed)
def requests_redirect_not_followed(server: Address) -> object:
    """requests reads the hop even if it is not to follow it."""
    url = server.url("/redirect/1")
    return requests.get(url, stream=True, allow_redirects=False)


@leaks()
def redirect_to_another_host(server: Address) -> None:
    """The pool of the last hop is another one."""
    target = f"http://localhost:{server.port}/bytes/90000"
    requests.get(server.url(f"/redirect-to?url={target}"), stream=True)  # LEAK


@innocent(twin_of=redirect_to_another_host)
def too_many_redirects(server: Address) -> None:
    """When requests gives up it has read the last one."""
    with requests.Session() as session, suppress(requests.TooManyRedirects):
        session.max_redirects = 2
        session.get(server.url("/redirect/9"), stream=True)


@innocent(twin_of=redirect_to_another_host)
def redirect_to_nowhere(server: Address) -> None:
    """A Location that requests cannot follow: the hop was read."""
    with suppress(requests.exceptions.InvalidSchema):
        requests.get(server.url("/redirect-to?url=ftp://host/file"), stream=True)


@leaks(client="urllib3")
def urllib3_retry(server: Address) -> None:
    """urllib3 drains the 503 and returns the 200, which leaks."""
    pool = urllib3.PoolManager(retries=_retry())
    pool.request("GET", _flaky(server), preload_content=False)  # LEAK


@innocent(twin_of=urllib3_retry)
def urllib3_retry_read(server: Address) -> object:
    """The 200 is read."""
    pool = urllib3.PoolManager(retries=_retry())
    response = pool.request("GET", _flaky(server), preload_content=False)
    assert response.read()
    return response


@leaks(client="urllib3")
def urllib3_retry_exhausted(server: Address) -> None:
    """Told not to raise, urllib3 returns the last 503 unread."""
    pool = urllib3.PoolManager(retries=_retry(raise_on_status=False))
    pool.request("GET", server.url("/status/503"), preload_content=False)  # LEAK


@innocent(twin_of=urllib3_retry_exhausted)
def urllib3_retry_raises(server: Address) -> None:
    """When it raises, it has drained the last one."""
    pool = urllib3.PoolManager(retries=_retry())
    with suppress(MaxRetryError):
        pool.request("GET", server.url("/status/503"), preload_content=False)


@leaks()
def requests_retry(server: Address) -> None:
    """An adapter with retries, and a stream left alone."""
    session = _retrying_session(_retry())
    session.get(_flaky(server), stream=True)  # LEAK


@innocent(twin_of=requests_retry)
def requests_retry_raises(server: Address) -> None:
    """Retries that come to nothing leave nothing."""
    session = _retrying_session(_retry())
    with suppress(requests.exceptions.RetryError):
        session.get(server.url("/status/503"), stream=True)


@leaks()
def loop_drops_failed_response(server: Address) -> None:
    """A hand-written retry loop that forgets the response it tries again for."""
    url = _flaky(server)
    for _ in range(3):
        response = requests.get(url, stream=True)  # LEAK
        if response.ok:
            assert response.content
            break


@innocent(twin_of=loop_drops_failed_response)
def loop_closes_failed_response(server: Address) -> None:
    """The same loop with a with block."""
    url = _flaky(server)
    for _ in range(3):
        with requests.get(url, stream=True) as response:
            if response.ok:
                assert response.content
                break


def _raise_for_status(response: requests.Response, **_: Any) -> None:
    """A popular response hook."""
    response.raise_for_status()


@leaks()
def hook_raises(server: Address) -> None:
    """Hooks run before requests reads the body, even in a call without stream."""
    hooks = {"response": _raise_for_status}
    with suppress(requests.HTTPError):
        requests.get(server.url("/status/500"), hooks=hooks)  # LEAK


def _read_then_raise(response: requests.Response, **_: Any) -> None:
    """The hook as it should be."""
    assert response.content
    response.raise_for_status()


@innocent(twin_of=hook_raises)
def hook_reads_then_raises(server: Address) -> None:
    """The hook reads the body first."""
    hooks = {"response": _read_then_raise}
    with suppress(requests.HTTPError):
        requests.get(server.url("/status/500"), hooks=hooks)


@innocent(twin_of=hook_raises)
def status_raised_after_the_call(server: Address) -> None:
    """After a call without stream the body is read."""
    with suppress(requests.HTTPError):
        requests.get(server.url("/status/500")).raise_for_status()


@leaks()
def hook_opens_another(server: Address) -> None:
    """A hook that opens a stream of its own: its line, not that of the call."""

    def follow(response: requests.Response, **_: Any) -> None:
        requests.get(server.url("/lines"), stream=True)  # LEAK

    requests.get(server.url("/bytes/90000"), hooks={"response": follow})


@innocent(twin_of=hook_opens_another)
def hook_reads_another(server: Address) -> None:
    """The same, read."""

    def follow(response: requests.Response, **_: Any) -> None:
        assert requests.get(server.url("/lines"), stream=True).content

    requests.get(server.url("/bytes/90000"), hooks={"response": follow})


def _send_again(response: requests.Response, **options: Any) -> requests.Response:
    """An authentication hook that forgets the 401 it answers."""
    response.request.headers["Authorization"] = "Bearer token"
    adapter: HTTPAdapter = response.connection
    return adapter.send(response.request, **options)


@leaks()
def auth_hook_forgets_first_response(server: Address) -> None:
    """The 401 is dropped unread for the 200 that follows."""
    hooks = {"response": _send_again}
    assert requests.get(server.url("/auth"), hooks=hooks).ok  # LEAK


@innocent(twin_of=auth_hook_forgets_first_response)
def digest_auth(server: Address) -> object:
    """requests' own digest authentication reads the 401."""
    auth = HTTPDigestAuth("user", "secret")
    response = requests.get(server.url("/auth-digest"), auth=auth)
    assert response.ok
    return response


@leaks()
def digest_auth_streamed(server: Address) -> None:
    """Of the two responses the second one leaks."""
    auth = HTTPDigestAuth("user", "secret")
    requests.get(server.url("/auth-digest"), auth=auth, stream=True)  # LEAK


@innocent(twin_of=digest_auth_streamed)
def digest_auth_streamed_closed(server: Address) -> object:
    """The same, closed."""
    auth = HTTPDigestAuth("user", "secret")
    with requests.get(server.url("/auth-digest"), auth=auth, stream=True) as response:
        assert response.ok
    return response
