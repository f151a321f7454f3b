"""Tests of asyncio in which what may block raises in a loop, as blockbuster has it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest

import httpguard
from httpguard import LeakKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import GuardControl
    from tests.server import Server

aiohttp = pytest.importorskip("aiohttp")

WATCHED = (
    *((os, name) for name in ("getcwd", "listdir", "readlink", "write")),
    *((os.path, name) for name in ("abspath", "islink", "samestat")),
)
PROGRAM = "async def get(session, url): return await session.get(url)"


@contextlib.contextmanager
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def fails(name: str) -> Callable[..., Any]:
        def blocking(*args: object, **options: object) -> None:
            raise AssertionError(f"blocking call of {name}: {args}, {options}")

        return blocking

    with monkeypatch.context() as patch:
        for module, name in WATCHED:
            patch.setattr(module, name, fails(name))
        yield


@pytest.mark.skipif("coverage" in sys.modules, reason="it asks for files itself")
def test_a_loop_in_which_nothing_may_block(
    guard: GuardControl, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    guard.install()
    names: dict[str, Any] = {}
    # A file that was never seen, by a relative name.
    exec(compile(PROGRAM, "watched_program.py", "exec"), names)

    async def program() -> None:
        async with aiohttp.ClientSession() as session:
            with watched(monkeypatch):
                for _ in range(40):  # Each with a connection of its own.
                    await names["get"](session, server.url("/bytes/2000000"))
                guard.check()
                guard.check()

    asyncio.run(program())
    snapshot = httpguard.snapshot()
    assert [(leak.kind, leak.count) for leak in snapshot.leaks] == [
        (LeakKind.DROPPED, 40)
    ]
    (leak,) = snapshot.leaks
    assert (leak.site.filename, leak.site.lineno) == ("watched_program.py", 1)
    assert snapshot.counters["errors"] == 0


def test_connections_that_a_test_makes_of_stand_ins(guard: GuardControl) -> None:
    from aiohttp.connector import BaseConnector, Connection

    guard.install()

    async def program() -> None:
        loop = asyncio.get_running_loop()
        connector = BaseConnector()
        keys: list[Any] = [object(), mock.Mock(), mock.Mock(host=None)]
        for made_for in (connector, mock.Mock(), object()):
            for key in keys:
                protocol = mock.Mock()
                one = Connection(made_for, key, protocol, loop)  # type: ignore[arg-type]
                assert one.protocol is protocol
                one._protocol = None  # Which is no connection to give back.
        httpguard.check()
        await connector.close()

    asyncio.run(program())
    assert httpguard.snapshot().counters["errors"] == 0


def test_a_response_that_a_test_makes_of_a_stand_in(guard: GuardControl) -> None:
    guard.install()
    response = mock.create_autospec(aiohttp.ClientResponse)
    response.status, response.headers, response._raw_cookie_headers = 200, {}, ()
    response.start, response._connection = mock.AsyncMock(), mock.Mock()
    response.cookies = {}  # Which aiohttp below 3.12 takes off it.
    request = mock.create_autospec(aiohttp.ClientRequest)
    request._body, request.send = None, mock.AsyncMock(return_value=response)

    class Connector(aiohttp.BaseConnector):  # type: ignore[misc,name-defined]
        async def _create_connection(self, *_: object) -> Any:
            return mock.Mock(closed=None)

    async def program() -> None:
        made_by: Any = mock.Mock(return_value=request)
        async with aiohttp.ClientSession(
            connector=Connector(), request_class=made_by
        ) as session:
            assert await session.get("http://service.invalid/") is response

    asyncio.run(program())
    counters = httpguard.snapshot().counters
    assert (counters["errors"], counters["opened"]) == (0, 0)
