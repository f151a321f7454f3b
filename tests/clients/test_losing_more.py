"""Responses of httpx and aiohttp that a library loses, and asks for again."""

from __future__ import annotations

import asyncio
import sys
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from httpguard import Leak, LeakKind
from tests.program import installed, line_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import ModuleType

    from tests.conftest import GuardControl
    from tests.server import Server

aiohttp = pytest.importorskip("aiohttp")
httpx = pytest.importorskip("httpx")
with_notes = pytest.mark.skipif(
    sys.version_info < (3, 11), reason="errors have no notes"
)

LIBRARY = """
import aiohttp
import httpx


class Client:
    careful = False

    def __init__(self):
        self.client = httpx.Client()

    def ask(self, url):
        return self.client.send(self.client.build_request("GET", url), stream=True)

    def fetch(self, url):
        while True:
            response = self.ask(url)  # HTTPX
            if response.status_code == 200:
                return len(response.read())
            if self.careful:
                response.close()


class AsyncClient:
    careful = False

    def __init__(self):
        self.client = httpx.AsyncClient()

    async def ask(self, url):
        request = self.client.build_request("GET", url)
        return await self.client.send(request, stream=True)

    async def fetch(self, url):
        while True:
            response = await self.ask(url)  # TASK
            if response.status_code == 200:
                return len(await response.aread())
            if self.careful:
                await response.aclose()


class Session:
    careful = False

    def __init__(self):
        self.session = aiohttp.ClientSession()

    async def ask(self, url):
        return await self.session.get(url)

    async def fetch(self, url):
        while True:
            response = await self.ask(url)  # AIOHTTP
            if response.status == 200:
                return len(await response.read())
            if self.careful:
                response.release()


async def pages(client, urls):
    for url in urls:
        response = await client.ask(url)
        yield response
"""


@pytest.fixture
def library(tmp_path: Path) -> Iterator[ModuleType]:
    with installed(tmp_path, "losinglib", LIBRARY) as module:
        yield module


def flaky(server: Server) -> str:
    """Answers 503 once, with more than aiohttp takes in unasked."""
    return server.url(f"/flaky/{uuid.uuid4().hex}/900000")


def dropped(guard: GuardControl) -> Leak:
    """The one leak there is, at a line of this file.

    Of what a client keeps alive, it takes two looks.
    """
    guard.check()
    (leak,) = guard.check().leaks
    assert (leak.kind, leak.site.filename) == (LeakKind.DROPPED, __file__)
    return leak


async def three(guard: GuardControl) -> Leak:
    """As `dropped`, of three: for a moment the loop may refer to the last one too."""
    for _ in range(100):
        if guard.check().counters["dropped"] == 3:
            break
        await asyncio.sleep(0.01)
    leak = dropped(guard)
    assert leak.count == 3
    return leak


def of_retry(leak: Leak, mark: str) -> None:
    assert leak.status == 503
    assert leak.culprit is not None
    assert leak.culprit.function == "fetch"
    assert leak.culprit.lineno == line_of(LIBRARY, f"# {mark}")
    assert f"lost in {leak.culprit}" in str(leak)
    assert leak.hint.startswith("`fetch` should read or close each response after")


def test_a_library_that_tries_again_by_httpx(
    guard: GuardControl, server: Server, library: ModuleType
) -> None:
    guard.install()
    client = library.Client()
    for _ in range(3):
        client.fetch(flaky(server))
    leak = dropped(guard)
    assert leak.count == 3
    of_retry(leak, "HTTPX")
    client.client.close()


@pytest.mark.parametrize(
    ("kind", "mark"), [("AsyncClient", "TASK"), ("Session", "AIOHTTP")]
)
def test_a_coroutine_that_tries_again(
    guard: GuardControl, server: Server, library: ModuleType, kind: str, mark: str
) -> None:
    async def main() -> None:
        client = getattr(library, kind)()
        for _ in range(3):
            await client.fetch(flaky(server))
        leak = await three(guard)
        assert leak.site.function == "main"
        of_retry(leak, mark)
        await closed(client)

    guard.install()
    asyncio.run(main())


async def closed(client: Any) -> None:
    if hasattr(client, "session"):
        await client.session.close()
    else:
        await client.client.aclose()


@pytest.mark.parametrize("kind", ["AsyncClient", "Session"])
def test_a_coroutine_that_closes_and_tries_again(
    guard: GuardControl, server: Server, library: ModuleType, kind: str
) -> None:
    async def main() -> None:
        client = getattr(library, kind)()
        client.careful = True
        await client.fetch(flaky(server))
        guard.check()
        assert guard.check().leaks == ()
        await closed(client)

    guard.install()
    asyncio.run(main())


@pytest.mark.parametrize("kind", ["AsyncClient", "Session"])
def test_what_a_generator_hands_out_is_the_application_s(
    guard: GuardControl, server: Server, library: ModuleType, kind: str
) -> None:
    async def main() -> None:
        client = getattr(library, kind)()
        url = server.url("/bytes/900000")
        async for _ in library.pages(client, [url] * 3):
            pass
        del _
        leak = await three(guard)
        assert leak.culprit is None
        assert "losinglib" in leak.hint
        await closed(client)

    guard.install()
    asyncio.run(main())


def starved_by(error: BaseException, mark: str) -> None:
    """It says which function of the library holds what it waits for."""
    note = "\n".join(getattr(error, "__notes__", ()))
    assert note.startswith("httpguard: pool starved http://")
    assert f"losinglib.py:{line_of(LIBRARY, f'# {mark}')} in fetch" in note
    assert note.count(" · left open in ") == 1
    assert "fix: `fetch` should read or close a response before it asks again" in note


@with_notes
def test_a_library_that_waits_for_what_it_holds_itself(
    guard: GuardControl, server: Server, library: ModuleType
) -> None:
    guard.install()
    client = library.Client()
    limits = httpx.Limits(max_connections=1)
    timeout = httpx.Timeout(30, pool=0.1)
    with httpx.Client(limits=limits, timeout=timeout) as client.client:
        with pytest.raises(httpx.PoolTimeout) as raised:
            client.fetch(flaky(server))
        starved_by(raised.value, "HTTPX")
    with httpx.Client(limits=limits, timeout=timeout) as client.client:
        client.careful = True
        assert client.fetch(flaky(server)) == 900_000
        kept = client.ask(server.url("/bytes/900000"))
        with pytest.raises(httpx.PoolTimeout) as raised:
            client.ask(server.url("/bytes/900000"))
        assert "left open in" not in raised.value.__notes__[0]
        kept.close()


@with_notes
def test_a_coroutine_that_waits_for_what_it_holds_itself(
    guard: GuardControl, server: Server, library: ModuleType
) -> None:
    guard.install()
    limit: Any = {"limit": 1}
    timeout = aiohttp.ClientTimeout(total=30, connect=2)

    async def main() -> None:
        session = library.Session()
        await session.session.close()
        connector = aiohttp.TCPConnector(**limit)
        options = {"connector": connector, "timeout": timeout}
        async with aiohttp.ClientSession(**options) as session.session:
            with pytest.raises(asyncio.TimeoutError) as raised:
                await session.fetch(flaky(server))
            starved_by(raised.value, "AIOHTTP")
        connector = aiohttp.TCPConnector(**limit)
        options = {"connector": connector, "timeout": timeout}
        async with aiohttp.ClientSession(**options) as session.session:
            session.careful = True
            assert await session.fetch(flaky(server)) == 900_000
            kept = await session.ask(server.url("/bytes/900000"))
            with pytest.raises(asyncio.TimeoutError) as raised:
                await session.ask(server.url("/bytes/900000"))
            assert "left open in" not in raised.value.__notes__[0]
            kept.release()

    asyncio.run(main())
