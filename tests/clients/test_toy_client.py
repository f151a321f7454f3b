"""The client of ``docs/adding-a-client.md``, as it stands there."""

from __future__ import annotations

import importlib.util
import re
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

import httpguard
from httpguard import LeakKind
from httpguard import _clients as clients
from httpguard._stacks.running import frames_of_threads
from tests.program import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from httpguard import Leak
    from tests.conftest import GuardControl

PAGE = (ROOT / "docs" / "adding-a-client.md").read_text("utf-8")
BLOCKS = dict(re.findall(r'```python title="([\w.]+)"\n(.*?)```', PAGE, re.DOTALL))


@pytest.fixture
def toyhttp(
    guard: GuardControl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Any]:
    """The toy library, its client registered; no guard yet."""
    assert guard
    for name, text in BLOCKS.items():
        (tmp_path / name).write_text(text, "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    # As if it lay in the folder of the clients.
    spec = importlib.util.spec_from_file_location(
        "httpguard._clients.toy", tmp_path / "client.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(clients, "PACKAGES", (*clients.PACKAGES, module.PACKAGE))
    import toyhttp  # type: ignore[import-not-found]

    yield toyhttp
    httpguard.uninstall()
    del sys.modules["toyhttp"]


def line_here() -> int:
    return sys._getframe(1).f_lineno


def only(leaks: tuple[Leak, ...], kind: LeakKind, line: int, count: int = 1) -> Leak:
    (leak,) = leaks
    assert (leak.kind, leak.site.lineno, leak.count) == (kind, line, count)
    assert leak.site.filename == __file__
    assert leak.client == "toyhttp"
    return leak


def test_the_library_is_small() -> None:
    lines = [line for line in BLOCKS["toyhttp.py"].splitlines() if line.strip()]
    assert len(lines) <= 60, len(lines)


def test_dropped(guard: GuardControl, toyhttp: Any) -> None:
    guard.install()
    line = line_here() + 1
    toyhttp.Pool("shop.example").request("/orders")
    leak = only(guard.check().leaks, LeakKind.DROPPED, line)
    assert leak.hint == "read it to its end, or close and release it (dropped)"
    assert (leak.url, leak.status) == ("http://shop.example/orders", 200)
    assert (leak.bytes_read, leak.length) == (0, toyhttp.LENGTH)
    # The client's own frames are below the site.
    assert leak.stack[-1].lineno == line


def test_frames_of_the_client_are_passed_over(
    guard: GuardControl, toyhttp: Any
) -> None:
    guard.install()
    line = line_here() + 1
    toyhttp.Session().get("shop.example", "/orders")
    leak = only(guard.check().leaks, LeakKind.DROPPED, line)
    assert leak.stack[-1].filename == toyhttp.__file__


def test_read_to_its_end(guard: GuardControl, toyhttp: Any) -> None:
    guard.install()
    pool = toyhttp.Pool("shop.example")
    for _ in range(3):
        response = pool.request("/orders")
        while response.connection is not None:
            response.read(300)
        del response
    state = guard.check()
    assert state.leaks == ()
    assert state.counters["opened"] == state.counters["released"] == 3
    assert (state.counters["connected"], state.counters["reused"]) == (1, 2)
    (use,) = state.pools
    assert (use.in_use, use.idle, use.lost) == (0, 1, 0)


def test_held(guard: GuardControl, toyhttp: Any) -> None:
    guard.install(max_idle=60)
    pool = toyhttp.Pool("shop.example")
    line = line_here() + 1
    kept = pool.request("/orders")
    guard.advance(100)
    only(guard.check().leaks, LeakKind.HELD, line)
    kept.read()
    state = guard.check()
    assert state.counters["resolved"] == 1


def test_read_now_and_then_is_not_held(guard: GuardControl, toyhttp: Any) -> None:
    guard.install(max_idle=60)
    kept = toyhttp.Pool("shop.example").request("/orders")
    for _ in range(3):
        guard.advance(50)
        kept.read(100)
        assert guard.check().leaks == ()


def test_whoever_waits_for_it_reads_it(guard: GuardControl, toyhttp: Any) -> None:
    guard.install(max_idle=60)
    response = toyhttp.Pool("shop.example").request("/orders")
    connection = response.connection
    assert len(connection.sock.recv(toyhttp.LENGTH)) == toyhttp.LENGTH
    reader = threading.Thread(target=response.read, daemon=True)
    guard.check()
    reader.start()  # Nothing comes until the server sends once more.
    assert reader.ident is not None
    while frames_of_threads()[reader.ident].f_code.co_name != "read":
        time.sleep(0.001)
    guard.advance(100)
    for _ in range(3):
        guard.advance(100)
        guard.check()
    connection.send("/more")
    reader.join()
    assert guard.check().leaks == ()


def test_closed_for_the_program(guard: GuardControl, toyhttp: Any) -> None:
    guard.install(max_idle=60, on_held="close")
    pool = toyhttp.Pool("shop.example")
    kept = pool.request("/orders")
    guard.advance(100)
    state = guard.check()
    assert state.counters["held_closed"] == 1
    assert kept.closed
    assert state.pools[0].lost == 0


def test_closed_where_nobody_waits_for_the_slot(
    guard: GuardControl, toyhttp: Any
) -> None:
    guard.install()
    toyhttp.Pool("shop.example", block=False).request("/orders").close()
    state = guard.check()
    assert state.leaks == ()
    assert state.counters["closed"] == 1


def test_unreleased(guard: GuardControl, toyhttp: Any) -> None:
    guard.install()
    pool = toyhttp.Pool("shop.example")
    line = line_here() + 1
    pool.request("/orders").close()
    state = guard.check()
    only(state.leaks, LeakKind.UNRELEASED, line)
    (use,) = state.pools
    assert (use.lost, use.maxsize, use.block) == (1, 2, True)


def test_closed_and_released(guard: GuardControl, toyhttp: Any) -> None:
    guard.install()
    response = toyhttp.Pool("shop.example").request("/orders")
    response.close()
    response.release()
    state = guard.check()
    assert state.leaks == ()
    assert state.counters["released"] == 1


def test_a_lost_slot_is_given_back(guard: GuardControl, toyhttp: Any) -> None:
    guard.install(reclaim=True)
    pool = toyhttp.Pool("shop.example", 1)
    pool.request("/orders").close()
    assert pool.idle.qsize() == 0
    state = guard.check()
    assert (state.counters["unreleased"], state.counters["reclaimed"]) == (1, 1)
    pool.request("/orders").read()
    assert pool.idle.qsize() == 1


def test_a_connection_that_comes_late_is_not_put_back_twice(
    guard: GuardControl, toyhttp: Any
) -> None:
    guard.install(reclaim=True)
    pool = toyhttp.Pool("shop.example", 1)
    connection = pool.request("/orders").connection
    assert guard.check().counters["reclaimed"] == 1
    pool.put(connection)
    assert pool.idle.qsize() == 1
    assert connection.sock is None


def test_an_empty_pool_says_who_has_its_connections(
    guard: GuardControl, toyhttp: Any
) -> None:
    guard.install()
    pool = toyhttp.Pool("shop.example", 1)
    line = line_here() + 1
    pool.request("/orders").close()
    with pytest.raises(toyhttp.PoolEmpty) as caught:
        pool.request("/orders")
    if sys.version_info >= (3, 11):
        (note,) = caught.value.__notes__
        assert f"test_toy_client.py:{line} " in note
    assert guard.check().pools[0].waited == 1


def test_a_crowd_of_sessions(guard: GuardControl, toyhttp: Any) -> None:
    guard.install(max_sessions=3, max_idle=60)
    kept = []
    for _ in range(6):
        line = line_here() + 1
        session = toyhttp.Session()
        session.get("shop.example", "/orders").read()
        kept.append(session)
    guard.advance(100)
    guard.check()
    guard.advance(100)
    leak = only(guard.check().leaks, LeakKind.SESSION, line, count=3)
    assert (leak.alive, leak.sockets) == (6, 6)


def test_sessions_that_are_closed(guard: GuardControl, toyhttp: Any) -> None:
    guard.install(max_sessions=3, max_idle=60)
    kept = []
    for _ in range(6):
        session = toyhttp.Session()
        session.get("shop.example", "/orders").read()
        session.close()
        kept.append(session)
    for _ in range(2):
        guard.advance(100)
        assert guard.check().leaks == ()


def test_strict(guard: GuardControl, toyhttp: Any) -> None:
    guard.install(strict=True)
    pool = toyhttp.Pool("shop.example")
    pool.request("/orders")
    with pytest.raises(httpguard.LeakError, match="leak dropped"):
        pool.request("/orders")
    httpguard.check()


def test_open_at_the_end_of_a_scope(guard: GuardControl, toyhttp: Any) -> None:
    guard.install()
    kept = []
    with pytest.raises(httpguard.LeakError) as caught, httpguard.no_leaks():
        line = line_here() + 1
        kept.append(toyhttp.Pool("shop.example").request("/orders"))
    only(caught.value.leaks, LeakKind.OPEN, line)


def test_uninstall_gives_every_attribute_back(
    guard: GuardControl, toyhttp: Any
) -> None:
    kinds = (toyhttp.Connection, toyhttp.Response, toyhttp.Pool, toyhttp.Session)
    before = [dict(vars(kind)) for kind in kinds]
    guard.install()
    patched = [dict(vars(kind)) for kind in kinds]
    assert patched != before
    httpguard.uninstall()
    for kind, attributes in zip(kinds, before, strict=True):
        assert dict(vars(kind)) == attributes
    guard.install()
    assert [vars(kind).keys() for kind in kinds] == [x.keys() for x in patched]
    assert [dict(vars(kind)) for kind in kinds] != before
