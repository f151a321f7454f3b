"""What the collector itself closes ends well: finalizers, generators, coroutines."""

from __future__ import annotations

import gc
import io
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import httpx
import pytest
import requests
import urllib3
from requests.adapters import HTTPAdapter

import httpguard
from httpguard import LeakKind

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Generator, Iterator

    from tests.conftest import GuardControl
    from tests.server import Server

pytestmark = pytest.mark.usefixtures("small_heap")

BODY = "/bytes/900000"
Opener = Any


class Openers:
    """Opens streamed responses by one client and one kind of pool."""

    def __init__(self, server: Server, client: str, *, block: bool) -> None:
        self.url = server.url(BODY)
        self.requests = client == "requests"
        if self.requests:
            self.session = requests.Session()
            adapter = HTTPAdapter(pool_maxsize=2, pool_block=block)
            self.session.mount("http://", adapter)
        else:
            self.manager = urllib3.PoolManager(maxsize=2, block=block)

    def __call__(self) -> Any:
        if self.requests:
            return self.session.get(self.url, stream=True)
        return self.manager.request("GET", self.url, preload_content=False)


def end(response: Any, how: str) -> None:
    raw = getattr(response, "raw", response)
    if how == "close":
        response.close()
        raw.release_conn()
    elif how == "drain":
        raw.drain_conn()
    elif how == "read":
        raw.read()
    elif how == "release":
        raw.release_conn()


class Reader:
    """In a cycle with its own suspended generator."""

    def __init__(self, opener: Opener, how: str) -> None:
        self.opener = opener
        self.how = how
        self.lines = self.read()
        next(self.lines)

    def read(self) -> Iterator[bytes]:
        response = self.opener()
        try:
            yield b""
        finally:
            end(response, self.how)


class Finalized:
    """In a cycle, and has a ``__del__``."""

    def __init__(self, opener: Opener, how: str) -> None:
        self.me = self
        self.response = opener()
        self.how = how

    def __del__(self) -> None:
        end(self.response, self.how)


class With:
    """In a cycle with a generator that is in a ``with``."""

    def __init__(self, opener: Opener, how: str) -> None:
        self.opener = opener
        self.how = how
        self.lines = self.read()
        next(self.lines)

    def read(self) -> Iterator[bytes]:
        with self.opener() as response:
            yield b""
            end(response, self.how)


class Coroutine:
    """In a cycle with a suspended coroutine."""

    def __init__(self, opener: Opener, how: str) -> None:
        self.opener = opener
        self.how = how
        self.work = self.run()
        self.work.send(None)

    async def run(self) -> None:
        response = self.opener()
        try:
            async for _ in self.wait():
                await Suspended()
        finally:
            end(response, self.how)

    async def wait(self) -> AsyncIterator[None]:
        yield


class Suspended:
    def __await__(self) -> Generator[None, None, None]:
        yield


@pytest.mark.parametrize("block", [False, True])
@pytest.mark.parametrize("client", ["requests", "urllib3"])
@pytest.mark.parametrize("how", ["close", "drain", "read", "release"])
@pytest.mark.parametrize("make", [Reader, Finalized, Coroutine])
def test_a_cycle_that_ends_it(
    *,
    make: Callable[[Opener, str], object],
    how: str,
    client: str,
    block: bool,
    guard: GuardControl,
    server: Server,
) -> None:
    guard.install()
    opener = Openers(server, client, block=block)
    # The collector finalizes the socket too: what comes back to its pool unclosed
    # makes the next request fail, with a guard or without.
    times = 2 if how == "close" else 1
    for _ in range(times):
        make(opener, how)
        gc.collect()
    state = guard.check()
    assert state.leaks == ()
    counters = state.counters
    assert counters["opened"] == counters["released"] + counters["closed"] == times
    # Else it is the collector's choice whether the response is finalized first.
    assert how != "close" or counters["closed"] == times
    assert counters["errors"] == 0
    assert [use.lost for use in state.pools] == [0]


@pytest.mark.parametrize("client", ["requests", "urllib3"])
def test_a_with_that_the_collector_leaves(
    client: str, guard: GuardControl, server: Server
) -> None:
    guard.install()
    opener = Openers(server, client, block=client == "requests")
    for _ in range(2):
        With(opener, "leave")
        gc.collect()
    assert guard.check().leaks == ()


@pytest.mark.parametrize("block", [False, True])
@pytest.mark.parametrize("client", ["requests", "urllib3"])
@pytest.mark.parametrize("make", [Reader, Finalized, Coroutine])
def test_a_cycle_that_does_not(
    *,
    make: Callable[[Opener, str], object],
    client: str,
    block: bool,
    guard: GuardControl,
    server: Server,
) -> None:
    guard.install()
    opener = Openers(server, client, block=block)
    for _ in range(2):
        make(opener, "nothing")
        gc.collect()
    (leak,) = guard.check().leaks
    assert (leak.kind, leak.count) == (LeakKind.DROPPED, 2)
    assert leak.site.function == "__call__"


class Closer:
    """In a cycle, and has a ``__del__`` that closes what it takes off itself."""

    def __init__(self, thing: Any) -> None:
        self.me = self
        self.thing = thing

    def __del__(self) -> None:
        self.__dict__.pop("thing").close()


class Nameless:
    """In a cycle with a generator whose ``with`` has no name for the response."""

    def __init__(self, opener: Opener) -> None:
        self.lines = self.read(opener)
        next(self.lines)

    def read(self, opener: Opener) -> Iterator[bytes]:
        with opener():
            yield b""


class Holder:
    """In a cycle, and closes nothing."""

    def __init__(self, thing: Any) -> None:
        self.me = self
        self.thing = thing


WRAPPERS: dict[str, Callable[[Any], Any]] = {
    "BufferedReader": io.BufferedReader,
    "TextIOWrapper": io.TextIOWrapper,
    "both": lambda response: io.TextIOWrapper(io.BufferedReader(response)),
}


@pytest.mark.parametrize("block", [False, True])
@pytest.mark.parametrize("collected", [0, 1, 2])
@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_a_wrapper_that_the_collector_finalizes_first(
    *,
    wrapper: str,
    collected: int,
    block: bool,
    guard: GuardControl,
    server: Server,
) -> None:
    """It is so for what has outlived a collection: the wrapper came to stand first."""
    guard.install()
    opener = Openers(server, "urllib3", block=block)
    for _ in range(2):
        wrapped = WRAPPERS[wrapper](opener())
        for _ in range(collected):
            gc.collect()
        Holder(wrapped)
        del wrapped
        gc.collect()
    state = guard.check()
    (leak,) = state.leaks
    assert (leak.kind, leak.count) == (LeakKind.DROPPED, 2)
    assert (leak.site.function, leak.status) == ("__call__", 200)
    assert state.counters["closed"] == 0


class Body(io.RawIOBase):
    """Closes what it has by a function of its own, as smart_open's do."""

    def __init__(self, response: Any) -> None:
        self.response = response

    def close(self) -> None:
        if not self.closed:
            self.let_go()
        super().close()

    def let_go(self) -> None:
        self.response.close()


@pytest.mark.parametrize("closing", [False, True])
@pytest.mark.parametrize("client", ["requests", "urllib3"])
def test_a_wrapper_that_closes_it_by_another_function(
    *, client: str, closing: bool, guard: GuardControl, server: Server
) -> None:
    guard.install()
    opener = Openers(server, client, block=False)
    for _ in range(2):
        body = Body(opener())
        if closing:
            body.close()
        del body
    state = guard.check()
    # A response of requests gives its connection back as it is closed, whoever does it.
    if closing or client == "requests":
        assert state.leaks == ()
        assert (state.counters["released"], state.counters["closed"]) == (0, 2)
    else:
        (leak,) = state.leaks
        assert (leak.kind, leak.count) == (LeakKind.DROPPED, 2)
        assert leak.site.function == "__call__"


@pytest.mark.parametrize("collected", [0, 1])
@pytest.mark.parametrize("make", [Closer, Holder])
def test_a_response_of_urllib_that_a_wrapper_or_the_program_closes(
    make: Callable[[Any], object],
    collected: int,
    guard: GuardControl,
    server: Server,
) -> None:
    guard.install()
    for _ in range(2):
        response: Any = urlopen(server.url(BODY))
        if make is Holder:
            response = io.TextIOWrapper(response)
        for _ in range(collected):
            gc.collect()
        make(response)
        del response
        gc.collect()
    state = guard.check()
    if make is Closer:
        assert (state.leaks, state.counters["closed"]) == ((), 2)
    else:
        (leak,) = state.leaks
        assert (leak.kind, leak.count) == (LeakKind.DROPPED, 2)


@pytest.mark.parametrize("collected", [0, 1])
@pytest.mark.parametrize("make", [lambda opener: Closer(opener()), Nameless])
def test_a_finalizer_that_no_longer_has_a_name_for_it(
    make: Callable[[Opener], object],
    collected: int,
    guard: GuardControl,
    server: Server,
) -> None:
    guard.install()
    opener = Openers(server, "urllib3", block=False)
    for _ in range(2):
        made = make(opener)
        for _ in range(collected):
            gc.collect()
        del made
        gc.collect()
    state = guard.check()
    assert (state.leaks, state.counters["closed"]) == ((), 2)


def httpx_lines(client: httpx.Client, url: str) -> Iterator[str]:
    with client.stream("GET", url) as response:
        yield from response.iter_lines()


def httpx_status(client: httpx.Client, url: str) -> Iterator[int]:
    response = client.send(client.build_request("GET", url), stream=True)
    yield response.status_code


@pytest.mark.parametrize("lines", [httpx_lines, httpx_status])
@pytest.mark.parametrize("collected", [0, 1])
def test_a_generator_that_reads_by_httpx(
    lines: Any, collected: int, guard: GuardControl, server: Server
) -> None:
    guard.install()
    # Of all that the collector takes, httpcore's own generators may come first.
    with httpx.Client() as client:
        held = [Holder(lines(client, server.url("/lines"))) for _ in range(4)]
        for one in held:
            next(one.thing)
        for _ in range(collected):
            gc.collect()
        del held, one
        gc.collect()
    state = guard.check()
    if lines is httpx_lines:
        assert state.leaks == ()
    else:
        (leak,) = state.leaks
        assert (leak.kind, leak.count) == (LeakKind.DROPPED, 4)
        assert leak.site.lineno == httpx_status.__code__.co_firstlineno + 1
    assert state.counters["errors"] == 0


def close_session(session: Any) -> None:
    if isinstance(session, requests.Session):
        session.close()
    else:
        session.clear()


class Wrapped:
    """A session in a cycle, closed by its finalizer, whose answers are kept."""

    def __init__(self, session: Any, *, closing: bool) -> None:
        self.me = self
        self.session = session
        self.closing = closing

    def __del__(self) -> None:
        if self.closing:
            close_session(self.session)


@pytest.mark.parametrize("kind", [requests.Session, urllib3.PoolManager])
def test_sessions_that_a_finalizer_closes(
    kind: Any, guard: GuardControl, server: Server
) -> None:
    guard.install(max_sessions=1, max_idle=10)

    def use() -> None:
        session = kind()
        session.request("GET", server.url("/bytes/10"))
        Wrapped(session, closing=True)

    for _ in range(5):
        use()
    gc.collect()
    guard.check()
    guard.advance(20)
    assert guard.check().leaks == ()


@pytest.mark.parametrize("kind", [requests.Session, urllib3.PoolManager])
def test_sessions_that_are_kept_open(
    kind: Any, guard: GuardControl, server: Server
) -> None:
    guard.install(max_sessions=1, max_idle=10)
    kept = []
    for _ in range(5):
        session = kind()
        session.request("GET", server.url("/bytes/10"))
        kept.append(session)
    guard.check()
    guard.advance(20)
    (leak,) = guard.check().leaks
    assert (leak.kind, leak.count) == (LeakKind.SESSION, 4)
    for session in kept:
        close_session(session)


def test_a_closed_session_whose_answers_keep_an_evicted_pool(
    guard: GuardControl, server: Server
) -> None:
    guard.install(max_sessions=1, max_idle=10)
    kept = []
    for _ in range(4):
        session = requests.Session()
        session.mount("http://", HTTPAdapter(pool_connections=1))
        kept.append(session.get(server.url("/bytes/10")))
        other = server.url("/bytes/10").replace("127.0.0.1", "localhost")
        kept.append(session.get(other))
        session.close()
    guard.check()
    guard.advance(20)
    for leak in guard.check().leaks:
        assert leak.kind is LeakKind.SESSION
        assert "never closed" not in str(leak)
        assert leak.sockets > 0
    assert kept
    assert httpguard.snapshot().counters["errors"] == 0
