"""Nothing that httpguard keeps grows with the number of requests."""

from __future__ import annotations

import functools
import gc
import linecache
import sys
from typing import TYPE_CHECKING, Any

import pytest
import requests
from urllib3 import HTTPConnectionPool

import httpguard
from benchmarks._kept import kept
from benchmarks._shapes import SHAPES, guarded, repeat
from benchmarks._transport import HOST, memory_session
from httpguard._leases.table import Verdicts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from httpguard._leases.lease import Lease
    from tests.conftest import GuardControl
    from tests.server import Server

FEW = 20
MOST = 8
# Some requests make their next one wait, and leave nothing but for that.
GROWTH = 12


@pytest.fixture(scope="module")
def small_heap_of_shapes() -> Iterator[None]:
    """Each shape has been made once, and what was there takes no collection's time."""
    for shape in SHAPES.values():
        with guarded(shape.settings) as tick:
            repeat(shape.make(), tick, range(2))
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def small_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every bound is reached by a few requests."""
    for name, module in list(sys.modules.items()):
        if name.startswith("httpguard."):
            for key, value in list(vars(module).items()):
                if key.lstrip("_").startswith("MOST_") and isinstance(value, int):
                    monkeypatch.setattr(module, key, min(value, MOST))


@pytest.mark.usefixtures("small_heap_of_shapes", "small_bounds")
@pytest.mark.parametrize("name", SHAPES)
def test_nothing_grows(name: str) -> None:
    shape = SHAPES[name]
    with guarded(shape.settings) as tick:
        step = shape.make()
        repeat(step, tick, range(FEW))
        gc.collect()
        before = kept()
        repeat(step, tick, range(FEW, 10 * FEW))
        gc.collect()
        after = kept()
        assert httpguard.snapshot().counters["errors"] == 0
    grown = {
        place: (before[place], size)
        for place, size in after.items()
        if size - before[place] > GROWTH
    }
    assert grown == {}


def test_no_cache_is_without_a_bound() -> None:
    caches = {
        f"{name}.{key}": value.cache_info().maxsize
        for name, module in list(sys.modules.items())
        if name.startswith("httpguard.")
        for key, value in vars(module).items()
        if hasattr(value, "cache_info")
    }
    assert caches
    assert None not in caches.values()


def test_classes_made_anew_are_given_back_and_collected(guard: GuardControl) -> None:
    guard.install()

    class Pool(HTTPConnectionPool):
        def urlopen(self, *args: Any, **kwargs: Any) -> Any:
            return super().urlopen(*args, **kwargs)

    own = Pool.__dict__["urlopen"].__wrapped__

    @functools.wraps(Pool.__dict__["urlopen"])
    def traced(self: Pool, *args: Any, **kwargs: Any) -> Any:
        return ours(self, *args, **kwargs)

    ours = Pool.__dict__["urlopen"]
    Pool.urlopen = traced  # type: ignore[method-assign]
    httpguard.uninstall()
    assert Pool.__dict__["urlopen"] is traced
    Pool.urlopen = ours  # type: ignore[method-assign]
    guard.install()
    httpguard.uninstall()
    assert Pool.__dict__["urlopen"] is own


def test_sources_without_end_do_not_fill_linecache(
    guard: GuardControl, server: Server, tmp_path: Path
) -> None:
    guard.install()
    before = len(linecache.cache)
    most = 2000
    for number in range(most + 50 - before):
        linecache.cache[f"taken {number}"] = (0, None, [], "")
    try:
        for number in range(10):
            file = tmp_path / f"made_{number}.py"
            file.write_text("response = get(url, stream=True)", encoding="utf-8")
            space = {"get": requests.get, "url": server.url("/bytes/90000")}
            exec(compile(file.read_text(encoding="utf-8"), file, "exec"), space)
            del space
            (leak, *_) = [
                leak for leak in guard.check().leaks if leak.site.filename == str(file)
            ]
            assert "response = get(url, stream=True)" in str(leak)
            assert str(file) not in linecache.cache
    finally:
        for number in range(most + 50 - before):
            linecache.cache.pop(f"taken {number}", None)


def test_many_open_responses_are_not_looked_at_for_each_request(
    guard: GuardControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    guard.install(max_open=10)
    looks = []
    crowd = Verdicts.crowd

    def looked(self: Verdicts) -> list[Lease]:
        looks.append(self)
        return crowd(self)

    monkeypatch.setattr(Verdicts, "crowd", looked)
    session = memory_session()
    opened = [session.get(f"http://{HOST}/", stream=True) for _ in range(320)]
    assert httpguard.snapshot().counters["too_many_open"] == 310
    looks.clear()
    opened += [session.get(f"http://{HOST}/", stream=True) for _ in range(40)]
    assert httpguard.snapshot().counters["too_many_open"] == 350
    assert 1 <= len(looks) <= 5
    with httpguard.allow("many"):
        opened += [session.get(f"http://{HOST}/", stream=True) for _ in range(40)]
    assert httpguard.snapshot().counters["too_many_open"] == 350
    for response in opened[10:360]:
        response.close()
        response.raw.release_conn()
    opened.append(session.get(f"http://{HOST}/", stream=True))
    assert httpguard.snapshot().counters["too_many_open"] == 351
    opened.pop().close()
    del opened[9:360]
    opened.append(session.get(f"http://{HOST}/", stream=True))
    assert httpguard.snapshot().counters["too_many_open"] == 351
