"""Programs that together run through all of httpguard, and what they get."""

from __future__ import annotations

import abc
import asyncio
import contextlib
import functools
import gc
import io
import os
import queue
import selectors
import socket
import sys
import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, TypeVar

import gevent
import requests
import structlog
import urllib3
from requests.exceptions import HTTPError, InvalidURL
from urllib3.exceptions import EmptyPoolError, PoolError

import httpguard
from httpguard import HTTPGuardError, LeakError
from tests.conftest import GuardControl

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from tests.server import Server

    Program = Callable[["Control", Server], "Outcome"]

T = TypeVar("T")

Outcome = list[Any]


class Control(GuardControl, abc.ABC):
    """The guard, with what else happens to a process."""

    @abc.abstractmethod
    def fork(self) -> None:
        """The process forks."""

    @abc.abstractmethod
    def exit(self) -> None:
        """The interpreter exits."""


def everyday(guard: Control, server: Server) -> Outcome:
    """Leaks of every kind and their twins, logged to the standard library."""
    guard.install()
    url = server.url("/bytes/90000")
    got: Outcome = []
    got.append(requests.get(url, stream=True).status_code)
    got.append(len(requests.get(url).content))
    with requests.get(server.url("/redirect/2"), stream=True) as response:
        got.append((len(response.history), len(response.content)))
    for line in requests.get(server.url("/chunked/9"), stream=True).iter_lines():
        got.append(line)
        break
    got += [_error(lambda: requests.get(server.url("/status/404")).raise_for_status())]
    got += [_error(lambda: requests.get(url, hooks={"response": _refuse}))]
    got += [_error(lambda: requests.get("http://"))]
    with httpguard.allow("long poll"):
        kept = requests.get(url, stream=True)
    got.append(type(httpguard.touch(kept)))
    with _promise(), requests.get(url, stream=True) as response:
        got.append(len(response.content))
    with contextlib.suppress(LeakError), _promise():
        cycle = [requests.get(url, stream=True)]
        cycle.append(cycle)  # type: ignore[arg-type]  # a cycle
        del cycle
    held = requests.get(url, stream=True)
    guard.advance(100)
    with _somebody_polls():
        httpguard.check()
    got.append(len(held.content))
    httpguard.check()
    got += _below(guard, server)
    gc.collect()
    guard.advance(100)
    got.append(type(httpguard.check()))
    got.append(type(httpguard.snapshot()))
    kept.close()
    got.append(asyncio.run(_in_a_task(url)))
    got.append(_in_a_call(f"{url}?token=secret"))
    requests.get(f"{url}?token=secret", stream=True)
    guard.exit()
    return got


def strictly(guard: Control, server: Server) -> Outcome:
    """Strict mode and `max_open`, which raise no more than `LeakError`."""
    guard.install(strict=True, max_open=1, ignore=("*/never", "no.such.module"))
    url = server.url("/bytes/90000")
    got: Outcome = []
    for _ in range(3):
        got.append(_past_leaks(lambda: requests.get(url, stream=True).status_code))
        first = _past_leaks(lambda: requests.get(url, stream=True))
        with contextlib.suppress(LeakError):
            requests.get(url, stream=True).close()
        got.append(len(first.content))
        got.append(_past_leaks(lambda: len(requests.get(url).content)))
        with contextlib.suppress(LeakError):
            httpguard.check()
    return got


def structured(guard: Control, server: Server) -> Outcome:
    """structlog configured, the watcher started, forked, uninstalled."""
    structlog.configure(processors=[_drop])
    try:
        guard.install(check_interval=1000, max_open=1)
        url = server.url("/bytes/90000")
        kept = [requests.get(url, stream=True) for _ in range(2)]
        got: Outcome = [len(response.content) for response in kept]
        got.append(requests.get(url, stream=True).status_code)
        guard.install(check_interval=500, app=("some.library",), follow_executors=True)
        with ThreadPoolExecutor(1) as executor:
            got.append(executor.submit(len, "work").result())
        got.append(len(requests.get(url).content))
        guard.advance(100)
        httpguard.check()
        guard.fork()
        got.append(len(requests.get(url, stream=True).content))
        got.append(requests.get(url, stream=True).status_code)
        guard.exit()
        httpguard.uninstall()
        with _promise():
            got.append(len(requests.get(url).content))
    finally:
        structlog.reset_defaults()
    return got


class Adapter(requests.adapters.HTTPAdapter):
    """One of the application's own, which does not call requests'."""

    def send(self, request: Any, *_arguments: Any, **_options: Any) -> Any:
        connection = self.poolmanager.connection_from_url(request.url)
        raw = connection.urlopen(
            "GET", request.path_url, preload_content=False, decode_content=False
        )
        return self.build_response(request, raw)


class Passing(requests.adapters.HTTPAdapter):
    """One that hands on what requests' own gets."""

    def send(self, request: Any, **options: Any) -> Any:  # type: ignore[override]
        return super().send(request, **options)


@contextlib.contextmanager
def _promise() -> Iterator[None]:
    """`no_leaks`, which says so where it cannot check; the work is done anyway."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(HTTPGuardError):
            stack.enter_context(httpguard.no_leaks())
        yield


@contextlib.contextmanager
def _somebody_polls() -> Iterator[None]:
    """A thread waits in a selector for as long as this lasts."""
    near, far = socket.socketpair()
    with near, far, selectors.DefaultSelector() as selector:
        selector.register(near, selectors.EVENT_READ)
        thread = threading.Thread(target=selector.select)
        thread.start()
        while not _is_in(thread, "selectors"):
            time.sleep(0.001)
        try:
            yield
        finally:
            far.send(b".")
            thread.join()


def _is_in(thread: threading.Thread, module: str) -> bool:
    gc.disable()  # CPython 3.11 may wait for ever, where it collects meanwhile.
    try:
        frame = sys._current_frames().get(thread.ident or 0)
    finally:
        gc.enable()
    return frame is not None and frame.f_globals.get("__name__") == module


async def _in_a_task(url: str) -> int:
    with _promise():
        async with httpguard.allow("a task"):
            return _in_a_call(url)


@httpguard.allow("a call")
def _in_a_call(url: str) -> int:
    return len(requests.get(url, stream=True).content)


class Holder:
    """Whoever keeps a response."""

    shared: Any = None
    __slots__ = ("slot",)

    def __init__(self, slot: object) -> None:
        """Keep it."""
        self.slot = slot

    def method(self) -> None:
        """To be bound."""


def held_by(keep: Callable[[Any], object]) -> Program:
    """A program that holds a response in one way, which is searched for.

    Args:
        keep: Makes what refers to the response.
    """

    def held(guard: Control, server: Server) -> Outcome:
        guard.install(explain=60)
        holder = [keep(_open(server.url("/bytes/90000")))]
        guard.advance(100)
        got: Outcome = [type(httpguard.check())]
        holder.clear()
        gc.collect()
        return got

    return held


def held_elsewhere(guard: Control, server: Server) -> Outcome:
    """A response that only a library's module refers to."""
    guard.install(explain=60)
    nowhere = _Nowhere()
    nowhere.keep(server.url("/bytes/90000"))
    guard.advance(100)
    got: Outcome = [type(httpguard.check())]
    nowhere.drop()
    return got


def handed(guard: Control, server: Server) -> Outcome:
    """Work handed to executors and greenlets."""
    url = server.url("/bytes/90000")
    guard.install(explain=0, follow_executors=True)
    got: Outcome = []
    with ThreadPoolExecutor(1) as pool:
        got.append(pool.submit(_in_a_call, url).result())
        got.append(pool.submit(_open, url).result().status_code)
    got.append(gevent.spawn(_in_a_call, url).get())
    got.append(type(httpguard.check()))
    guard.exit()
    return got


def suspended(guard: Control, server: Server) -> Outcome:
    """An async generator that is collected, which its loop closes."""
    guard.install()
    got: Outcome = []

    async def parts() -> AsyncIterator[int]:
        with _open(server.url("/bytes/90000")) as response:
            yield response.status_code

    async def lose() -> None:
        knot: list[Any] = [parts()]
        knot.append(knot)
        got.append(await anext(knot[0]))

    async def main() -> None:
        await lose()
        gc.collect()
        got.append(type(httpguard.check()))

    asyncio.run(main())
    got.append(type(httpguard.check()))
    return got


def _open(url: str) -> requests.Response:
    return requests.get(url, stream=True)


def _generator(response: object) -> Iterator[object]:
    yield None
    yield response


def _suspended(response: object) -> object:
    generator = _generator(response)
    next(generator)
    return generator


def _failed(response: object) -> object:
    try:
        _refuse(response)
    except LookupError as error:
        return error
    return response


def _cell(response: object) -> object:
    return (lambda: response).__closure__


def _cached(response: object) -> object:
    @functools.lru_cache
    def cached() -> object:
        return response

    cached()
    return cached


_HOLDERS: Final[tuple[Callable[[Any], object], ...]] = (
    lambda response: {"https://host/a": response},
    lambda response: deque([response]),
    Holder,
    lambda response: Holder(Holder(response)).method,
    lambda response: lambda: response,
    lambda response: {**{number: [number] for number in range(9000)}, -1: response},
    lambda response: type("Shared", (), {"shared": response}),
    _cell,
    _suspended,
    _failed,
    _cached,
)


class _Nowhere:
    """Keeps a response where no search from the application comes by."""

    def __init__(self) -> None:
        """A module of a library."""
        self.module = ModuleType("somebody")
        self.module.__file__ = os.path.join("site-packages", "somebody.py")

    def keep(self, url: str) -> None:
        """In a global variable."""
        sys.modules["somebody"] = self.module
        vars(self.module)["kept"] = _open(url)

    def drop(self) -> None:
        """Let go of it."""
        sys.modules.pop("somebody", None)
        vars(self.module).pop("kept").close()


class _Queue(queue.LifoQueue[Any]):
    """Says when a request waits for a connection."""

    def _init(self, maxsize: int) -> None:
        """As that of urllib3."""
        super()._init(maxsize)
        self.waited = threading.Event()

    def get(self, *arguments: Any, **options: Any) -> Any:
        """A request takes a connection."""
        if self.empty():
            self.waited.set()
        return super().get(*arguments, **options)


class _Pool(urllib3.HTTPConnectionPool):
    QueueCls = _Queue


class _Response(urllib3.HTTPResponse):
    """Gives no connection back: it throws it away."""

    def release_conn(self) -> None:
        """Unlike urllib3."""
        connection: Any = self._connection
        self._connection = None
        connection.close()


def pooled(guard: Control, server: Server) -> Outcome:
    """Pools that are too small, starve, and get slots back; sessions left open."""
    guard.install(max_wait=1, max_sessions=1, reclaim=True)
    small = urllib3.HTTPConnectionPool(server.host, server.port, maxsize=1)
    responses = [_unread(small) for _ in range(3)]
    got: Outcome = [response.drain_conn() for response in responses]
    for _ in range(20):
        responses = [_unread(small), _unread(small)]
        got += [len(response.read()) for response in responses]
    guard.advance(100)
    got.append(type(httpguard.check()))
    _unread(small).close()
    response = _unread(small)
    response.__class__ = _Response
    response.release_conn()
    small.close()
    pool: Any = _Pool(server.host, server.port, maxsize=1, block=True)
    kept: Any = _unread(pool)
    got.append(_error(lambda: pool.request("GET", "/lines", pool_timeout=0.01)))
    with ThreadPoolExecutor(1) as executor:
        pool.pool.waited.clear()
        waiting = executor.submit(pool.request, "GET", "/lines")
        pool.pool.waited.wait(30)
        guard.advance(2)
        got.append(type(httpguard.check()))
        kept.drain_conn()
        got.append(waiting.result().status)
    kept = _unread(pool)
    connection = kept._connection
    kept = None
    # Where there is a guard it gives the slot back, and else we do.
    got.append(type(httpguard.check()))
    if pool.pool.empty():
        pool._put_conn(None)
    got.append(len(pool.request("GET", "/lines").data))
    with contextlib.suppress(PoolError):
        pool._put_conn(connection)
    got.append(pool.pool.qsize())
    sessions = [requests.Session() for _ in range(3)]
    got += [len(session.get(server.url("/lines")).content) for session in sessions]
    got.append(type(httpguard.check()))
    sessions.pop().close()
    del sessions
    gc.collect()
    got.append(type(httpguard.check()))
    with urllib3.PoolManager(num_pools=1) as manager:
        for host in (server.host, "localhost"):
            url = server.url("/lines").replace(server.host, host)
            got.append(len(manager.request("GET", url).data))
    return got


def _unread(pool: urllib3.HTTPConnectionPool) -> Any:
    return pool.request("GET", "/lines", preload_content=False)


# The first that calls a function is the one that is run with a fault in it.
PROGRAMS: Final[tuple[Program, ...]] = (
    *(everyday, strictly, structured, handed),
    *map(held_by, _HOLDERS),
    *(held_elsewhere, suspended, pooled),
)


def _below(guard: Control, server: Server) -> Outcome:
    """The same with urllib3, and wrappers around its responses."""
    url = server.url("/bytes/90000")
    manager = urllib3.PoolManager()
    got: Outcome = [manager.request("GET", url, preload_content=False).status]
    got.append(len(manager.request("GET", url).data))
    got.append(len(manager.request("GET", url, preload_content=False).read()))
    pool = urllib3.HTTPConnectionPool(server.host, server.port, block=True)
    with pool.request("GET", "/bytes/90000", preload_content=False) as response:
        got.append(response.status)
    guard.advance(100)
    httpguard.check()
    del response
    lines: Any = manager.request("GET", server.url("/lines"), preload_content=False)
    text = io.TextIOWrapper(lines)
    del lines
    got.append(text.readline())
    del text

    class Own(urllib3.HTTPResponse):
        def close(self) -> None:
            super().close()

    pool = urllib3.HTTPConnectionPool(server.host, server.port)
    vars(pool)["ResponseCls"] = Own
    got.append(len(pool.request("GET", "/bytes/90000").data))
    unread = pool.request("GET", "/bytes/90000", preload_content=False)
    unread.close()
    del unread
    again = urllib3.Retry(1, status_forcelist=[503], raise_on_status=False)
    unwell = server.url("/status/503")
    retried = manager.request("GET", unwell, retries=again, preload_content=False)
    got.append(retried.status)
    retried.drain_conn()
    session = requests.Session()
    session.mount("http://", Adapter())
    got.append(len(session.get(url).content))
    session.mount("http://", Passing())
    got.append(len(session.get(url, stream=True).content))
    return got


def _past_leaks(call: Callable[[], T]) -> T:
    """Call again where a leak of before is raised."""
    for _ in range(5):
        with contextlib.suppress(LeakError):
            return call()
    return call()


def _error(call: Callable[[], object]) -> str:
    """What a call raises."""
    try:
        call()
    except (EmptyPoolError, HTTPError, InvalidURL, LookupError) as error:
        return type(error).__name__
    return "nothing"


def _refuse(*_arguments: object, **_options: object) -> None:
    raise LookupError


def _drop(_logger: object, _method: str, _event: object) -> Any:
    raise structlog.DropEvent
