"""What still refers to a response: the chain, its names, and its limits."""

from __future__ import annotations

import asyncio
import functools
import gc
import queue
import sys
import threading
import types
from collections import deque
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import pytest
import requests
import urllib3

import httpguard
from httpguard import LeakKind
from httpguard._holders import search as _holders
from httpguard._holders.search import held_by
from httpguard._holders.steps import key_text
from httpguard._process import process as _process
from httpguard._stacks.ownership import Origins

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import GuardControl
    from tests.server import Server

    Hold = Callable[[object], object]

ORIGINS = Origins()
GENEROUS = 30.0


class Client:
    shared: Any = None

    def __init__(self) -> None:
        self.last: Any = None

    def run(self) -> None:
        """A method to be bound."""


class Slotted:
    __slots__ = ("kept",)

    def __init__(self, kept: object) -> None:
        self.kept = kept


class Refusing(type):
    """Every question to a class of it is an error."""

    def _refuse(cls, *_: object) -> Any:
        raise AssertionError

    __eq__ = __hash__ = _refuse


class Hostile(metaclass=Refusing):
    """Every question to it is an error."""

    def __init__(self, kept: object) -> None:
        object.__setattr__(self, "kept", kept)

    def _refuse(self, *_: object) -> Any:
        raise AssertionError

    __eq__ = __hash__ = __repr__ = __str__ = __len__ = __iter__ = _refuse
    __getattribute__ = __bool__ = __getattr__ = _refuse
    __class__ = property(_refuse)


def in_dict(response: object) -> object:
    return {"https://user:secret@host/a?token=1": response}


def in_list(response: object) -> object:
    return [None, response]


def in_tuple_key(response: object) -> object:
    return {("a", 1): [response]}


def in_deque(response: object) -> object:
    return deque([1, response])


def in_queue(response: object) -> object:
    waiting: queue.Queue[object] = queue.Queue()
    waiting.put(response)
    return waiting


def in_attribute(response: object) -> object:
    client = Client()
    client.last = response
    return client


def in_slot(response: object) -> object:
    return Slotted(response)


def in_hostile(response: object) -> object:
    return Hostile(response)


def in_closure(response: object) -> object:
    def handler() -> object:
        return response

    return handler


def in_default(response: object) -> object:
    def handler(kept: object = response) -> object:
        return kept

    return handler


def in_partial(response: object) -> object:
    return functools.partial(print, response)


def in_method(response: object) -> object:
    client = Client()
    client.last = response
    return client.run


def in_cache(response: object) -> object:
    @functools.lru_cache
    def fetch() -> object:
        return response

    fetch()
    return fetch


def in_generator(response: object) -> object:
    def lines() -> Iterator[int]:
        kept = response
        yield 1
        del kept

    generator = lines()
    next(generator)
    return generator


def in_exception(response: object) -> object:
    def fail() -> None:
        kept = response
        raise LookupError(str(kept is None))

    try:
        fail()
    except LookupError as error:
        return error
    raise AssertionError


def in_future(response: object) -> object:
    future: Future[object] = Future()
    future.set_result(response)
    return future


def in_async_future(response: object) -> object:
    loop = asyncio.new_event_loop()
    future = loop.create_future()
    future.set_result(response)
    loop.close()
    return future


def in_set(response: object) -> object:
    return {response}


def in_class(response: object) -> object:
    return type("Config", (), {"shared": response, "__module__": "held_app"})


CASES: list[tuple[Hold, str]] = [
    (in_dict, "[cut: dict['https://host/a?token=…']]"),
    (in_list, "[cut: list[1]]"),
    (in_tuple_key, "dict[<tuple>] -> [cut: list[0]]"),
    (in_deque, "[cut: deque[1]]"),
    (in_queue, "Queue.queue -> [cut: deque[0]]"),
    (in_attribute, "[cut: Client.last]"),
    (in_slot, "[cut: Slotted.kept]"),
    (in_hostile, "[cut: Hostile.kept]"),
    (in_closure, "[cut: response (closure of handler())]"),
    (in_default, "[cut: default of handler()]"),
    (in_partial, "partial.args -> [cut: tuple[0]]"),
    (in_method, "bound method of Client -> [cut: Client.last]"),
    (in_cache, "[cut: lru_cache of fetch()]"),
    (in_generator, "[cut: kept (local of generator lines())]"),
    (
        in_exception,
        "LookupError.__traceback__ -> [cut: kept (local of traceback's fail())]",
    ),
    (in_future, "[cut: Future._result]"),
    (in_async_future, "[cut: Future._result]"),
    (in_set, "[cut: set item]"),
    (in_class, "[cut: Config.shared (class attribute)]"),
]


@pytest.fixture
def url(server: Server) -> str:
    return server.url("/bytes/90000")


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    module = types.ModuleType("held_app")
    module.__file__ = __file__
    monkeypatch.setitem(sys.modules, "held_app", module)
    return module


def hold_one(guard: GuardControl, app: Any, url: str, hold: Hold) -> str | None:
    """What is said of a response of urllib3 that the application keeps."""
    guard.install(max_idle=60, explain=GENEROUS)
    pool = urllib3.PoolManager()
    app.cache = hold(pool.request("GET", url, preload_content=False))
    guard.advance(100)
    (leak,) = guard.check().leaks
    assert (leak.kind, leak.count) == (LeakKind.HELD, 1)
    return leak.held_by


@pytest.mark.parametrize(("hold", "text"), CASES, ids=[c[0].__name__ for c in CASES])
def test_names(
    guard: GuardControl, app: types.ModuleType, url: str, hold: Hold, text: str
) -> None:
    held = hold_one(guard, app, url, hold)
    assert held == f"held_app.cache (module global) -> {text}"


@pytest.mark.parametrize("hold", [in_dict, in_slot, in_closure, in_generator, in_class])
def test_the_search_backward_names_the_same(
    guard: GuardControl,
    app: types.ModuleType,
    url: str,
    hold: Hold,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    forward = hold_one(guard, app, url, hold)
    monkeypatch.setattr(_holders._Search, "forward", lambda _search: None)
    target = _open()[0]
    backward = held_by(target(), ORIGINS, GENEROUS)
    assert backward == forward


def test_a_requests_response_and_a_local_of_another_thread(
    guard: GuardControl, url: str
) -> None:
    guard.install(max_idle=60, explain=GENEROUS)
    ready, done = threading.Event(), threading.Event()

    def work() -> None:
        page = requests.get(url, stream=True)  # WORK
        ready.set()
        done.wait()
        page.close()

    thread = threading.Thread(target=work)
    thread.start()
    ready.wait()
    guard.advance(100)
    (leak,) = guard.check().leaks
    done.set()
    thread.join()
    line = work.__code__.co_firstlineno + 3
    root = f"page (local of work() at test_held_by.py:{line})"
    assert leak.held_by == f"[cut: {root}] -> Response.raw"
    assert guard.check().counters["resolved"] == 1


def test_nothing_is_kept_alive_and_healthy_ones_are_not_searched(
    guard: GuardControl,
    app: types.ModuleType,
    url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hold_one(guard, app, url, in_attribute)
    (reference,) = _open()
    del app.cache
    assert reference() is None

    searched: list[object] = []
    monkeypatch.setattr("httpguard._leases.held.held_by", lambda *a: searched.append(a))
    with urllib3.PoolManager().request("GET", url, preload_content=False) as response:
        guard.advance(30)
        guard.check()
        response.drain_conn()
    urllib3.PoolManager().request("GET", url, preload_content=False)
    assert guard.check().counters["dropped"] == 1
    assert searched == []


class Lazy(types.ModuleType):
    """A module that does things when it is asked for its names."""

    @property
    def __dict__(self) -> dict[str, Any]:  # type: ignore[override]
        raise AssertionError


def test_modules_run_nothing(
    guard: GuardControl,
    app: types.ModuleType,
    url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "lazy", Lazy("lazy"))
    assert hold_one(guard, app, url, in_list)
    assert guard.check().counters["errors"] == 0


def test_a_site_is_searched_once(
    guard: GuardControl, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    searched = []

    def search(*_: object) -> str:
        searched.append(1)
        return "somebody"

    monkeypatch.setattr("httpguard._leases.held.held_by", search)
    guard.install(max_idle=60)
    pool = urllib3.PoolManager(maxsize=3)
    kept = [pool.request("GET", url, preload_content=False) for _ in range(3)]
    guard.advance(100)
    (leak,) = guard.check().leaks
    assert (leak.count, leak.held_by, len(searched)) == (3, "somebody", 1)
    for response in kept:
        response.release_conn()


def test_explain_0_searches_nothing(
    guard: GuardControl, app: types.ModuleType, url: str
) -> None:
    guard.install(max_idle=60, explain=0)
    app.cache = urllib3.PoolManager().request("GET", url, preload_content=False)  # type: ignore[attr-defined]
    guard.advance(100)
    (leak,) = guard.check().leaks
    assert leak.held_by is None


def test_what_is_still_open_when_a_scope_ends_is_explained(
    guard: GuardControl, app: types.ModuleType, url: str
) -> None:
    guard.install(explain=GENEROUS)
    with pytest.raises(httpguard.LeakError) as caught, httpguard.no_leaks():
        app.cache = [requests.get(url, stream=True)]  # type: ignore[attr-defined]
    (leak,) = caught.value.leaks
    held = "held_app.cache (module global) -> [cut: list[0]] -> Response.raw"
    assert (leak.kind, leak.held_by) == (LeakKind.OPEN, held)


def test_no_time_finds_nothing_and_breaks_nothing(
    guard: GuardControl, app: types.ModuleType, url: str
) -> None:
    guard.install(max_idle=60, explain=1e-9)
    cache: dict[int, list[object]] = {index: [index] for index in range(1000)}
    cache[-1] = [urllib3.PoolManager().request("GET", url, preload_content=False)]
    app.cache = [[[cache]]]  # type: ignore[attr-defined]
    del cache
    guard.advance(100)
    (leak,) = guard.check().leaks
    assert (leak.kind, leak.held_by) == (LeakKind.HELD, None)
    assert guard.check().counters["errors"] == 0


def test_the_end_of_a_large_container_is_seen(
    guard: GuardControl, app: types.ModuleType, url: str
) -> None:
    def last(response: object) -> object:
        return [*([[0] for _ in range(50_000)]), response]

    held = hold_one(guard, app, url, last)
    assert held == "held_app.cache (module global) -> [cut: list[50000]]"


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("name", "'name'"),
        ("x" * 100, f"'{'x' * 60}...'"),
        ("a\nb", "'a\\nb'"),
        (7, "7"),
        (None, "None"),
        (("a",), "<tuple>"),
        ("/items?token=S3CR3T&user=bob", "'/items?token=…&user=…'"),
        ("token=S3CR3T", "'token=…'"),
        ("sk_live_4eC39HqLyjWDarjtT1zdp7dc", "'…'"),
        (b"sk_live_4eC39HqLyjWDarjtT1zdp7dc", "b'…'"),
        ("orders/2024", "'orders/2024'"),
        (Slotted(1), "<Slotted>"),
    ],
)
def test_keys(key: object, text: str) -> None:
    assert key_text(key) == text


def test_the_list_is_named_not_the_loops_variable(
    guard: GuardControl, url: str
) -> None:
    guard.install(max_idle=60, explain=GENEROUS)
    pool = urllib3.PoolManager()

    def work() -> str | None:
        bodies = [pool.request("GET", url, preload_content=False) for _ in range(3)]
        for body in bodies:
            body.read(10)
        guard.check()
        guard.advance(100)
        (leak,) = guard.check().leaks
        return leak.held_by

    held = str(work())
    assert held.startswith("bodies (local of work()")
    assert " -> [cut: list[" in held


def test_a_module_with_two_names_has_its_first(
    guard: GuardControl,
    app: types.ModuleType,
    url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "__mp_held_app__", app)
    held = hold_one(guard, app, url, in_list)
    assert held == "held_app.cache (module global) -> [cut: list[1]]"


class Knot:
    """Refers to itself."""

    def __init__(self, kept: object) -> None:
        self.kept = kept
        self.knot = self


def test_what_only_a_cycle_keeps(guard: GuardControl, url: str) -> None:
    guard.install(max_idle=60, explain=GENEROUS)
    gc.collect()
    gc.disable()
    try:
        Knot(urllib3.PoolManager().request("GET", url, preload_content=False))
        guard.advance(100)
        (leak,) = guard.check().leaks
    finally:
        gc.enable()
    assert str(leak.held_by).startswith("only a reference cycle (HTTPResponse, ")
    assert "Knot" in str(leak.held_by)


def _open() -> list[Any]:
    """The leases that are open: weak references to their responses."""
    guard = _process.current()
    assert guard is not None
    return list(guard.registry.leases.values())


def test_the_look_leaves_no_copy_of_the_locals(guard: GuardControl, url: str) -> None:
    guard.install(max_idle=60, explain=GENEROUS)

    def work() -> None:
        mine = locals()
        kept = urllib3.PoolManager().request("GET", url, preload_content=False)
        (reference,) = _open()
        guard.advance(100)
        (leak,) = guard.check().leaks
        assert "kept (local of work()" in str(leak.held_by)
        del kept
        if sys.version_info >= (3, 13):
            assert reference() is None
        assert "url" in mine

    def other() -> None:
        kept = urllib3.PoolManager().request("GET", url, preload_content=False)
        (reference,) = _open()
        guard.advance(100)
        guard.check()
        del kept
        assert reference() is None

    work()
    httpguard.uninstall()
    guard.install(max_idle=60, explain=GENEROUS)
    other()
