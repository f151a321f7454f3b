"""What is compiled opens the leases of every client as the Python code does."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import http.client
import importlib
import sys
import urllib.request
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import pytest
from structlog.contextvars import bound_contextvars

import httpguard
from httpguard._clients.urllib3 import compiled
from httpguard._leases.lease import Lease
from httpguard._stacks import capture
from httpguard._stacks.raw import CUT

from ._registry import begun_in, registry

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from tests.conftest import GuardControl
    from tests.server import Server

    Look = Callable[[], Any]
    Exchange = Callable[[str, Look], Any]

httpx = pytest.importorskip("httpx")
aiohttp = pytest.importorskip("aiohttp")
# Of this one, a function is replaced.
_gate: Any = importlib.import_module("httpguard._clients.opening_gate")

pytestmark = [
    pytest.mark.skipif(
        compiled.open_lease is None, reason="nothing is compiled for this interpreter"
    ),
    pytest.mark.usefixtures("small_heap"),  # Each exchange ends with a collection.
]
# To make one takes longer than all else that a client of httpx does.
TRUST = httpx.create_ssl_context()
# More than it takes until a line's stacks are kept in brief.
OFTEN = 20
# More than aiohttp takes in before anybody reads.
SIZE = 1_000_000
BODY = f"/bytes/{SIZE}"


def by_http_client(url: str, look: Look) -> Any:
    parts = urlsplit(url)
    with contextlib.closing(http.client.HTTPConnection(parts.netloc)) as connection:
        connection.request("GET", parts.path)
        with connection.getresponse() as response:
            return look(), response.read()


def by_urllib(url: str, look: Look) -> Any:
    with urllib.request.urlopen(url) as response:
        return look(), response.read()


def by_httpx(url: str, look: Look) -> Any:
    with httpx.Client(verify=TRUST) as client, client.stream("PUT", url) as response:
        return look(), response.read()


def by_httpx_in_task(url: str, look: Look) -> Any:
    async def fetch() -> Any:
        async with (
            httpx.AsyncClient(verify=TRUST) as client,
            client.stream("PUT", url) as response,
        ):
            return look(), await response.aread()

    return asyncio.run(fetch())


def by_aiohttp(url: str, look: Look) -> Any:
    async def fetch() -> Any:
        async with aiohttp.ClientSession() as client, client.get(url) as response:
            return look(), await response.read()

    return asyncio.run(fetch())


def by_gathered_aiohttp(url: str, look: Look) -> Any:
    """By a task that begins below the line of the program."""

    async def fetch() -> Any:
        async with aiohttp.ClientSession() as client:
            (response,) = await asyncio.gather(client.get(url))
            async with response:
                return look(), await response.read()

    return asyncio.run(fetch())


EXCHANGES: dict[str, Exchange] = {
    name: function for name, function in globals().items() if name.startswith("by_")
}


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Each response whose lease Python code opened."""
    return begun_in(_gate, monkeypatch)


@contextlib.contextmanager
def interpreted() -> Iterator[None]:
    """Without what is compiled."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled, "open_lease", None)
        patch.setattr(compiled, "near_site", capture.near_site)
        yield


def facts() -> dict[str, Any]:
    """All that the open lease has, but what differs from response to response."""
    (lease,) = registry().leases.values()
    found = {name: getattr(lease, name) for name in Lease.__slots__ if name[0] != "_"}
    slot = found.pop("slot")
    found["slot"] = slot and type(slot())
    assert found.pop("key") in registry().leases
    runner = found["runner"]
    found["runner"] = type(runner)
    if isinstance(runner, tuple):
        # That of a gathered call has ended.
        found["runner"] = runner[0]() is asyncio.current_task(), type(runner[1]())
    found["scope"] = found["scope"] and found["scope"].reason
    found["pool"] = type(found["pool"])
    found["context"] = found["context"] and dict(found["context"]())
    found["rare"] = vars(lease)
    return found


def exchange(name: str, url: str) -> dict[str, Any]:
    with bound_contextvars(request_id="r1"):
        found, body = EXCHANGES[name](url, facts)
    assert len(body) == SIZE
    gc.collect()
    assert not registry().leases
    return dict(found)


def both(name: str, url: str) -> list[dict[str, Any]]:
    """The facts with what is compiled and without, from the same line."""
    found = []
    for engine in (contextlib.nullcontext, interpreted):
        with engine():
            found.append(exchange(name, url))
    return found


@pytest.mark.parametrize("name", EXCHANGES)
def test_a_lease_is_the_same(
    name: str, guard: GuardControl, server: Server, added: list[Any]
) -> None:
    guard.install()
    url = server.url(BODY)
    kept = []
    for turn in range(OFTEN + 2):
        added.clear()
        with contextlib.nullcontext() if turn == OFTEN else interpreted():
            kept.append(exchange(name, url))
        assert bool(added) == (turn != OFTEN)
    ours, theirs = kept[OFTEN:]
    assert ours == theirs
    assert ours["stack"][-2] is CUT
    assert ours["opened"] == guard.now
    assert "r1" in ours["context"].values()
    assert kept[0]["stack"][-2] is not CUT
    assert {**kept[0], "stack": None} == {**ours, "stack": None}


@pytest.mark.parametrize("name", EXCHANGES)
@pytest.mark.parametrize("settings", [{}, {"sample": 0.0}, {"max_open": 50}])
def test_a_line_that_is_not_proven(
    name: str, settings: dict[str, Any], guard: GuardControl, server: Server
) -> None:
    guard.install(**settings)
    ours, theirs = both(name, server.url(BODY))
    assert ours == theirs
    assert (ours["stack"] is None) == ("sample" in settings)


@pytest.mark.parametrize("name", EXCHANGES)
def test_a_scope_has_the_whole_stack(
    name: str, guard: GuardControl, server: Server
) -> None:
    guard.install()
    for _ in range(OFTEN):
        exchange(name, server.url(BODY))
    with httpguard.allow("a test"):
        ours, theirs = both(name, server.url(BODY))
    assert ours == theirs
    assert ours["scope"] == "a test"
    assert ours["stack"][-2] is not CUT


@pytest.mark.parametrize("name", EXCHANGES)
def test_nothing_is_kept(name: str, guard: GuardControl, server: Server) -> None:
    guard.install()
    for _ in range(OFTEN):
        exchange(name, server.url(BODY))
    swift = registry().swift
    assert swift is not None
    code = EXCHANGES[name].__code__

    def references() -> list[int]:
        gc.collect()
        httpguard.check()
        return [sys.getrefcount(one) for one in (code, *swift[:2], swift[-1])]

    before = references()
    for _ in range(50):
        exchange(name, server.url(BODY))
    assert references() == before


async def leaks(session: Any, url: str) -> list[Any]:
    return [await session.get(url) for _ in range(OFTEN)]


def test_a_leak_of_a_task_has_its_line(guard: GuardControl, server: Server) -> None:
    guard.install()

    async def main() -> Any:
        async with aiohttp.ClientSession() as session:
            held: Awaitable[list[Any]] = leaks(session, server.url(BODY))
            responses = await held
            guard.advance(1000)
            found = httpguard.check().leaks
            for response in responses:
                response.close()
            return found

    (leak,) = asyncio.run(main())
    assert (leak.kind, leak.count) == ("held", OFTEN)
    assert leak.site.lineno == leaks.__code__.co_firstlineno + 1


def test_it_takes_nothing_else() -> None:
    wrong: list[tuple[Any, ...]] = [(), (1,) * 14, ((), *[None] * 13)]
    for arguments in wrong:
        with pytest.raises(TypeError, match="open_lease: not what the gate passes"):
            compiled.open_lease(*arguments)
    wrong = [(), ({}, None), ((), sys._getframe())]
    for arguments in wrong:
        with pytest.raises(TypeError, match="near_site: not what the patches pass"):
            compiled.near_site(*arguments)


class Failing(dict[str, bool]):
    def __missing__(self, filename: str) -> bool:
        raise RuntimeError(filename)


OUTER: Final = "def call(function): return function()"


@pytest.mark.parametrize("near_site", [compiled.near_site, capture.near_site])
def test_the_way_to_a_site(near_site: Any) -> None:
    names: dict[str, Any] = {}
    exec(compile(OUTER, "outer.py", "exec"), names)
    call, here = names["call"], sys._getframe().f_code.co_filename
    origins = {"outer.py": True, here: False}

    def down(levels: int) -> Any:
        return down(levels - 1) if levels else near_site(origins, sys._getframe())

    found = call(lambda: down(9))
    assert len(found) == 2 * 12
    assert found[::2][-1] is call.__code__
    assert found[:2][0] is down.__code__
    assert call(lambda: down(10)) == ()

    async def task() -> Any:
        return near_site(origins, sys._getframe())

    assert call(lambda: asyncio.run(task())) == ()
    with pytest.raises(RuntimeError, match="test_compiled_gate"):
        near_site(Failing(), sys._getframe())
