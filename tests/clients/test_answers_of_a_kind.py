"""Answers that come before the answer, not at all, or are more than a client takes."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import http.client
import io
import logging
import uuid
from typing import TYPE_CHECKING, Any

import aiohttp
import h11
import pytest
import requests
import urllib3

from httpguard import LeakKind
from tests.clients.test_what_misleads import assert_silent, only

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.conftest import GuardControl
    from tests.server import Server

HINTS = "/early-hints"


def test_an_early_hint_that_is_taken_for_the_answer_is_no_leak(
    guard: GuardControl, server: Server
) -> None:
    guard.install()
    with requests.Session() as session:
        assert session.get(server.url(HINTS)).status_code == 103
        assert_silent(guard)
    answer = urllib3.PoolManager().request("GET", server.url(HINTS))
    assert answer.status == 103
    assert_silent(guard)


@pytest.mark.parametrize("block", [False, True])
def test_an_early_hint_that_is_streamed_has_its_slot(
    guard: GuardControl, server: Server, *, block: bool
) -> None:
    guard.install()
    pools = urllib3.PoolManager(maxsize=1, block=block)
    pools.request("GET", server.url(HINTS), preload_content=False)  # LEAK
    gc.collect()
    only(guard, LeakKind.DROPPED)
    pool = pools.connection_from_url(server.url("/"))
    if block:
        with pytest.raises(urllib3.exceptions.EmptyPoolError):
            pool.urlopen("GET", "/bytes/10", pool_timeout=0.05)  # type: ignore[arg-type]
    else:
        assert pool.urlopen("GET", "/bytes/10").status == 200


@pytest.mark.parametrize("kept", [False, True])
def test_what_is_sent_again_has_one_line(
    guard: GuardControl,
    server: Server,
    caplog: pytest.LogCaptureFixture,
    *,
    kept: bool,
) -> None:
    """urllib3 logs that with the error, whose frames have the response."""
    guard.install(max_idle=30)
    caplog.set_level(logging.WARNING if kept else logging.ERROR, "urllib3")
    url = server.url(f"/every-other/{uuid.uuid4()}/900000")
    pools = urllib3.PoolManager()
    for _ in range(2):
        response = pools.request("GET", url, preload_content=False)
        assert len(response.read()) == 900_000
    assert_silent(guard)
    response = pools.request("GET", url, preload_content=False)  # LEAK
    del response
    gc.collect()
    if kept:
        guard.check()
        guard.advance(40)
    only(guard, LeakKind.HELD if kept else LeakKind.DROPPED)


def test_what_was_never_answered_leaves_nothing(
    guard: GuardControl, server: Server
) -> None:
    guard.install()
    with requests.Session() as session:
        url = server.url(f"/every-other/{uuid.uuid4()}/10")
        assert session.get(url).status_code == 200
        with pytest.raises(requests.ConnectionError):
            session.get(url, stream=True)
        assert_silent(guard)
    connection = http.client.HTTPConnection(server.url("").removeprefix("http://"))
    path = f"/every-other/{uuid.uuid4()}/10"
    connection.request("GET", path)
    connection.getresponse().read()
    connection.request("GET", path)
    with pytest.raises(http.client.RemoteDisconnected):
        connection.getresponse()
    assert_silent(guard)


async def _lines(session: aiohttp.ClientSession, url: str) -> None:
    async with session.get(url) as response:
        async for _ in response.content:
            pass


async def _answer(session: aiohttp.ClientSession, url: str) -> None:
    await session.get(url)


@pytest.mark.parametrize(
    ("ask", "path"), [(_lines, "/long-line"), (_answer, "/long-header")]
)
def test_what_is_too_long_for_aiohttp_is_closed(
    ask: Callable[[aiohttp.ClientSession, str], Awaitable[None]],
    path: str,
    guard: GuardControl,
    server: Server,
) -> None:
    async def main() -> None:
        async with aiohttp.ClientSession() as session:
            with pytest.raises(Exception, match="Got more than"):
                await ask(session, server.url(path))
            for _ in range(3):
                await asyncio.sleep(0)
                assert_silent(guard)

    guard.install()
    asyncio.run(main())


def test_what_could_not_be_sent_leaves_nothing(
    guard: GuardControl, server: Server, httpx: Any
) -> None:
    """A file that was read to its end is announced as it was."""
    guard.install()
    spent = io.BytesIO(b"some bytes")
    spent.read()
    with httpx.Client() as client:
        with contextlib.suppress(h11.LocalProtocolError):
            client.put(server.url("/echo"), content=spent)
        assert_silent(guard)
        response = client.put(server.url("/echo"), content=io.BytesIO(b"some bytes"))
        assert response.content == b"some bytes"
    assert_silent(guard)
