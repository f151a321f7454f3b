"""Requests of every shape that a program can make without end, in memory."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final
from unittest import mock

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError
from urllib3.response import HTTPResponse

import httpguard

from ._transport import (
    HOST,
    MemoryAdapter,
    MemoryConnection,
    MemoryPool,
    MemorySocket,
    memory_manager,
    memory_session,
)

_URL: Final = f"http://{HOST}/"
_DROP: Final = "r = manager.request('GET', url, preload_content=False)"
_READ: Final = f"{_DROP}; r.read(); r.release_conn()"

Step = Callable[[int], object]


@dataclass(frozen=True, slots=True)
class Shape:
    """One of them.

    Args:
        make: Makes the function that makes a request; its argument counts them.
        settings: Of the guard.
    """

    make: Callable[[], Step]
    settings: dict[str, Any] = field(default_factory=dict)


SHAPES: dict[str, Shape] = {}


def _shape(**settings: Any) -> Callable[[Callable[[], Step]], Callable[[], Step]]:
    def add(make: Callable[[], Step]) -> Callable[[], Step]:
        SHAPES[make.__name__.strip("_")] = Shape(make, settings)
        return make

    return add


def _stream(pool: Any, url: str = _URL, **options: Any) -> Any:
    return pool.urlopen("GET", url, preload_content=False, **options)


def _pool(maxsize: int = 1) -> MemoryPool:
    return MemoryPool(HOST, block=True, maxsize=maxsize)


@_shape()
def _read() -> Step:
    session = memory_session()
    return lambda _: session.get(_URL)


@_shape()
def _released() -> Step:
    session = memory_session()
    return lambda _: session.get(_URL, stream=True).content


@_shape()
def _dropped() -> Step:
    session = memory_session()
    return lambda _: session.get(_URL, stream=True).status_code


@_shape(reclaim=True)
def _dropped_and_reclaimed() -> Step:
    pool = _pool(2)
    return lambda _: _stream(pool).status


@_shape()
def _closed() -> Step:
    session = memory_session()
    return lambda _: session.get(_URL, stream=True).close()


@_shape()
def _unreleased() -> Step:
    return lambda _: _stream(_pool()).close()


def _holding(count: int) -> Step:
    session, held = memory_session(), deque[Any](maxlen=count)
    return lambda _: held.append(session.get(_URL, stream=True))


@_shape(explain=0)
def _held() -> Step:
    return _holding(10)


@_shape(on_held="close")
def _held_and_closed() -> Step:
    return _holding(10)


@_shape()
def _held_and_resolved() -> Step:
    session, held = memory_session(), deque[Any]()

    def step(_: int) -> None:
        held.append(session.get(_URL, stream=True))
        if len(held) > 10:
            held.popleft().content  # noqa: B018

    return step


@_shape(max_open=5)
def _too_many_open() -> Step:
    return _holding(10)


@_shape(max_open=5, strict=True)
def _too_many_open_in_strict_mode() -> Step:
    return _holding(10)


@_shape(strict=True)
def _strict() -> Step:
    return SHAPES["dropped"].make()


@_shape(strict=True, max_leaks=3)
def _strict_in_threads_made_anew() -> Step:
    return SHAPES["threads_made_anew"].make()


@_shape()
def _threads_made_anew() -> Step:
    session = memory_session()

    def step(number: int) -> None:
        def work() -> None:
            with contextlib.suppress(httpguard.LeakError):
                session.get(_URL, stream=True)

        thread = threading.Thread(target=work, name=f"worker {number}")
        thread.start()
        thread.join()

    return step


@_shape()
def _allowed() -> Step:
    manager = memory_manager()

    def step(number: int) -> None:
        with httpguard.allow(f"reason {number}"):
            manager.request("GET", _URL, preload_content=False)

    return step


@_shape()
def _scopes() -> Step:
    manager = memory_manager()

    def step(_: int) -> None:
        with contextlib.suppress(httpguard.LeakError), httpguard.no_leaks():
            manager.request("GET", _URL, preload_content=False)

    return step


@_shape()
def _waits() -> Step:
    pool = _pool()

    def step(_: int) -> None:
        response = _stream(pool)

        def release() -> None:
            time.sleep(0.0005)
            response.read()
            response.release_conn()

        thread = threading.Thread(target=release)
        thread.start()
        pool.urlopen("GET", _URL, pool_timeout=5)
        thread.join()

    return step


@_shape()
def _timeouts_of_an_empty_pool() -> Step:
    pool = _pool()
    held = [_stream(pool)]

    def step(_: int) -> None:
        with contextlib.suppress(HTTPError):
            _stream(pool, pool_timeout=0.0001)
        assert held

    return step


@_shape()
def _timeouts_of_pools_made_anew() -> Step:
    def step(_: int) -> None:
        pool = _pool()
        held = [_stream(pool)]
        with contextlib.suppress(HTTPError):
            _stream(pool, pool_timeout=0.0001)
        assert held

    return step


@_shape()
def _refused() -> Step:
    class Refused(MemoryConnection):
        def connect(self) -> None:
            raise ConnectionRefusedError

    class Pool(MemoryPool):
        ConnectionCls = Refused

    pool = Pool(HOST, maxsize=3)

    def step(_: int) -> None:
        with contextlib.suppress(HTTPError):
            _stream(pool, retries=False)

    return step


@_shape()
def _discarded() -> Step:
    pool = MemoryPool(HOST, maxsize=1)

    def step(_: int) -> None:
        for response in [_stream(pool) for _ in range(3)]:
            response.read()
            response.release_conn()

    return step


@_shape()
def _hosts_without_end() -> Step:
    manager = memory_manager()
    ask = manager.request
    return lambda number: ask(
        "GET", f"http://h{number}.test/", preload_content=number % 2 == 0
    )


@_shape()
def _mocks() -> Step:
    class Pool(urllib3.HTTPConnectionPool):
        def urlopen(self, *_: Any, **__: Any) -> Any:
            return mock.Mock()

    pool = Pool(HOST)
    return lambda _: pool.urlopen("GET", "/")


@_shape()
def _classes_made_anew() -> Step:
    def step(number: int) -> None:
        module = {"__module__": ("mocket.x", "httpretty.y", "vcr.z", "a.b")[number % 4]}

        class Connection(MemoryConnection):
            def connect(self) -> None:
                self.sock: Any = type("Socket", (MemorySocket,), module)()

        class Answer(HTTPResponse):
            def close(self) -> None:
                super().close()

            def release_conn(self) -> None:
                super().release_conn()

        class Pool(MemoryPool):
            ConnectionCls = Connection
            ResponseCls = Answer

            def urlopen(self, *args: Any, **kwargs: Any) -> Any:
                return super().urlopen(*args, **kwargs)

            def _put_conn(self, conn: Any) -> None:
                super()._put_conn(conn)

        response = _stream(Pool(HOST))
        if number % 3:
            response.read()
            response.release_conn()

    return step


@_shape()
def _sessions_of_classes_made_anew() -> Step:
    def step(_: int) -> None:
        class Adapter(MemoryAdapter):
            def send(self, *args: Any, **kwargs: Any) -> Any:
                return super().send(*args, **kwargs)

        class Session(requests.Session):
            def __init__(self) -> None:
                super().__init__()
                self.trust_env = False

        session = Session()
        session.mount("http://", Adapter())
        session.get(_URL, stream=True)

    return step


def _generated(source: str, name: str) -> Step:
    manager = memory_manager()

    def step(number: int) -> None:
        space: dict[str, Any] = {"manager": manager, "url": _URL}
        lines = "\n" * (number % 1000)
        exec(compile(lines + source, name.format(number), "exec"), space)

    return step


@_shape()
def _generated_code_that_reads() -> Step:
    return _generated(_READ, "<generated {}>")


@_shape()
def _generated_code_that_drops() -> Step:
    return _generated(_DROP, "<generated {}>")


@_shape()
def _generated_code_that_stays() -> Step:
    manager, kept = memory_manager(), []

    def step(number: int) -> None:
        code = compile(_DROP, f"<generated {number}>", "exec")
        kept.append(code)
        exec(code, {"manager": manager, "url": _URL})

    return step


@_shape()
def _generated_files_that_drop() -> Step:
    return _generated(_DROP, "/generated/file_{}.py")


@_shape(max_sessions=2)
def _generated_code_that_makes_sessions() -> Step:
    source = "from benchmarks._transport import memory_manager as make; kept = make()\n"
    return _generated(source + "kept.request('GET', url)", "<sessions {}>")


@_shape()
def _deep_generated_code() -> Step:
    """Through more frames than a stack in brief has."""
    step = _generated(_READ, "<deep {}>")

    def deep(number: int, depth: int = 12) -> None:
        step(number) if not depth else deep(number, depth - 1)

    return deep


@_shape()
def _sessions_dropped() -> Step:
    return lambda _: memory_session().get(_URL)


@_shape(max_sessions=2)
def _sessions_closed() -> Step:
    def step(_: int) -> None:
        with memory_session() as session:
            session.get(_URL)

    return step


@_shape(max_sessions=2)
def _sessions_kept() -> Step:
    sessions = deque[requests.Session](maxlen=10)

    def step(_: int) -> None:
        sessions.append(memory_session())
        sessions[-1].get(_URL)

    return step


@_shape()
def _sessions_that_ask_nothing() -> Step:
    def step(_: int) -> None:
        requests.Session()
        urllib3.PoolManager()
        HTTPAdapter()

    return step


@contextlib.contextmanager
def guarded(settings: dict[str, Any]) -> Iterator[Callable[[], None]]:
    """A guard of a clock of its own; what it yields lets half a second pass."""
    from httpguard._process import installing

    now = [1000.0]

    def tick() -> None:
        now[0] += 0.5

    httpguard.uninstall()
    installing.start(httpguard.Settings(check_interval=0, **settings), lambda: now[0])
    try:
        yield tick
    finally:
        httpguard.uninstall()


def repeat(step: Step, tick: Callable[[], None], numbers: range) -> None:
    """Make requests; strict mode may raise in any.

    Args:
        step: What `Shape.make` has made.
        tick: Lets time pass.
        numbers: Of the requests.
    """
    for number in numbers:
        with contextlib.suppress(httpguard.LeakError):
            step(number)
        tick()
