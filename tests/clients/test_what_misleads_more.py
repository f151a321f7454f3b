"""What clients do with answers that a program never has: judged as what it is."""

from __future__ import annotations

import asyncio
import gc
import http.client
import inspect
import uuid
from typing import TYPE_CHECKING, Any

import pytest
import requests

import httpguard
from httpguard import LeakKind
from tests.program import installed

if TYPE_CHECKING:
    from pathlib import Path

    from httpguard import Leak
    from tests.conftest import GuardControl
    from tests.server import Server

BODY = "/bytes/2000000"
LATE = """
import requests


class Session(requests.Session):
    def request(self, *args, late=False, **options):
        response = super().request(*args, **options)
        if late:
            raise requests.Timeout("it came too late")
        return response
"""


def the_leak(guard: GuardControl) -> Leak:
    """The only one, at the line of the calling test that is marked."""
    (leak,) = guard.check().leaks
    frame = inspect.currentframe()
    assert frame is not None
    assert frame.f_back is not None
    lines, _ = inspect.findsource(frame.f_back)
    assert "# LEAK" in lines[leak.site.lineno - 1]
    return leak


def test_who_closes_unread_closes_the_connection_of_http_client_too(
    guard: GuardControl, server: Server
) -> None:
    guard.install()
    connection = http.client.HTTPConnection(server.url("").removeprefix("http://"))
    connection.request("GET", BODY)
    with httpguard.no_leaks(), connection.getresponse():
        pass
    connection.request("GET", BODY)
    with pytest.raises(http.client.HTTPException):
        connection.getresponse()
    connection.close()
    gc.collect()
    guard.advance(1000)
    assert guard.check().leaks == ()


def test_its_hint_names_the_connection(guard: GuardControl, server: Server) -> None:
    guard.install()
    connection = http.client.HTTPConnection(server.url("").removeprefix("http://"))
    with pytest.raises(httpguard.LeakError) as raised, httpguard.no_leaks():
        connection.request("GET", BODY)
        response = connection.getresponse()
    (leak,) = raised.value.leaks
    assert leak.kind is LeakKind.OPEN
    assert "close it and its connection" in leak.hint
    response.close()
    connection.close()


def raising(response: Any, *_: Any, **__: Any) -> None:
    response.raise_for_status()


@pytest.mark.parametrize("in_hook", [True, False])
def test_what_an_error_holds_is_the_error_s(
    guard: GuardControl, server: Server, *, in_hook: bool
) -> None:
    guard.install(explain=10)  # The process of many tests has a big heap.
    session = requests.Session()
    if in_hook:
        session.hooks["response"].append(raising)
    kept: list[requests.HTTPError] = []
    try:
        raising(session.get(server.url("/status/404"), stream=True))  # LEAK
    except requests.HTTPError as error:
        kept.append(error)
    guard.advance(1000)
    leak = the_leak(guard)
    assert leak.kind is LeakKind.HELD
    assert leak.hint.startswith(
        "what is held is an error: call `close()` on its `response`"
    )
    kept[0].response.close()
    assert guard.check().open == ()


def test_a_session_of_a_library_that_raises(
    guard: GuardControl, server: Server, tmp_path: Path
) -> None:
    guard.install()
    name = f"late_{uuid.uuid4().hex}"
    with installed(tmp_path, name, LATE) as library:
        session = library.Session()
        with pytest.raises(requests.Timeout):
            session.get(server.url(BODY), stream=True, late=True)  # LEAK
    gc.collect()
    leak = the_leak(guard)
    assert leak.kind is LeakKind.DROPPED
    assert f"if the call raised, {name} has lost it" in leak.hint


def test_a_session_of_a_library_that_hands_it_out(
    guard: GuardControl, server: Server, tmp_path: Path
) -> None:
    guard.install()
    with installed(tmp_path, f"late_{uuid.uuid4().hex}", LATE) as library:
        session = library.Session()
        with session.get(server.url(BODY), stream=True):
            pass
    gc.collect()
    assert guard.check().leaks == ()


async def answer_early(reader: asyncio.StreamReader, writer: Any) -> None:
    """Headers at once, and the body when all has come."""
    while (await reader.readline()).strip():
        pass
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while size := int(await reader.readline() or b"0", 16):
        await reader.readexactly(size + 2)
    writer.write(b"4\r\ndone\r\n")


@pytest.mark.parametrize("uploaded", [False, True])
def test_an_answer_that_comes_before_all_is_sent(
    guard: GuardControl, *, uploaded: bool
) -> None:
    import aiohttp

    guard.install(max_idle=5)

    async def program() -> tuple[Leak, ...]:
        more = asyncio.Event()

        async def parts() -> Any:
            yield b"one"
            await more.wait()
            yield b"two"

        server = await asyncio.start_server(answer_early, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with aiohttp.ClientSession() as session:
            response = await session.post(url, data=parts())
            if uploaded:
                more.set()
                assert await response.content.read(4) == b"done"
            guard.check()
            guard.advance(6)
            guard.check()
            guard.advance(6)
            leaks = guard.check().leaks
            more.set()
            response.close()
        server.close()
        return leaks

    leaks = asyncio.run(program())
    assert [leak.kind for leak in leaks] == [LeakKind.HELD] * uploaded


async def by_digest(server: Server, reading: Any) -> Any:
    """A session's answer after a refused one of 2,000,000 bytes."""
    import aiohttp

    between = (aiohttp.DigestAuthMiddleware("user", "secret"), *reading)
    session = aiohttp.ClientSession()
    url = server.url("/auth-digest/2000000")
    async with session.get(url, middlewares=between) as response:  # LEAK
        await response.read()
    return session


async def reading(request: Any, handler: Any) -> Any:
    response = await handler(request)
    if response.status == 401:
        await response.read()
    return response


def test_a_middleware_of_aiohttp_s_own_that_asks_again(
    guard: GuardControl, server: Server
) -> None:
    aiohttp = pytest.importorskip("aiohttp")
    if not hasattr(aiohttp, "DigestAuthMiddleware"):
        pytest.skip("aiohttp before 3.12")

    async def main() -> None:
        guard.install()
        session = await by_digest(server, ())
        guard.check()
        guard.advance(10)
        leak = the_leak(guard)
        assert (leak.kind, leak.count) == (LeakKind.DROPPED, 1)
        assert leak.culprit is not None
        assert leak.culprit.filename.endswith("client_middleware_digest_auth.py")
        assert leak.hint.startswith("`__call__` should read or close each answer")
        assert "`await response.read()` of a refusal" in leak.hint
        await session.close()

    asyncio.run(main())


def test_the_middleware_that_its_hint_names_is_enough(
    guard: GuardControl, server: Server
) -> None:
    aiohttp = pytest.importorskip("aiohttp")
    if not hasattr(aiohttp, "DigestAuthMiddleware"):
        pytest.skip("aiohttp before 3.12")

    async def main() -> None:
        guard.install()
        session = await by_digest(server, (reading,))
        for _ in range(3):
            assert guard.check().leaks == ()
            guard.advance(1000)
        await session.close()

    asyncio.run(main())
