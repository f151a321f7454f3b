"""What constructors and requests warn of stays at the line that made them."""

from __future__ import annotations

import asyncio
import sys
import warnings
from typing import TYPE_CHECKING, Any

import aiohttp
import httpx
import pytest
import requests
import urllib3

if TYPE_CHECKING:
    from tests.conftest import GuardControl
    from tests.server import Server

MADE: list[tuple[type, tuple[Any, ...]]] = [
    (requests.Session, ()),
    (urllib3.PoolManager, ()),
    (urllib3.HTTPConnectionPool, ("127.0.0.1",)),
    (httpx.Client, ()),
    (httpx.AsyncClient, ()),
]


@pytest.mark.parametrize(("kind", "arguments"), MADE, ids=str)
def test_warnings_name_who_made_it(
    kind: Any,
    arguments: tuple[Any, ...],
    monkeypatch: pytest.MonkeyPatch,
    guard: GuardControl,
) -> None:
    original = kind.__init__

    def warn(self: Any, *args: Any, **options: Any) -> None:
        original(self, *args, **options)
        warnings.warn("old", DeprecationWarning, stacklevel=2)

    monkeypatch.setattr(kind, "__init__", warn)
    guard.install()
    with pytest.warns(DeprecationWarning, match="old") as found:
        kind(*arguments)
    line = sys._getframe().f_lineno - 1
    assert [(one.filename, one.lineno) for one in found] == [(__file__, line)]


def test_a_deprecated_argument_of_aiohttp(guard: GuardControl) -> None:
    async def make() -> int:
        line = sys._getframe().f_lineno + 1
        session = aiohttp.ClientSession(conn_timeout=1.0)
        await session.close()
        return line

    guard.install()
    with pytest.warns(DeprecationWarning, match="timeout") as found:
        line = asyncio.run(make())
    assert [(one.filename, one.lineno) for one in found] == [(__file__, line)]


def test_a_deprecated_argument_of_a_request_of_aiohttp(
    guard: GuardControl, server: Server
) -> None:
    auth = aiohttp.BasicAuth("user", "password")

    async def ask() -> int:
        async with aiohttp.ClientSession() as session:
            line = sys._getframe().f_lineno + 1
            async with session.get(server.url("/bytes/3"), auth=auth) as response:
                await response.read()
        return line

    def found() -> list[tuple[str, int, str]]:
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            asyncio.run(ask())
        return [(one.filename, one.lineno, str(one.message)) for one in seen]

    without = found()
    guard.install()
    assert found() == without
    # aiohttp 3.14 and later warn of it.
    if any("auth" in message for _, _, message in without):
        assert __file__ in [name for name, _, _ in without]
