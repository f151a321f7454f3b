"""What is done with a response, or a client, once the client it came from is closed."""

from __future__ import annotations

import gc
import http.client
import inspect
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
import requests
import urllib3

import httpguard
from httpguard import LeakKind
from tests.clients.test_what_misleads import BODY, SIZE, assert_silent

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import GuardControl
    from tests.server import Server

COPIES = 5


def of_requests(url: str) -> Any:
    with requests.Session() as session:
        return session.get(url, stream=True)  # LEAK


def of_urllib3(url: str) -> Any:
    with urllib3.PoolManager() as manager:
        return manager.request("GET", url, preload_content=False)  # LEAK


OUTLIVING = [of_requests, of_urllib3]


@pytest.mark.parametrize("opened", OUTLIVING)
def test_a_response_that_is_read_after_its_session_was_closed(
    opened: Callable[[str], Any], guard: GuardControl, server: Server
) -> None:
    guard.install()
    with httpguard.no_leaks():
        response = opened(server.url(BODY))
        assert len(getattr(response, "content", None) or response.read()) == SIZE
    assert_silent(guard)


@pytest.mark.parametrize("end", [LeakKind.DROPPED, LeakKind.HELD])
@pytest.mark.parametrize("opened", OUTLIVING)
def test_a_response_that_is_forgotten_after_its_session_was_closed(
    opened: Callable[[str], Any], end: LeakKind, guard: GuardControl, server: Server
) -> None:
    guard.install()
    response = opened(server.url(BODY))
    if end is LeakKind.DROPPED:
        del response
        gc.collect()
    else:
        guard.check()
        guard.advance(1000)
    (leak,) = guard.check().leaks
    assert (leak.kind, leak.count) == (end, 1)
    lines, first = inspect.getsourcelines(opened)
    at = first + next(at for at, text in enumerate(lines) if "# LEAK" in text)
    assert (leak.site.filename, leak.site.lineno) == (__file__, at)


def test_a_response_whose_connection_was_closed_is_empty_and_no_leak(
    guard: GuardControl, server: Server
) -> None:
    guard.install()
    with httpguard.no_leaks():
        with closing(http.client.HTTPConnection(server.url("")[7:])) as connection:
            connection.request("GET", BODY)
            response = connection.getresponse()
        assert response.read() == b""
    assert_silent(guard)


def test_copies_of_an_ai_client_are_one_client(
    guard: GuardControl, server: Server
) -> None:
    """They share its connections, and the first that is closed closes it."""
    openai = pytest.importorskip("openai")
    guard.install(max_sessions=1, max_idle=10)
    words: Any = {"model": "m", "messages": [{"role": "user", "content": "a"}]}
    client = openai.OpenAI(api_key="k", base_url=server.url("/openai"))
    kept = [client.with_options(timeout=5 + number) for number in range(COPIES)]
    for copy in kept:
        copy.chat.completions.create(**words)
    assert_silent(guard)
    stream = kept[0].chat.completions.create(stream=True, **words)
    kept[1].close()
    assert_silent(guard)
    with pytest.raises(RuntimeError, match="closed"):
        client.chat.completions.create(**words)
    stream.close()
    assert_silent(guard)
