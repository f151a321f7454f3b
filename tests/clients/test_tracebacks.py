"""What of ours a program sees in its tracebacks: one frame a wrapper, and code."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import socket
import sys
import traceback
import urllib.parse
import urllib.request
from contextlib import suppress
from importlib.metadata import version
from typing import TYPE_CHECKING

import aiohttp
import httpx
import pytest
import requests
import urllib3
from urllib3.exceptions import EmptyPoolError, HTTPError

import httpguard
from httpguard._stacks.ownership import is_own
from tests.running import execute

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import GuardControl
    from tests.server import Server

SHOWN = "return after(self, *args, wrapped(self, *args, **kwargs))"
# urllib3 1.26 sends its requests by http.client's own method, which is guarded too.
BELOW = (
    ["request: return wrapped(self, *args, **kwargs)"]
    if version("urllib3").startswith("1.")
    else []
)


@pytest.fixture
def nowhere() -> str:
    """The URL of a port that refuses connections."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{bound.getsockname()[1]}/"


def ours(error: BaseException | None) -> list[str]:
    """The functions of ours in an error's traceback, and in those below it."""
    found: list[str] = []
    while error is not None:
        frames = traceback.extract_tb(error.__traceback__)
        found += [f"{f.name}: {f.line}" for f in frames if is_own(f.filename)]
        error = error.__cause__ or error.__context__
    return found


def failure(call: Callable[[], object]) -> Exception:
    try:
        call()
    except Exception as error:
        return error
    raise AssertionError("it did not fail")


def test_a_refused_connection_through_requests(
    guard: GuardControl, nowhere: str
) -> None:
    guard.install()
    error = failure(lambda: requests.get(nowhere))
    assert isinstance(error, requests.ConnectionError)
    assert sorted(ours(error)) == [*BELOW, f"send: {SHOWN}", f"urlopen: {SHOWN}"]


def test_a_refused_connection_through_urllib3(
    guard: GuardControl, nowhere: str
) -> None:
    guard.install()
    pool = urllib3.connection_from_url(nowhere)
    error = failure(lambda: pool.request("GET", nowhere, retries=False))
    assert isinstance(error, HTTPError)
    assert ours(error) == [f"urlopen: {SHOWN}", *BELOW]
    if sys.version_info >= (3, 11):
        text = "".join(traceback.format_exception(error))
        lines = [line.strip() for line in text.splitlines()]
        below = lines[lines.index(SHOWN) + 1]
        assert set(below) <= {"^", "~"}
        assert len(below) == len("wrapped(self, *args, **kwargs)")


def test_an_empty_pool(guard: GuardControl, server: Server) -> None:
    guard.install()
    with urllib3.HTTPConnectionPool(
        server.host, server.port, maxsize=1, block=True
    ) as pool:
        held = pool.urlopen("GET", "/bytes/90000", preload_content=False)
        error = failure(lambda: pool.request("GET", "/", pool_timeout=0.001))
        assert isinstance(error, EmptyPoolError)
        assert ours(error) == [
            f"urlopen: {SHOWN}",
            "_get_conn: connection = wrapped(self, timeout)",
        ]
        held.close()


def test_a_connection_too_many(guard: GuardControl, server: Server) -> None:
    guard.install()
    with urllib3.HTTPConnectionPool(
        server.host, server.port, maxsize=1, block=True
    ) as pool:
        connection = pool._get_conn()
        pool._put_conn(connection)
        with suppress(HTTPError):
            pool._put_conn(connection)
            return  # urllib3 1.26 closes it.
        error = failure(lambda: pool._put_conn(connection))
        assert ours(error) == ["_put_conn: result = wrapped(self, conn)"]


def leak(url: str) -> None:
    requests.get(url, stream=True)


def ask(url: str) -> None:
    leak(url)
    requests.get(url)


def sweep(url: str) -> None:
    leak(url)
    httpguard.check()


def ask_by_httpx(url: str) -> None:
    leak(url)
    httpx.get(url)


def ask_by_urllib(url: str) -> None:
    leak(url)
    urllib.request.urlopen(url)


def ask_in_a_task(url: str) -> None:
    async def main() -> None:
        leak(url)
        async with httpx.AsyncClient() as client:
            await client.get(url)

    asyncio.run(main())


def ask_by_aiohttp(url: str) -> None:
    async def main() -> None:
        leak(url)
        async with aiohttp.ClientSession() as session:
            await session.get(url)

    asyncio.run(main())


def crowd(url: str) -> None:
    first, second = (requests.get(url, stream=True) for _ in range(2))
    del first, second


def crowd_by_urllib(url: str) -> None:
    with urllib.request.urlopen(url), urllib.request.urlopen(url):
        raise AssertionError


def crowd_by_http_client(url: str) -> None:
    host, path = urllib.parse.urlsplit(url)[1:3]
    connection = http.client.HTTPConnection(host)
    connection.request("GET", path)
    with requests.get(url, stream=True), contextlib.closing(connection):
        connection.getresponse()


def crowd_by_httpx(url: str) -> None:
    with httpx.Client() as client, requests.get(url, stream=True):
        client.send(client.build_request("GET", url), stream=True)


def crowd_by_aiohttp(url: str) -> None:
    async def main() -> None:
        more = f"{url}00"
        async with aiohttp.ClientSession() as one, one.get(more), one.get(more):
            raise AssertionError

    asyncio.run(main())


def scope(url: str) -> None:
    with httpguard.no_leaks():
        leak(url)


@httpguard.no_leaks()
def decorated(url: str) -> None:
    leak(url)


@httpguard.no_leaks()
def raising(url: str) -> None:
    sweep(url)


def scope_in_a_task(url: str) -> None:
    @httpguard.no_leaks()
    async def main() -> None:
        async with httpguard.no_leaks():
            leak(url)

    asyncio.run(main())


@pytest.mark.skipif(sys.version_info < (3, 11), reason="3.10 adds frames to a `raise`")
@pytest.mark.parametrize(
    "call",
    [
        *(ask, sweep, ask_by_httpx, ask_by_urllib, ask_in_a_task, ask_by_aiohttp),
        *(
            crowd,
            crowd_by_urllib,
            crowd_by_http_client,
            crowd_by_httpx,
            crowd_by_aiohttp,
        ),
        *(scope, decorated, raising, scope_in_a_task),
    ],
)
def test_a_leak_error_has_no_frame_of_ours(
    call: Callable[[str], None], guard: GuardControl, server: Server
) -> None:
    guard.install(strict=True, max_open=1)
    error = failure(lambda: call(server.url("/bytes/90000")))
    assert isinstance(error, httpguard.LeakError)
    assert ours(error) == []
    # The program's own lines are there, and a LeakError of its own passes.
    names = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
    expected = {"decorated": "<lambda>", "raising": "sweep"}.get(
        call.__name__, call.__name__
    )
    assert expected in names


def test_a_leak_error_of_the_program_passes_through(
    guard: GuardControl, server: Server
) -> None:
    """Its frames below ours stay."""
    guard.install()

    def hook(*_: object, **__: object) -> None:
        raise httpguard.LeakError("mine")

    url = server.url("/bytes/5")
    error = failure(lambda: requests.get(url, hooks={"response": hook}))
    assert traceback.extract_tb(error.__traceback__)[-1].name == "hook"


def test_a_program_that_ends_so(nowhere: str) -> None:
    program = (
        f"import httpguard, urllib3; httpguard.install()\n"
        f"urllib3.PoolManager(retries=False).request('GET', {nowhere!r})\n"
    )
    run = execute([sys.executable, "-c", program])
    assert SHOWN in run.stderr
    assert "_after(" not in run.stderr
