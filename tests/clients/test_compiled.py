"""What is compiled does what the Python code does, or leaves it to that."""

from __future__ import annotations

import _thread
import asyncio
import contextlib
import decimal
import gc
import importlib
import random
import sys
import threading
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import requests
import structlog.contextvars
import urllib3
from structlog.contextvars import bound_contextvars
from urllib3.response import HTTPResponse

import httpguard
from httpguard._clients.urllib3 import compiled as _compiled
from httpguard._clients.urllib3.mocks import KNOWN
from httpguard._clients.urllib3.pools import POOLS
from httpguard._leases.lease import Lease
from httpguard._leases.threads import running
from httpguard._process import process as _process
from httpguard._stacks.raw import CUT
from tests.program import line_of, run, watchers, write

from ._registry import begun_in, registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.conftest import GuardControl
    from tests.server import Server

    Opener = Callable[[str], Any]

# Of this one, functions are replaced.
_responses: Any = importlib.import_module("httpguard._clients.urllib3.responses")

compiled_only = pytest.mark.skipif(
    _compiled.begin_lease is None, reason="nothing is compiled for this interpreter"
)
# More than it takes until a line's stacks are kept in brief.
OFTEN = 20
BODY = "/bytes/90000"


def by_manager(url: str) -> Any:
    return urllib3.PoolManager().request("GET", url, preload_content=False)


def by_manager_urlopen(url: str) -> Any:
    return urllib3.PoolManager().urlopen("PUT", url, body=b"x", preload_content=False)


def by_pool(url: str) -> Any:
    pool = urllib3.connection_from_url(url)
    return pool.request("GET", BODY, preload_content=False)


def by_pool_urlopen(url: str) -> Any:
    pool = urllib3.connection_from_url(url)
    return pool.urlopen("GET", BODY, preload_content=False)


def by_blocking(url: str) -> Any:
    pool = urllib3.connection_from_url(url, block=True)
    response = pool.request("GET", BODY, preload_content=False)
    end(response)
    # Of the second turn of its slot.
    return pool.request("GET", BODY, preload_content=False)


def by_requests(url: str) -> Any:
    return requests.get(url, stream=True)


def by_session(url: str) -> Any:
    return requests.Session().request("POST", url, data=b"x", stream=True)


def by_adapter(url: str) -> Any:
    request = requests.Request("GET", url).prepare()
    return requests.adapters.HTTPAdapter().send(request, stream=True)


def by_redirect(url: str) -> Any:
    """By a `urlopen` that calls itself."""
    pool = urllib3.connection_from_url(url)
    return pool.urlopen("GET", "/redirect/2", preload_content=False)


OPENERS: dict[str, Opener] = {
    name: function for name, function in globals().items() if name.startswith("by_")
}
CLIENTS = dict.fromkeys(("by_adapter", "by_requests", "by_session"), "requests")
# What the compiled code leaves to Python code.
LOOKED_AT = {"by_redirect"}
# Those that have seven frames at the bottom of a thread, others have fewer.
SEVEN = {"by_manager", "by_requests"}


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Each response whose lease Python code opened."""
    return begun_in(_responses, monkeypatch)


@contextlib.contextmanager
def engine(*, compiled: bool) -> Iterator[None]:
    """With what is compiled, or without."""
    was = _responses.begin_lease
    _responses.begin_lease = was if compiled else None
    try:
        yield
    finally:
        _responses.begin_lease = was


def end(response: Any) -> None:
    """Read to the end."""
    if isinstance(response, requests.Response):
        assert response.content is not None
    else:
        response.read()
        response.release_conn()


class Short(threading.Thread):
    """A thread with few frames."""

    def __init__(self, function: Callable[[], Any]) -> None:
        super().__init__(name="short")
        self.function = function

    def run(self) -> None:
        with bound_contextvars(request_id="r1"):
            self.result = self.function()


def here(function: Callable[[], Any]) -> Any:
    """What a function returns, called from the many frames of a test."""
    with bound_contextvars(request_id="r1"):
        return function()


def shallow(function: Callable[[], Any]) -> Any:
    """What a function returns, called from the bottom of a thread."""
    thread = Short(function)
    thread.start()
    thread.join()
    return thread.result


def stranger(function: Callable[[], Any]) -> Any:
    """What a function returns in a thread that `threading` does not know."""
    results: list[Any] = []
    done = _thread.allocate_lock()
    done.acquire()

    def call() -> None:
        results.append(here(function))
        done.release()

    _thread.start_new_thread(call, ())
    done.acquire()
    return results[0]


def in_scope(function: Callable[[], Any]) -> Any:
    """What a function returns within a scope, and in one that is over."""
    with SCOPE:
        return here(function)


def in_task(function: Callable[[], Any]) -> Any:
    """What a function returns in a task."""

    async def task() -> Any:
        return here(function)

    return asyncio.run(task())


def in_trio(function: Callable[[], Any]) -> Any:
    """What a function returns in a task of trio."""
    trio = pytest.importorskip("trio")

    async def task() -> Any:
        return here(function)

    return trio.run(task)


SCOPE = httpguard.allow("a test")


def facts(lease: Lease) -> dict[str, Any]:
    """All that a lease has, but what differs from response to response."""
    found = {name: getattr(lease, name) for name in Lease.__slots__ if name[0] != "_"}
    assert found.pop("slot")() is not None
    found["runner"] = type(found["runner"]), found["runner"] == running()[0]
    found["thread"] = found["thread"].rstrip("0123456789")
    found["scope"] = found["scope"] and found["scope"].reason
    assert found.pop("key") in registry().leases
    found["pool"] = found["pool"].name
    found["context"] = found["context"] and dict(found["context"]())
    found["rare"] = vars(lease)
    return found


def open_with(
    opener: Opener, url: str, *, compiled: bool, wrap: Callable[[Any], Any]
) -> dict[str, Any]:
    with engine(compiled=compiled):
        response = wrap(partial(opener, url))
        (lease,) = registry().leases.values()
        found = facts(lease)
        end(response)
    assert not registry().leases
    return found


@compiled_only
@pytest.mark.parametrize("wrap", [here, shallow, stranger, in_scope, in_task, in_trio])
@pytest.mark.parametrize("name", OPENERS)
def test_a_lease_is_the_same(
    name: str,
    wrap: Callable[[Any], Any],
    guard: GuardControl,
    server: Server,
    added: list[Any],
) -> None:
    guard.install()
    url = server.url(BODY)
    for compiled in [False] * OFTEN + [True, False]:
        added.clear()
        found = open_with(OPENERS[name], url, compiled=compiled, wrap=wrap)
        if compiled:
            ours = found
        assert bool(added) == (not compiled or name in LOOKED_AT)
    assert ours == found
    assert ours["opened"] == guard.now
    deep = wrap in {here, in_task, in_trio} or (wrap is shallow and name in SEVEN)
    assert (ours["stack"][-2] is CUT) == deep
    assert ours["client"].name == CLIENTS.get(name, "urllib3")
    assert "r1" in ours["context"].values()


@compiled_only
def test_a_span_alone_is_kept(
    guard: GuardControl,
    server: Server,
    added: list[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trace = pytest.importorskip("opentelemetry.trace")
    monkeypatch.setattr(structlog.contextvars, "_CONTEXT_VARS", {})
    guard.install()
    span = trace.NonRecordingSpan(trace.SpanContext(1, 2, is_remote=False))
    for within, kept in (
        (contextlib.nullcontext(), None),
        (trace.use_span(span), {"trace_id": f"{1:032x}", "span_id": f"{2:016x}"}),
        # What else is in the context is nothing to tell.
        (decimal.localcontext(), None),
    ):
        with within:
            response = by_manager(server.url(BODY))
        (lease,) = registry().leases.values()
        found = lease.context and dict(lease.context())
        assert found == (kept and {**kept, "trace_flags": "00"})
        end(response)
    assert not added


@compiled_only
@pytest.mark.parametrize("opener", [by_manager, by_requests])
def test_a_line_that_is_not_proven_keeps_its_whole_stack(
    opener: Opener, guard: GuardControl, server: Server
) -> None:
    guard.install()
    kept = []
    for compiled in (False, *[True] * OFTEN):
        found = open_with(opener, server.url(BODY), compiled=compiled, wrap=here)
        kept.append(found["stack"])
    # Known after the sixteenth.
    assert [stack[-2] is CUT for stack in kept] == [False] * 16 + [True] * 5
    assert set(kept[:16]) == {kept[0]}
    assert kept[16] == (*kept[0][:12], CUT, 0)


def own_page(function: Callable[[], Any]) -> Any:
    _process.PROCESS.addresses.add(("nowhere", 1))
    try:
        return function()
    finally:
        _process.PROCESS.addresses.clear()


def send_itself(url: str) -> Any:
    manager = urllib3.PoolManager()

    class Client:
        def send(self) -> Any:
            return manager.connection_from_url(url).urlopen(
                "GET", url, preload_content=False
            )

    return Client().send()


@compiled_only
@pytest.mark.parametrize(
    ("settings", "opener", "wrap"),
    [
        ({}, by_redirect, here),
        ({"stack_depth": 5}, by_requests, here),
        ({"follow_executors": True}, by_requests, here),
    ],
)
def test_what_is_out_of_the_ordinary_is_left_to_python(  # noqa: PLR0917
    settings: dict[str, Any],
    opener: Opener,
    wrap: Callable[[Any], Any],
    guard: GuardControl,
    server: Server,
    added: list[Any],
) -> None:
    guard.install(**settings)
    for _ in range(OFTEN):
        end(wrap(partial(opener, server.url(BODY))))
    # A redirect comes by several times.
    assert len(added) >= OFTEN
    assert httpguard.snapshot().counters["opened"] == OFTEN
    # And nothing of that stays.
    assert not registry().leases


@compiled_only
def test_a_session_of_tests_hears_of_each_lease(
    guard: GuardControl, server: Server
) -> None:
    guard.install()
    claimed: list[Any] = []
    registry().claim_by(claimed.append)
    for _ in range(OFTEN):
        end(by_requests(server.url(BODY)))
    # A lease and a session each.
    assert Counter(type(each) for each in claimed)[Lease] == OFTEN
    claimed.clear()
    registry().claim_by(None)
    end(by_requests(server.url(BODY)))
    assert not claimed


@compiled_only
@pytest.mark.parametrize("opener", [by_manager, by_requests])
def test_one_too_many_is_raised_by_its_own_request(
    opener: Opener, guard: GuardControl, server: Server, added: list[Any]
) -> None:
    guard.install(max_open=2, strict=True)
    end(opener(server.url(BODY)))
    added.clear()
    kept = [opener(server.url(BODY)) for _ in range(2)]
    with pytest.raises(httpguard.LeakError, match="max_open is 2"):
        opener(server.url(BODY))
    assert not added
    assert len(registry().leases) == 2
    for response in kept:
        end(response)


@compiled_only
@pytest.mark.parametrize("opener", [by_manager, by_requests])
def test_a_page_that_is_served_leaves_it_compiled(
    opener: Opener, guard: GuardControl, server: Server, added: list[Any]
) -> None:
    guard.install()
    url = server.url(BODY)
    for _ in range(OFTEN):
        end(opener(url))
    added.clear()
    own_page(lambda: end(opener(url)))
    assert not added
    assert httpguard.snapshot().counters["opened"] == OFTEN + 1


@compiled_only
@pytest.mark.parametrize("opener", [by_manager, by_requests])
def test_a_registry_that_starts_anew_counts_anew(
    opener: Opener, guard: GuardControl, server: Server, added: list[Any]
) -> None:
    """As in a forked child."""
    guard.install()
    for _ in range(OFTEN):
        end(opener(server.url(BODY)))
    registry().forget()
    added.clear()
    response = opener(server.url(BODY))
    (lease,) = registry().leases.values()
    assert lease.pool in registry().pools.known.values()
    assert httpguard.snapshot().counters["opened"] == 1
    assert not added
    end(response)


@compiled_only
def test_the_watcher_starts_with_the_first_lease_all_the_same(
    guard: GuardControl, server: Server
) -> None:
    guard.install(check_interval=60)
    assert not watchers()
    end(by_requests(server.url(BODY)))
    assert watchers()


@compiled_only
@pytest.mark.parametrize("what", ["response", "body", "socket"])
@pytest.mark.parametrize("opener", [by_manager, by_requests])
def test_mocks_get_no_lease(
    opener: Opener, what: str, guard: GuardControl, server: Server
) -> None:
    guard.install()
    for _ in range(OFTEN):
        end(opener(server.url(BODY)))
    opened = httpguard.snapshot().counters["opened"]
    known: Any = KNOWN[["response", "body", "socket"].index(what)]
    replaced = dict(known)
    known.update(dict.fromkeys(known, False))
    try:
        response = opener(server.url(BODY))
        assert not registry().leases
    finally:
        known.update(replaced)
    assert httpguard.snapshot().counters["opened"] == opened
    response.close()


@compiled_only
def test_who_took_the_method_before_it_was_patched_is_guarded(
    guard: GuardControl, server: Server
) -> None:
    send = requests.adapters.HTTPAdapter.send
    guard.install()
    request = requests.Request("GET", server.url(BODY)).prepare()
    adapter = requests.adapters.HTTPAdapter()
    for _ in range(OFTEN):
        end(send(adapter, request, stream=True))
    send(adapter, request, stream=True)
    assert [leak.count for leak in guard.check().leaks] == [1]


@compiled_only
def test_a_pool_at_the_address_of_another_is_met_anew(
    guard: GuardControl, server: Server
) -> None:
    guard.install()
    pool = urllib3.connection_from_url(server.url("/"))
    other = urllib3.connection_from_url("http://other")
    for _ in range(OFTEN):
        end(pool.request("GET", BODY, preload_content=False))
    known = registry().pools.known
    known[id(pool)] = registry().pools.meet(other, POOLS, guard.now)
    response = pool.request("GET", BODY, preload_content=False)
    (lease,) = registry().leases.values()
    assert lease.pool() is pool
    end(response)


@compiled_only
def test_what_was_read_by_an_adapter_has_no_lease(
    guard: GuardControl, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    class Reading(requests.adapters.HTTPAdapter):
        def build_response(self, req: Any, resp: Any) -> requests.Response:
            response = super().build_response(req, resp)
            assert response.content
            return response

    guard.install()
    session = requests.Session()
    session.mount("http://", Reading())
    for _ in range(OFTEN):
        session.get(server.url(BODY), stream=True)
    assert httpguard.snapshot().counters["opened"] == 0
    assert not caplog.records


@compiled_only
@pytest.mark.parametrize("share", [0.0, 0.25])
def test_a_share_keeps_its_stack(
    share: float, guard: GuardControl, server: Server, added: list[Any]
) -> None:
    guard.install(sample=share)
    manager = urllib3.PoolManager()
    kept = []
    random.seed(7)
    for _ in range(400):
        response = manager.request("GET", server.url("/bytes/9"), preload_content=False)
        (lease,) = registry().leases.values()
        kept.append(lease.stack is not None)
        end(response)
    assert httpguard.snapshot().counters["opened"] == 400
    assert abs(sum(kept) - 400 * share) <= 40
    # The first one, if its classes were not known.
    assert len(added) <= 1


@compiled_only
def test_a_failure_costs_the_lease_alone(
    guard: GuardControl,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    guard.install()
    for _ in range(OFTEN):
        end(by_manager(server.url(BODY)))

    opened = httpguard.snapshot().counters["opened"]

    def fail() -> float:
        raise RuntimeError("no time")

    swift = registry().swift
    assert swift is not None
    swift = tuple(fail if part is registry().clock else part for part in swift)
    monkeypatch.setattr(registry(), "swift", swift)
    response = by_manager(server.url(BODY))
    assert response.status == 200
    assert not registry().leases
    monkeypatch.undo()
    assert httpguard.snapshot().counters["opened"] == opened
    assert [text.split(" and ")[0] for text in caplog.messages] == [
        "httpguard failed in urlopen"
    ]
    end(response)


def references(parts: tuple[Any, ...]) -> list[int]:
    gc.collect()
    httpguard.check()  # Forgets the sessions that were collected.
    # Not of what others refer to as well: numbers, and what the server's threads run.
    return [
        sys.getrefcount(part)
        for part in parts
        if gc.is_tracked(part) and part is not vars(threading)
    ]


def leases() -> int:
    return sum(type(item) is Lease for item in gc.get_objects())


@compiled_only
@pytest.mark.parametrize(
    "opener", [by_manager, by_pool_urlopen, by_requests, send_itself, by_redirect]
)
def test_nothing_is_kept_and_nothing_is_given_away(
    opener: Opener, guard: GuardControl, server: Server
) -> None:
    guard.install()
    url = server.url(BODY)
    for _ in range(OFTEN):
        end(opener(url))
    swift = registry().swift
    assert swift is not None
    parts = (*swift, *KNOWN, HTTPResponse, opener.__code__)
    before = references(parts), sys.getrefcount(opener.__code__), leases()
    for _ in range(100):
        end(opener(url))
    after = references(parts), sys.getrefcount(opener.__code__), leases()
    assert after == before


@compiled_only
@pytest.mark.parametrize("client", ["urllib3", "requests"])
def test_nothing_of_a_pool_is_kept(
    client: str, guard: GuardControl, server: Server
) -> None:
    guard.install()
    manager = urllib3.PoolManager()
    session = requests.Session()
    url = server.url(BODY)

    def once() -> Any:
        response: Any = (
            session.get(url, stream=True)
            if client == "requests"
            else manager.request("GET", url, preload_content=False)
        )
        connection = getattr(response, "raw", response)._connection
        end(response)
        return connection

    for _ in range(OFTEN):
        connection = once()
    (known,) = registry().pools.known.values()
    parts = (
        *(known, known(), known.slots, *known.slots.values(), connection),
        *(threading._active, threading.get_ident),  # type: ignore[attr-defined]
    )
    before = [sys.getrefcount(part) for part in parts]
    for _ in range(100):
        once()
    assert [sys.getrefcount(part) for part in parts] == before


@compiled_only
def test_it_takes_nothing_else() -> None:
    from httpguard._clients.urllib3._speedups import begin_lease

    for arguments in ((), (1,) * 8, ((), (), *[None] * 6)):
        with pytest.raises(TypeError, match="begin_lease: not what the patches pass"):
            begin_lease(*arguments)


WITHOUT = """
import sys
sys.modules["httpguard._clients.urllib3._speedups"] = None
import httpguard; httpguard.install()
from httpguard._clients.urllib3 import compiled as _compiled
import requests
def fetch():
    return requests.get(sys.argv[1], stream=True).status_code  # LEAK
for _ in range(20):
    requests.get(sys.argv[1], stream=True).content
fetch()
assert _compiled.begin_lease is None
for leak in httpguard.check().leaks:
    print(leak.kind, leak.count, leak.site.lineno)
"""


def test_all_works_without_it(tmp_path: Path, server: Server) -> None:
    program = write(tmp_path / "app.py", WITHOUT)
    done = run(program, server.url(BODY))
    assert done.stdout.split() == ["dropped", "1", str(line_of(WITHOUT, "# LEAK"))]
