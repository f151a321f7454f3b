"""httpx and httpx2 over HTTP/2: what answers that are closed unread take for good."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import httpguard
from httpguard import LeakError, LeakKind

pytest.importorskip("h2")
pytest.importorskip("hypercorn")
pytest.importorskip("trio")

from tests.server.http2 import BODY, Http2Server  # It needs these.

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import GuardControl

HTTP2: Any = {"http1": False, "http2": True, "trust_env": False, "timeout": 30}
# Of 90,000 bytes each: all that a connection takes in before somebody reads; and so
# many more that each stream is used up too.
MANY = 187
ALL = MANY + 100


@pytest.fixture
def server() -> Iterator[Http2Server]:
    """With the hundred streams that httpcore uses at most."""
    with Http2Server(100) as running:
        yield running


def ask(client: Any, url: str, *, read: bool = False) -> None:
    with client.stream("GET", url) as response:
        assert response.status_code == 200
        if read:
            response.read()


async def aask(client: Any, url: str, *, read: bool = False) -> None:
    async with client.stream("GET", url) as response:
        assert response.status_code == 200
        if read:
            await response.aread()


def other(client: Any, url: str) -> None:
    with client.stream("GET", url):
        pass


def found() -> list[tuple[LeakKind, int, str, int]]:
    return [
        (leak.kind, leak.count, leak.site.function, leak.site.lineno)
        for leak in httpguard.check().leaks
    ]


def of(function: Any, count: int = 1) -> list[tuple[LeakKind, int, str, int]]:
    """That its first line has lost so many."""
    line = function.__code__.co_firstlineno + 1
    return [(LeakKind.UNRELEASED, count, function.__name__, line)]


def test_a_line_is_told_before_nothing_comes_in_any_more(
    httpx: Any, guard: GuardControl, server: Http2Server
) -> None:
    guard.install()
    with httpx.Client(**HTTP2) as client:
        for _ in range(MANY // 3):
            ask(client, server.url("/unread"))
        # What was read is given back half of all at a time.
        for _ in range(60):
            client.get(server.url("/read"))
        ask(client, server.url("/unread"))
        assert found() == []
        for _ in range(MANY // 2):
            ask(client, server.url("/unread"))
            if guard.check().leaks:
                break
        assert found() == of(ask)
        # Another line has not taken much of it.
        other(client, server.url("/unread"))
        assert found() == of(ask)
        assert guard.check().counters["errors"] == 0
        assert guard.check().pools[0].lost == 0


def test_a_task_is_told_too(
    httpx: Any, run: Any, guard: GuardControl, server: Http2Server
) -> None:
    guard.install()

    async def program() -> None:
        async with httpx.AsyncClient(**HTTP2) as client:
            while not guard.check().leaks:
                await aask(client, server.url("/unread"))
            assert found() == of(aask)
            (leak,) = guard.check().leaks
            assert "fix: read it to its end (`await response.aread()`)" in str(leak)

    run(program)
    assert guard.check().counters["errors"] == 0


def test_what_is_read_or_empty_takes_nothing(
    httpx: Any, guard: GuardControl, server: Http2Server
) -> None:
    guard.install()
    with httpx.Client(**HTTP2) as client:
        for _ in range(MANY):
            ask(client, server.url("/read"), read=True)
            ask(client, server.url("/empty"))
    assert found() == []


def test_what_others_have_yet_to_read_is_not_lost(
    httpx: Any, guard: GuardControl, server: Http2Server
) -> None:
    guard.install()
    with httpx.Client(**HTTP2) as client:
        for _ in range(12):
            ask(client, server.url("/unread"))
        ask_for = client.build_request("GET", server.url("/big"))
        kept = [client.send(ask_for, stream=True) for _ in range(25)]
        # What it shares the connection with has come in, too.
        kept.pop().read()
        ask(client, server.url("/unread"))
        assert found() == []
        assert {len(response.read()) for response in kept} == {590_000}
    assert found() == []


def test_reclaim_gives_threads_another_connection(
    httpx: Any, guard: GuardControl, server: Http2Server
) -> None:
    guard.install(reclaim=True)
    with httpx.Client(**HTTP2) as client:
        for _ in range(ALL):
            ask(client, server.url("/unread"))
        assert len(client.get(server.url("/read")).content) == len(BODY)
        (pool,) = guard.check().pools
        assert 2 <= pool.connected <= 4
        assert found() == of(ask, pool.connected - 1)
        assert len(client._transport._pool._connections) == 1


def test_reclaim_takes_it_off_the_account_of_tasks(
    httpx: Any, run: Any, guard: GuardControl, server: Http2Server
) -> None:
    guard.install(reclaim=True)

    async def program() -> None:
        async with httpx.AsyncClient(**HTTP2) as client:
            for _ in range(ALL):
                await aask(client, server.url("/unread"))
            answer = await client.get(server.url("/read"))
            assert len(answer.content) == len(BODY)
            (pool,) = guard.check().pools
            assert pool.connected == 1

    run(program)
    (leak,) = guard.check().leaks
    assert 1 <= leak.count <= 4
    assert found() == of(aask, leak.count)
    assert guard.check().counters["errors"] == 0


def test_strict_and_scopes_raise(
    httpx: Any, guard: GuardControl, server: Http2Server
) -> None:
    guard.install(strict=True)
    with httpx.Client(**HTTP2) as client:
        with pytest.raises(LeakError) as caught, httpguard.no_leaks():
            for _ in range(MANY):
                ask(client, server.url("/unread"))
        (leak,) = caught.value.leaks
        assert (leak.kind, leak.site.function) == (LeakKind.UNRELEASED, "ask")
