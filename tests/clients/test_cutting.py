"""Connections that the program closes itself, under their responses."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

import pytest
import requests
import urllib3

from httpguard import LeakKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import GuardControl
    from tests.server import Server


def by_urllib3(url: str) -> Any:
    return urllib3.PoolManager().request("GET", url, preload_content=False)


def by_requests(url: str) -> Any:
    return requests.get(url, stream=True)


def cut(response: Any) -> None:
    raw = getattr(response, "raw", response)
    raw._connection.close()


@pytest.mark.parametrize("opener", [by_urllib3, by_requests])
@pytest.mark.parametrize("path", ["/bytes/900000", "/chunked/500", "/close"])
def test_a_connection_that_is_closed_is_no_leak(
    opener: Callable[[str], Any], path: str, guard: GuardControl, server: Server
) -> None:
    guard.install()
    cut(opener(server.url(path)))
    gc.collect()
    state = guard.check()
    assert state.leaks == ()
    assert (state.counters["opened"], state.counters["closed"]) == (1, 1)


@pytest.mark.parametrize("path", ["/bytes/900000", "/chunked/500", "/close"])
def test_one_that_is_not_closed_is(
    path: str, guard: GuardControl, server: Server
) -> None:
    guard.install()
    by_urllib3(server.url(path))
    (leak,) = guard.check().leaks
    assert (leak.kind, leak.count) == (LeakKind.DROPPED, 1)


def test_the_slot_of_a_blocking_pool_is_lost(
    guard: GuardControl, server: Server
) -> None:
    guard.install()
    pool = urllib3.HTTPConnectionPool(server.host, server.port, block=True, maxsize=2)
    cut(pool.urlopen("GET", "/bytes/900000", preload_content=False))
    (leak,) = guard.check().leaks
    assert (leak.kind, leak.count) == (LeakKind.UNRELEASED, 1)
    assert leak.site.function == "test_the_slot_of_a_blocking_pool_is_lost"


def test_one_that_is_kept_is_no_leak(guard: GuardControl, server: Server) -> None:
    guard.install(max_idle=10)
    kept = by_urllib3(server.url("/bytes/900000"))
    cut(kept)
    guard.check()
    guard.advance(20)
    assert guard.check().leaks == ()
