"""httpx and httpx2: who reads, who waits, what comes back, and what is left alone."""

from __future__ import annotations

import asyncio
import gc
import importlib
import operator
import subprocess
import sys
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any

import pytest

import httpguard
from httpguard import LeakKind
from httpguard._clients.httpx import reclaiming
from httpguard._clients.httpx.below import core_stream
from httpguard._clients.httpx.client import CLIENTS

from ._loops import run_asyncio, run_trio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.conftest import GuardControl
    from tests.server import Server

trio = pytest.importorskip("trio")


def found() -> list[tuple[LeakKind, int]]:
    """What was found so far: kind and count."""
    return [(leak.kind, leak.count) for leak in httpguard.check().leaks]


async def opened(client: Any, url: str) -> Any:
    return await client.send(client.build_request("GET", url), stream=True)


def test_a_response_that_a_task_keeps_is_held(
    httpx: Any, run: Any, guard: GuardControl, server: Server
) -> None:
    guard.install(max_idle=30)

    async def program() -> None:
        async with httpx.AsyncClient() as client:
            response = await opened(client, server.url("/lines"))
            guard.check()
            guard.advance(40)
            (leak,) = guard.check().leaks
            assert (leak.kind, leak.count) == (LeakKind.HELD, 1)
            assert leak.site.function == "opened"
            assert leak.client == httpx.__name__
            assert "aclose" in leak.hint
            assert not response.is_closed

    run(program)


def test_a_task_that_waits_in_a_read_is_a_reader(
    httpx: Any, run: Any, guard: GuardControl, server: Server
) -> None:
    guard.install(max_idle=30)
    key = f"{httpx.__name__}-{run.__name__}"

    async def program() -> None:
        sleep = asyncio.sleep if run is run_asyncio else trio.sleep
        async with httpx.AsyncClient(timeout=60) as client:
            response = await opened(client, server.url(f"/slow/{key}"))

            async def finish() -> None:
                await sleep(0.05)
                for _ in range(3):
                    guard.check()
                    guard.advance(40)
                    assert guard.check().leaks == ()
                await client.get(server.url(f"/finish/{key}"))

            if run is run_asyncio:
                task = asyncio.create_task(finish())
                await response.aread()
                await task
            else:
                async with trio.open_nursery() as tasks:
                    tasks.start_soon(finish)
                    await response.aread()
            assert response.num_bytes_downloaded == 90_000

    run(program)
    assert found() == []


def test_a_generator_parked_at_its_yield_is_no_reader(
    httpx: Any, run: Any, guard: GuardControl, server: Server
) -> None:
    guard.install(max_idle=30)

    async def program() -> None:
        async with httpx.AsyncClient() as client:
            response = await opened(client, server.url("/lines"))
            chunks = response.aiter_raw(10)
            assert await anext_of(chunks)
            guard.check()
            guard.advance(40)
            guard.check()
            assert found() == [(LeakKind.HELD, 1)]
            await chunks.aclose()

    run(program)


async def anext_of(chunks: Any) -> Any:
    """As `anext`."""
    return await chunks.__anext__()


def test_another_thread_looks_twice_at_what_tasks_read(
    httpx: Any, guard: GuardControl, server: Server
) -> None:
    guard.install(max_idle=30)

    async def program() -> None:
        async with httpx.AsyncClient() as client:
            response = await opened(client, server.url("/lines"))
            guard.check()
            guard.advance(40)
            await asyncio.to_thread(guard.check)
            assert httpguard.snapshot().leaks == ()
            await asyncio.to_thread(guard.check)
            assert found() == [(LeakKind.HELD, 1)]
            await response.aclose()

    run_asyncio(program)


def test_a_thread_that_waits_in_a_read_is_a_reader(
    httpx: Any, guard: GuardControl, server: Server
) -> None:
    guard.install(max_idle=30)
    key = f"thread-{httpx.__name__}"
    with httpx.Client() as client:
        request = client.build_request("GET", server.url(f"/slow/{key}"))
        response = client.send(request, stream=True)
        thread = threading.Thread(target=response.read)
        thread.start()
        while response.num_bytes_downloaded < 10:
            time.sleep(0.001)
        for _ in range(3):
            guard.check()
            guard.advance(40)
            assert guard.check().leaks == ()
        client.get(server.url(f"/finish/{key}"))
        thread.join()
    assert found() == []


def test_a_pool_timeout_says_who_holds_the_slots(
    httpx: Any, guard: GuardControl, server: Server
) -> None:
    guard.install()
    limits = httpx.Limits(max_connections=2)
    with httpx.Client(limits=limits, timeout=httpx.Timeout(30, pool=0.1)) as client:
        kept = []
        for _ in range(2):
            request = client.build_request("GET", server.url("/lines"))
            kept.append(client.send(request, stream=True))
        with pytest.raises(httpx.PoolTimeout) as raised:
            client.get(server.url("/lines"))
        if hasattr(raised.value, "add_note"):
            (note,) = raised.value.__notes__
            assert "test_httpx.py" in note
        del kept


def test_a_pool_timeout_in_a_task_says_who_lost_the_slots(
    httpx: Any, run: Any, guard: GuardControl, server: Server
) -> None:
    guard.install()

    async def program() -> None:
        limits = httpx.Limits(max_connections=2)
        timeout = httpx.Timeout(30, pool=0.1)
        async with httpx.AsyncClient(limits=limits, timeout=timeout) as client:
            for _ in range(2):
                await opened(client, server.url("/lines"))
            gc.collect()
            with pytest.raises(httpx.PoolTimeout) as raised:
                await client.get(server.url("/lines"))
            if hasattr(raised.value, "add_note"):
                (note,) = raised.value.__notes__
                assert "2" in note
                assert "opened" in note or "test_httpx.py" in note
                assert "under way" not in note

    run(program)
    assert found() == [(LeakKind.DROPPED, 2)]


def test_figures_of_a_pool(httpx: Any, guard: GuardControl, server: Server) -> None:
    guard.install()
    with httpx.Client() as client:
        client.get(server.url("/lines"))
        client.get(server.url("/lines"))
        request = client.build_request("GET", server.url("/lines"))
        response = client.send(request, stream=True)
        (pool,) = guard.check().pools
        assert (pool.in_use, pool.idle, pool.connected, pool.reused) == (1, 0, 1, 2)
        assert pool.maxsize == 100
        response.close()
        (pool,) = guard.check().pools
        assert pool.in_use == 0


def test_on_held_close_closes_what_no_thread_reads(
    httpx: Any, guard: GuardControl, server: Server
) -> None:
    guard.install(max_idle=30, on_held="close")
    with httpx.Client() as client:
        request = client.build_request("GET", server.url("/lines"))
        response = client.send(request, stream=True)
        guard.check()
        guard.advance(40)
        assert guard.check().counters["held_closed"] == 1
        assert response.is_closed
        with pytest.raises(httpx.StreamClosed) as raised:
            response.read()
        if hasattr(raised.value, "add_note"):
            assert "on_held" in raised.value.__notes__[0]


def test_on_held_close_leaves_those_of_tasks(
    httpx: Any, run: Any, guard: GuardControl, server: Server
) -> None:
    guard.install(max_idle=30, on_held="close")

    async def program() -> None:
        async with httpx.AsyncClient() as client:
            response = await opened(client, server.url("/lines"))
            guard.check()
            guard.advance(40)
            assert guard.check().counters["held_closed"] == 0
            assert not response.is_closed
            assert await response.aread()

    run(program)
    assert found() == [(LeakKind.HELD, 1)]


def test_strict_raises_in_the_task_that_opened_one_too_many(
    httpx: Any, run: Any, guard: GuardControl, server: Server
) -> None:
    guard.install(strict=True, max_open=1)

    async def program() -> None:
        async with httpx.AsyncClient() as client:
            first = await opened(client, server.url("/lines"))
            with pytest.raises(httpguard.LeakError):
                await opened(client, server.url("/lines"))
            await first.aclose()

    run(program)


def test_clients_that_one_line_makes_and_never_closes(
    httpx: Any, guard: GuardControl, server: Server
) -> None:
    guard.install(max_sessions=3, max_idle=30)
    kept = []
    for _ in range(5):
        client = httpx.Client()
        client.get(server.url("/lines"))
        kept.append(client)
    guard.check()
    guard.advance(40)
    assert found() == [(LeakKind.SESSION, 2)]
    for client in kept:
        client.close()


def test_clients_that_are_closed_are_no_crowd(
    httpx: Any, guard: GuardControl, server: Server
) -> None:
    guard.install(max_sessions=3, max_idle=30)
    kept = []
    for _ in range(5):
        with httpx.Client() as client:
            client.get(server.url("/lines"))
        kept.append(client)
    guard.check()
    guard.advance(40)
    assert found() == []


def test_uninstall_gives_every_attribute_back(guard: GuardControl, httpx: Any) -> None:
    name = httpx.__name__
    core = importlib.import_module(name.replace("httpx", "httpcore"))
    owners = [httpx.Client, httpx.AsyncClient]
    for side in ("_sync", "_async"):
        module = importlib.import_module(f"{core.__name__}.{side}.connection_pool")
        prefix = "Async" if side == "_async" else ""
        owners += [
            module.PoolByteStream,
            getattr(module, f"{prefix}PoolRequest"),
            getattr(module, f"{prefix}ConnectionPool"),
        ]
    before = [dict(vars(owner)) for owner in owners]
    guard.install()
    changed = [dict(vars(owner)) for owner in owners]
    assert all(now != then for now, then in zip(changed, before, strict=True))
    httpguard.uninstall()
    assert [dict(vars(owner)) for owner in owners] == before


def test_reclaim_gives_the_slots_of_dropped_responses_back(
    httpx: Any, guard: GuardControl, server: Server
) -> None:
    guard.install(reclaim=True)
    limits = httpx.Limits(max_connections=2)
    with httpx.Client(limits=limits, timeout=httpx.Timeout(30, pool=30)) as client:
        for _ in range(6):
            request = client.build_request("GET", server.url("/lines"))
            client.send(request, stream=True)
        assert client.get(server.url("/lines")).status_code == 200
        guard.check()  # Of two looks that have to agree.
        assert found() == [(LeakKind.DROPPED, 6)]
        (pool,) = guard.check().pools
        assert pool.in_use == 0
        assert pool.lost == 0
        assert guard.check().counters["reclaimed"] == 6


def test_reclaim_has_the_loop_give_slots_back(
    httpx: Any, run: Any, guard: GuardControl, server: Server
) -> None:
    guard.install(reclaim=True)

    async def program() -> None:
        limits = httpx.Limits(max_connections=2)
        timeout = httpx.Timeout(30, pool=30)
        async with httpx.AsyncClient(limits=limits, timeout=timeout) as client:
            for _ in range(6):
                await opened(client, server.url("/lines"))
                guard.advance(1)  # Garbage may be collected for who waits, again.
            assert (await client.get(server.url("/lines"))).status_code == 200
            # That may have had to wait for one of the last two alone.
            gc.collect()
            assert (await client.get(server.url("/lines"))).status_code == 200

    run(program)
    assert found() == [(LeakKind.DROPPED, 6)]
    assert guard.check().counters["reclaimed"] == 6


def test_reclaim_gives_back_what_is_lost_in_one_turn_of_the_loop(
    httpx: Any, run: Any, guard: GuardControl, server: Server
) -> None:
    guard.install(reclaim=True)

    async def program() -> None:
        url, limits = server.url("/lines"), httpx.Limits(max_connections=3)
        timeout = httpx.Timeout(30, pool=30)
        async with httpx.AsyncClient(limits=limits, timeout=timeout) as client:
            for _ in range(3):
                await opened(client, url)
            guard.check()
            guard.check()
            kept = [await opened(client, url) for _ in range(3)]
            for response in kept:
                await response.aread()

    run(program)
    assert found() == [(LeakKind.DROPPED, 3)]
    assert guard.check().counters["reclaimed"] == 3


def test_reclaim_gives_back_a_connection_that_others_were_promised(
    guard: GuardControl, server: Server
) -> None:
    httpx = pytest.importorskip("httpx")
    from httpcore._async.connection_pool import AsyncPoolRequest

    guard.install(reclaim=True)

    async def program() -> None:
        url, limits = server.url("/lines"), httpx.Limits(max_connections=1)
        timeout = httpx.Timeout(30, pool=30)
        async with httpx.AsyncClient(limits=limits, timeout=timeout) as client:
            await opened(client, url)
            pool = client._transport._pool
            # As a task whose turn has not come since.
            waits = AsyncPoolRequest(pool._requests[0].request)
            waits.assign_to_connection(pool._connections[0])
            pool._requests.insert(0, waits)
            guard.check()
            guard.check()
            await asyncio.sleep(0.1)
            assert pool._requests == [waits]
            pool._requests.clear()
            assert (await client.get(url)).status_code == 200

    asyncio.run(program())
    assert found() == [(LeakKind.DROPPED, 1)]
    assert guard.check().counters["reclaimed"] == 1


def test_reclaim_tries_again_what_was_in_hands(
    httpx: Any,
    run: Any,
    guard: GuardControl,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A look of another thread refers to a response for a moment."""
    guard.install(reclaim=True)
    is_lost: Any = reclaiming.Mark.is_lost
    answers = [False]
    again = property(lambda mark: answers.pop() if answers else is_lost.fget(mark))
    monkeypatch.setattr(reclaiming.Mark, "is_lost", again)

    async def program() -> None:
        url, limits = server.url("/lines"), httpx.Limits(max_connections=1)
        timeout = httpx.Timeout(30, pool=30)
        async with httpx.AsyncClient(limits=limits, timeout=timeout) as client:
            await opened(client, url)
            for _ in range(3):
                guard.check()
            assert answers == []
            assert (await client.get(url)).status_code == 200

    run(program)
    assert found() == [(LeakKind.DROPPED, 1)]
    assert guard.check().counters["reclaimed"] == 1


def test_without_reclaim_slots_stay_lost(
    httpx: Any, guard: GuardControl, server: Server
) -> None:
    guard.install()
    with httpx.Client(limits=httpx.Limits(max_connections=2)) as client:
        for _ in range(2):
            request = client.build_request("GET", server.url("/lines"))
            client.send(request, stream=True)
        gc.collect()
        assert found() == [(LeakKind.DROPPED, 2)]
        (pool,) = guard.check().pools
        assert pool.lost == 2
        assert pool.in_use == 0


def test_reclaim_leaves_what_somebody_has(
    httpx: Any, guard: GuardControl, server: Server
) -> None:
    guard.install(reclaim=True)
    limits = httpx.Limits(max_connections=1)
    with httpx.Client(limits=limits, timeout=httpx.Timeout(30, pool=0.1)) as client:
        request = client.build_request("GET", server.url("/lines"))
        stream = client.send(request, stream=True).stream
        with pytest.raises(httpx.PoolTimeout):
            client.get(server.url("/lines"))
        assert sum(map(len, stream)) == 90_000


def test_what_respx_answers_has_no_lease(guard: GuardControl) -> None:
    respx = pytest.importorskip("respx")
    httpx = pytest.importorskip("httpx")
    guard.install()
    with respx.mock:
        respx.get("http://service.invalid/").respond(200, text="x")
        with httpx.Client() as client:
            request = client.build_request("GET", "http://service.invalid/")
            assert client.send(request, stream=True).status_code == 200
        gc.collect()
    assert guard.check().counters["opened"] == 0


@pytest.mark.parametrize("first", ["guard", "instrumentation"])
def test_beside_the_instrumentation_of_opentelemetry(
    first: str, guard: GuardControl, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    telemetry = pytest.importorskip("opentelemetry.instrumentation.httpx")
    httpx = pytest.importorskip("httpx")
    # It does not take off what lies below another's function.
    for kind, name in (
        (httpx.HTTPTransport, "handle_request"),
        (httpx.AsyncHTTPTransport, "handle_async_request"),
    ):
        monkeypatch.setattr(kind, name, vars(kind)[name])
    before = dict(vars(httpx.Client)), dict(vars(httpx.AsyncClient))
    instrumentor = telemetry.HTTPXClientInstrumentor()

    def leak() -> None:
        with httpx.Client() as client:
            client.get(server.url("/lines"))
            with client.stream("GET", server.url("/lines")) as response:
                response.read()
            request = client.build_request("GET", server.url("/lines"))
            client.send(request, stream=True)
            gc.collect()

    def both_leak() -> None:
        leak()

        async def program() -> None:
            async with httpx.AsyncClient() as client:
                await client.get(server.url("/lines"))
                await opened(client, server.url("/lines"))
                gc.collect()

        asyncio.run(program())

    if first == "guard":
        guard.install()
    instrumentor.instrument()
    try:
        if first != "guard":
            guard.install()
        both_leak()
        assert found() == [(LeakKind.DROPPED, 1), (LeakKind.DROPPED, 1)]
    finally:
        instrumentor.uninstrument()
    both_leak()
    assert found() == [(LeakKind.DROPPED, 2), (LeakKind.DROPPED, 2)]
    assert guard.check().counters["errors"] == 0
    httpguard.uninstall()
    assert (dict(vars(httpx.Client)), dict(vars(httpx.AsyncClient))) == before


def test_a_name_that_gives_the_other_package_is_patched_once() -> None:
    pytest.importorskip("httpx2")
    program = """
import httpx2
httpx2.alias_httpx()
import httpx, httpguard
httpguard.install(check_interval=0)
assert httpx is httpx2
assert not hasattr(httpx.Client.send.__wrapped__, "__wrapped__")
assert httpguard.check().counters["errors"] == 0
httpguard.uninstall()
assert not hasattr(httpx.Client.send, "__wrapped__")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "stepped aside" not in done.stderr


def test_a_client_that_is_not_imported_is_not_imported_by_us() -> None:
    program = """
import sys, httpguard
httpguard.install(check_interval=0)
clients = {"httpx", "httpx2", "httpcore", "httpcore2", "trio", "anyio"}
assert not clients & {*sys.modules}
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.usefixtures("no_collections")
def test_a_dropped_response_is_found_before_it_is_collected(
    httpx: Any, guard: GuardControl, server: Server
) -> None:
    guard.install()
    with httpx.Client() as client:
        for _ in range(3):
            request = client.build_request("GET", server.url("/lines"))
            response = client.send(request, stream=True)
        line = sys._getframe().f_lineno - 1
        dead = weakref.ref(response)
        httpguard.check()
        del request, response
        # One look may come at a wrong moment: two have to agree. The first two
        # responses have been looked at before.
        (leak,) = guard.check().leaks
        assert leak.count == (2 if httpx.__name__ == "httpx" else 3)
        (leak,) = guard.check().leaks
        assert (leak.kind, leak.count) == (LeakKind.DROPPED, 3)
        assert leak.site.lineno == line
        assert (dead() is not None) == (httpx.__name__ == "httpx")
        assert guard.check().open == ()
        # It is the same leak once it is collected.
        gc.collect()
        assert dead() is None
        assert found() == [(LeakKind.DROPPED, 3)]


@pytest.mark.usefixtures("no_collections")
def test_a_task_s_dropped_response_is_found_before_it_is_collected(
    httpx: Any, run: Any, guard: GuardControl, server: Server
) -> None:
    guard.install()

    async def program() -> None:
        async with httpx.AsyncClient() as client:
            for _ in range(3):
                await opened(client, server.url("/lines"))
            guard.check()
            guard.check()
            assert found() == [(LeakKind.DROPPED, 3)]

    run(program)


@pytest.mark.usefixtures("no_collections")
@pytest.mark.parametrize(
    "part", ["", "stream", "stream._stream", "stream._stream._httpcore_stream"]
)
def test_a_response_of_which_somebody_has_a_part_is_not_forgotten(
    part: str, httpx: Any, guard: GuardControl, server: Server
) -> None:
    guard.install()
    with httpx.Client() as client:
        request = client.build_request("GET", server.url("/lines"))
        response = client.send(request, stream=True)
        kept = operator.attrgetter(part)(response) if part else response
        if httpx.__name__ == "httpx":
            # Of httpx2, a response dies without the stream's help.
            del response
        for _ in range(3):
            guard.check()
        assert found() == []
        kept.close()
        assert guard.check().counters["released"] == 1


@pytest.mark.usefixtures("no_collections")
def test_reclaim_closes_what_is_forgotten_and_not_collected(
    guard: GuardControl, server: Server
) -> None:
    httpx = pytest.importorskip("httpx")
    guard.install(reclaim=True)
    limits = httpx.Limits(max_connections=2)
    with httpx.Client(limits=limits, timeout=httpx.Timeout(30, pool=0.1)) as client:
        for _ in range(2):
            request = client.build_request("GET", server.url("/lines"))
            client.send(request, stream=True)
        guard.check()
        guard.check()
        assert guard.check().counters["reclaimed"] == 2
        assert client.get(server.url("/lines")).status_code == 200
        gc.collect()
        (pool,) = guard.check().pools
        assert (pool.in_use, pool.lost) == (0, 0)
    assert found() == [(LeakKind.DROPPED, 2)]


def test_anyio_s_stream_tells_who_reads(
    httpx: Any, guard: GuardControl, server: Server
) -> None:
    """So that no sweep walks the heap for what asyncio reads."""
    guard.install(max_idle=30)
    key = f"{httpx.__name__}-anyio"

    async def program() -> None:
        async with httpx.AsyncClient() as client:
            response = await opened(client, server.url(f"/slow/{key}"))
            is_awaited = CLIENTS[httpx.__name__][1].is_awaited
            assert is_awaited(response) is False
            task = asyncio.create_task(response.aread())
            while not is_awaited(response):  # noqa: ASYNC110  # It is to be seen.
                await asyncio.sleep(0)
            await client.get(server.url(f"/finish/{key}"))
            await task

    run_asyncio(program)


def test_one_sweep_looks_for_few_among_all_objects(
    httpx: Any, guard: GuardControl, server: Server
) -> None:
    """Under trio, whose streams do not tell; each is found in the end."""
    guard.install(max_idle=30, max_open=None)

    async def program() -> None:
        async with httpx.AsyncClient() as client:
            kept = [await opened(client, server.url("/lines")) for _ in range(25)]
            guard.check()
            guard.advance(40)
            for count in (10, 20, 25):
                assert found() == [(LeakKind.HELD, count)]
            for response in kept:
                await response.aclose()

    run_trio(program)


@pytest.mark.parametrize("anew", [False, True])
def test_what_a_transport_hands_on_is_one_response(
    *, httpx: Any, anew: bool, guard: GuardControl, server: Server
) -> None:
    class Transport(httpx.BaseTransport):  # type: ignore[misc]
        """The program's own, around the one that sends."""

        def __init__(self) -> None:
            self.below = httpx.HTTPTransport()

        def handle_request(self, request: Any) -> Any:
            got = self.below.handle_request(request)
            if not anew:
                return got
            return httpx.Response(
                got.status_code,
                headers=got.headers,
                stream=got.stream,
                extensions=got.extensions,
            )

        def close(self) -> None:
            self.below.close()

    guard.install()
    with httpx.Client(transport=Transport()) as client:
        client.get(server.url("/bytes/10"))
        with client.stream("GET", server.url("/bytes/10")) as response:
            response.read()
        counters = guard.check().counters
        assert (counters["opened"], counters["released"]) == (2, 2)
        request = client.build_request("GET", server.url("/bytes/900000"))
        client.send(request, stream=True)  # LEAK
        gc.collect()
        guard.check()
        state = guard.check()
    (leak,) = state.leaks
    assert (leak.kind, leak.count, leak.site.filename) == (
        LeakKind.DROPPED,
        1,
        __file__,
    )
    assert (state.counters["opened"], state.counters["released"]) == (3, 2)


@pytest.mark.parametrize("closes", [True, False])
@pytest.mark.parametrize("extensions", [True, False])
def test_a_transport_may_put_a_stream_of_its_own_around(
    *, httpx: Any, closes: bool, extensions: bool, guard: GuardControl, server: Server
) -> None:
    """What its stream can close is the application's, whatever it calls what is below.

    What it never closes, the transport has lost.
    """

    class Counted(httpx.SyncByteStream):  # type: ignore[misc]
        def __init__(self, below: Any) -> None:
            self.notes: list[int] = []
            self.source = below

        def __iter__(self) -> Iterator[bytes]:
            for chunk in self.source:
                self.notes.append(len(chunk))
                yield chunk

    if closes:
        Counted.close = lambda self: self.source.close()

    class Transport(httpx.HTTPTransport):  # type: ignore[misc]
        def handle_request(self, request: Any) -> Any:
            got = super().handle_request(request)
            return httpx.Response(
                got.status_code,
                headers=got.headers,
                stream=Counted(got.stream),
                extensions=got.extensions if extensions else {},
            )

    def status(client: Any, *, end: bool) -> Any:
        request = client.build_request("GET", server.url("/bytes/900000"))
        response = client.send(request, stream=True)
        if end:
            response.close()
        return response

    guard.install(max_idle=30)
    with httpx.Client(transport=Transport()) as client:
        status(client, end=True)
        gc.collect()
        guard.check()
        lost = [(one.kind, one.site.function) for one in guard.check().leaks]
        if not closes:
            assert lost == [(LeakKind.DROPPED, "handle_request")]
            return
        assert not lost
        kept = status(client, end=False)
        status(client, end=False)
        gc.collect()
        guard.check()
        guard.advance(40)
        found = {leak.kind: leak for leak in guard.check().leaks}
        assert set(found) == {LeakKind.DROPPED, LeakKind.HELD}
        for leak in found.values():
            assert (leak.count, leak.site.function) == (1, "status")
        kept.close()


# What has lain where one of them lay may be anything: of so many, one is free.
SEVERAL = 8


def taking_the_place_of(kept: list[Any], kind: Any) -> Any:
    """A class of streams the next of which has the id of a response's that is dropped.

    Args:
        kept: The responses, which are dropped and collected as that stream is made.
    """

    class Again(kind):  # type: ignore[misc]
        __slots__ = ()

        def __new__(cls, *_: object, **__: object) -> Any:
            if not kept:
                return object.__new__(cls)
            keys = {id(core_stream(response)) for response in kept}
            kept.clear()
            gc.collect()
            return one_of(keys, cls)

    return Again


def one_of(keys: set[int], kind: Any) -> Any:
    """An object of a kind that has the id of one of those that are gone."""
    others = [made := object.__new__(kind)]
    while id(made) not in keys and len(others) < 100_000:
        others.append(made := object.__new__(kind))
    assert id(made) in keys
    return made


def test_what_takes_the_place_of_a_generator_s_response_is_not_that(
    httpx: Any, run: Any, guard: GuardControl, server: Server
) -> None:
    """Nobody revives it: it is told at once."""

    class Other:
        async def aclose(self) -> None:
            """As what may be closed has it."""

    guard.install()

    async def program() -> None:
        async with httpx.AsyncClient() as client:

            async def pages() -> AsyncIterator[Any]:
                yield await opened(client, server.url("/lines"))

            kept = [page for _ in range(SEVERAL) async for page in pages()]
            keys = {id(core_stream(page)) for page in kept}
            kept.clear()
            gc.collect()
            other = one_of(keys, Other)
            assert found() == [(LeakKind.DROPPED, SEVERAL)]
            del other

    run(program)


def test_nor_is_another_response_that_takes_its_place(
    httpx: Any,
    run: Any,
    guard: GuardControl,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    guard.install()
    module = core_module(httpx, "_async")

    async def program() -> None:
        async with httpx.AsyncClient() as client:

            async def pages() -> AsyncIterator[Any]:
                yield await opened(client, server.url("/lines"))

            kept = [page for _ in range(SEVERAL) async for page in pages()]
            again = taking_the_place_of(kept, module.PoolByteStream)
            monkeypatch.setattr(module, "PoolByteStream", again)
            other = await opened(client, server.url("/lines"))
            assert kept == []
            assert found() == [(LeakKind.DROPPED, SEVERAL)]
            await other.aclose()

    run(program)


def core_module(httpx: Any, side: str) -> Any:
    name = httpx.__name__.replace("httpx", "httpcore")
    return importlib.import_module(f"{name}.{side}.connection_pool")


def test_a_plain_request_ends_no_response_that_is_collected_meanwhile(
    httpx: Any, guard: GuardControl, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    guard.install()
    module = core_module(httpx, "_sync")
    with httpx.Client() as client:
        request = client.build_request("GET", server.url("/lines"))
        kept = [client.send(request, stream=True) for _ in range(SEVERAL)]
        again = taking_the_place_of(kept, module.PoolByteStream)
        monkeypatch.setattr(module, "PoolByteStream", again)
        assert client.get(server.url("/bytes/10")).status_code == 200
        assert kept == []
        assert found() == [(LeakKind.DROPPED, SEVERAL)]


def test_nor_does_one_of_a_task(
    httpx: Any,
    run: Any,
    guard: GuardControl,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    guard.install()
    module = core_module(httpx, "_async")

    async def program() -> None:
        async with httpx.AsyncClient() as client:
            kept = [await opened(client, server.url("/lines")) for _ in range(SEVERAL)]
            again = taking_the_place_of(kept, module.PoolByteStream)
            monkeypatch.setattr(module, "PoolByteStream", again)
            assert (await client.get(server.url("/bytes/10"))).status_code == 200
            assert kept == []
            assert found() == [(LeakKind.DROPPED, SEVERAL)]

    run(program)
