"""What was open before httpguard came is taken in, by every client."""

from __future__ import annotations

import asyncio
import gc
import http.client
import threading
import urllib.request
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import requests
import urllib3
from requests.adapters import HTTPAdapter

import httpguard
from httpguard import LeakKind, PoolUse
from httpguard._attach import adopted as _adopted
from httpguard._attach.adopted import Adopted
from tests.attach.programs import until
from tests.server import Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import GuardControl

BEFORE = "<opened before httpguard came>"


@pytest.fixture
def server() -> Iterator[Server]:
    """One of its own: pools to the common one may be alive in other tests' hands."""
    with Server() as running:
        yield running


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time enough for a slow machine to find what holds a response."""
    monkeypatch.setattr(_adopted, "_SEARCH", 60.0)


def come(guard: GuardControl) -> Adopted:
    """As `httpguard attach` does it, when other tests have let go of theirs."""
    gc.collect()
    guard.install()
    adopted = Adopted()
    adopted.look(60.0)
    return adopted


def pool_of(server: Server) -> PoolUse:
    """The only pool to this server."""
    (pool,) = [p for p in httpguard.snapshot().pools if p.name == server.url("")]
    return pool


def by_requests(url: str) -> tuple[Any, Callable[[], None]]:
    response = requests.Session().get(url, stream=True)
    return response, response.close


def by_urllib3(url: str) -> tuple[Any, Callable[[], None]]:
    response = urllib3.PoolManager().request("GET", url, preload_content=False)
    return response, response.release_conn


def by_httpx(url: str) -> tuple[Any, Callable[[], None]]:
    client = httpx.Client()
    response = client.send(client.build_request("GET", url), stream=True)
    return response, response.close


def by_urlopen(url: str) -> tuple[Any, Callable[[], None]]:
    response = urllib.request.urlopen(url)
    return response, response.close


def by_http_client(url: str) -> tuple[Any, Callable[[], None]]:
    connection = http.client.HTTPConnection(url.split("/")[2])
    connection.request("GET", "/" + url.split("/", 3)[3])
    response = connection.getresponse()
    # The connection has it too.
    return (response, connection), response.close


CASES = {
    "requests": by_requests,
    "urllib3": by_urllib3,
    "httpx": by_httpx,
    "urllib.request": by_urlopen,
    "http.client": by_http_client,
}


@pytest.mark.parametrize("client", CASES)
def test_an_open_response_is_taken_in_and_ends_well(
    client: str, guard: GuardControl, server: Server
) -> None:
    kept, close = CASES[client](server.url("/bytes/900000"))
    adopted = come(guard)
    (row,) = adopted.to_dict()["before"]
    assert row["client"] == client
    assert row["pool"] == server.url("")
    assert "kept" in row["held_by"]
    assert row["read_by"] is None
    (one,) = httpguard.snapshot().open
    assert one.site.filename == BEFORE
    close()
    snapshot = guard.check()
    assert not snapshot.open
    assert not snapshot.leaks
    assert snapshot.counters.opened == 1
    assert snapshot.counters.released + snapshot.counters.closed == 1
    assert not adopted.to_dict()["before"]
    del kept


@pytest.mark.parametrize("client", ["requests", "urllib3", "httpx"])
def test_it_is_judged_as_any_other(
    client: str, guard: GuardControl, server: Server
) -> None:
    kept, close = CASES[client](server.url("/bytes/900000"))
    come(guard)
    guard.advance(59)
    assert not guard.check().leaks
    guard.advance(2)
    (leak,) = guard.check().leaks
    assert (leak.kind, leak.count, leak.client) == (LeakKind.HELD, 1, client)
    assert (leak.site.filename, leak.site.function) == (BEFORE, server.url(""))
    assert "kept" in str(leak.held_by)
    assert str(leak).startswith("leak held (opened before httpguard came) · GET http")
    assert "since httpguard came, or longer" in str(leak)
    del kept
    close()


def test_dropped_later_is_dropped(guard: GuardControl, server: Server) -> None:
    kept = [by_requests(server.url("/bytes/900000"))[0]]
    come(guard)
    kept.clear()
    gc.collect()
    (leak,) = guard.check().leaks
    assert (leak.kind, leak.count) == (LeakKind.DROPPED, 1)
    assert leak.site.filename == BEFORE


def test_bytes_that_were_read_before_are_known(
    guard: GuardControl, server: Server
) -> None:
    response, _ = by_urllib3(server.url("/bytes/900000"))
    response.read(1000)
    (row,) = come(guard).to_dict()["before"]
    assert (row["bytes_read"], row["length"]) == (1000, 900_000)
    response.close()


def test_who_reads_is_told(guard: GuardControl, server: Server) -> None:
    response, _ = by_urllib3(server.url("/slow/key"))
    reader = threading.Thread(target=response.read, name="a reader", daemon=True)
    reader.start()
    (row,) = come(guard).to_dict()["before"]
    assert row["read_by"] == "a reader"
    guard.advance(100)
    assert not guard.check().leaks
    requests.get(server.url("/finish/key"))
    reader.join(30)


def test_what_has_ended_is_left_alone(guard: GuardControl, server: Server) -> None:
    for case in CASES.values():
        kept, close = case(server.url("/bytes/900000"))
        close()
        adopted = come(guard)
        assert not adopted.to_dict()["before"]
        httpguard.uninstall()
        del kept
    plain = requests.get(server.url("/bytes/9"))
    assert plain.ok
    assert not come(guard).to_dict()["before"]
    assert not httpguard.snapshot().open


def test_what_is_opened_later_has_its_line(guard: GuardControl, server: Server) -> None:
    come(guard)
    response = requests.get(server.url("/bytes/900000"), stream=True)
    (one,) = httpguard.snapshot().open
    assert one.site.filename == __file__
    response.close()


class TestPools:
    """Who has the slots of a pool that blocks."""

    def session(self) -> requests.Session:
        session = requests.Session()
        session.mount("http://", HTTPAdapter(pool_maxsize=2, pool_block=True))
        return session

    def test_a_starved_pool_tells_at_once(
        self, guard: GuardControl, server: Server
    ) -> None:
        session = self.session()
        kept = session.get(server.url("/bytes/900000"), stream=True)
        session.get(server.url("/bytes/900000"), stream=True)
        waiting = threading.Thread(
            target=session.get,
            args=(server.url("/bytes/9"),),
            name="a worker",
            daemon=True,
        )
        waiting.start()
        until(lambda: _waits(session))
        adopted = come(guard)
        (starved,) = adopted.to_dict()["starved"]
        (waiter,) = starved["waiters"]
        assert (waiter["count"], waiter["threads"]) == (1, ["a worker"])
        assert waiter["longer"]
        (lost,) = starved["lost"]
        assert (lost["kind"], lost["count"]) == ("dropped", 1)
        (held,) = starved["holders"]
        assert held["count"] == 1
        assert held["site"]["filename"] == lost["site"]["filename"] == BEFORE
        assert (starved["busy"], starved["unknown"]) == ([], 0)
        pool = pool_of(server)
        assert (pool.in_use, pool.lost, pool.waiting) == (1, 1, 1)
        kept.close()
        waiting.join(30)
        assert not adopted.to_dict()["starved"]
        assert pool_of(server).waiting == 0

    def test_a_request_under_way_has_lost_nothing(
        self, guard: GuardControl, server: Server
    ) -> None:
        session = self.session()
        busy = threading.Thread(
            target=session.get, args=(server.url("/slow/key"),), daemon=True
        )
        busy.start()
        until(lambda: _connected(session))
        adopted = come(guard)
        pool = pool_of(server)
        assert pool.lost == 0
        assert not adopted.to_dict()["starved"]
        requests.get(server.url("/finish/key"))
        busy.join(30)

    def test_closed_and_never_released_is_lost(
        self, guard: GuardControl, server: Server
    ) -> None:
        pool = urllib3.HTTPConnectionPool(
            server.host, server.port, block=True, maxsize=2
        )
        kept = pool.urlopen("GET", "/bytes/900000", preload_content=False)
        kept.close()
        come(guard)
        (leak,) = guard.check().leaks
        assert (leak.kind, leak.count) == (LeakKind.UNRELEASED, 1)
        assert leak.site.filename == BEFORE
        use = pool_of(server)
        assert (use.lost, use.maxsize) == (1, 2)

    def test_httpx_loses_slots(self, guard: GuardControl, server: Server) -> None:
        with httpx.Client(limits=httpx.Limits(max_connections=2)) as client:
            url = server.url("/bytes/900000")
            client.send(client.build_request("GET", url), stream=True)
            gc.collect()
            kept = client.send(client.build_request("GET", url), stream=True)
            come(guard)
            pool = pool_of(server)
            assert (pool.open, pool.lost, pool.maxsize) == (1, 1, 2)
            kept.close()

    def test_aiohttp_keeps_what_is_dropped(
        self, guard: GuardControl, server: Server
    ) -> None:
        aiohttp = pytest.importorskip("aiohttp")

        async def main() -> None:
            connector = aiohttp.TCPConnector(limit=2)
            async with aiohttp.ClientSession(connector=connector) as session:
                kept = await session.get(server.url("/bytes/900000?kept"))
                await drop(session)
                waiting = asyncio.create_task(drop(session), name="a task")
                await asyncio.sleep(0.2)
                gc.collect()
                adopted = Adopted()
                guard.install()
                await asyncio.to_thread(adopted.look, 5.0)
                told = await asyncio.to_thread(adopted.to_dict)
                (row,) = told["before"]
                assert row["client"] == "aiohttp"
                assert "kept" in row["held_by"]
                (leak,) = httpguard.snapshot().leaks
                assert (leak.kind, leak.count) == (LeakKind.DROPPED, 1)
                assert leak.site.filename == BEFORE
                (starved,) = told["starved"]
                (waiter,) = starved["waiters"]
                assert waiter["threads"] == ["a task"]
                assert waiter["site"]["function"] == "drop"
                kept.close()
                await waiting

        async def drop(session: Any) -> None:
            await session.get(server.url("/bytes/900000"))

        asyncio.run(main())


def _alive(kind: type) -> int:
    """How many of a class other tests have in hands."""
    gc.collect()
    return sum(type(one) is kind for one in gc.get_objects())


def test_sessions_of_unknown_lines_are_no_crowd(
    guard: GuardControl, server: Server
) -> None:
    others = _alive(requests.Session)
    sessions = [requests.Session() for _ in range(25)]
    for session in sessions:
        session.get(server.url("/bytes/9"))
    adopted = come(guard)
    assert adopted.to_dict()["sessions"] == {"requests": others + 25}
    guard.advance(100)
    for session in sessions:
        session.get(server.url("/bytes/9").replace("127.0.0.1", "localhost"))
    guard.advance(100)
    guard.check()
    guard.advance(100)
    assert not guard.check().leaks
    for session in sessions:
        session.close()


def _waits(session: requests.Session) -> bool:
    pool = _pool(session)
    return bool(pool.pool.not_empty._waiters)


def _connected(session: requests.Session) -> bool:
    try:
        return bool(_pool(session).num_requests == 1)
    except StopIteration:
        return False


def _pool(session: requests.Session) -> Any:
    adapter: Any = session.get_adapter("http://")
    return next(iter(adapter.poolmanager.pools._container.values()))
