"""Looks at all objects, which break no tuple that another thread is making."""

from __future__ import annotations

import gc
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from httpguard._stacks.heap import objects, referrers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LOOKS = 15


class Kept:
    pass


@pytest.fixture
def often() -> Iterator[None]:
    """Other threads have their turns far more often."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def broken(look: Callable[[], Any], item: object) -> int:
    """How many tuples break that threads make of one item, again and again."""
    over = threading.Event()
    errors: list[SystemError] = []

    def make() -> None:
        while not over.is_set():
            try:
                tuple(item for _ in range(25))
            except SystemError as error:  # noqa: PERF203  # One of many.
                errors.append(error)

    threads = [threading.Thread(target=make) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(LOOKS):
            for found in look():
                del found
    finally:
        over.set()
        for thread in threads:
            thread.join()
    return len(errors)


@pytest.mark.usefixtures("often")
def test_no_tuple_breaks_that_is_being_made() -> None:
    kept = Kept()
    assert broken(objects, kept) == 0
    assert broken(lambda: referrers(kept), kept) == 0


def made(look: Callable[[], Any]) -> tuple[int, ...]:
    """A tuple that is made while all is looked at, and what was found is kept."""
    found = []

    def items() -> Iterator[int]:
        for item in range(25):
            found.append(look())
            yield item

    return tuple(items())


@pytest.mark.usefixtures("small_heap")
def test_what_is_found_has_no_tuple_that_is_being_made() -> None:
    kept = Kept()
    assert made(objects) == made(lambda: referrers(kept)) == tuple(range(25))


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="mended in CPython 3.14")
@pytest.mark.usefixtures("small_heap")
def test_the_collectors_own_list_has() -> None:
    with pytest.raises(SystemError):
        made(gc.get_objects)


def test_all_is_found() -> None:
    kept = Kept()
    box, pair = [kept], (kept, 1)
    found = objects()
    assert any(one is kept for one in found)
    assert any(one is box for one in found)
    # From CPython 3.14 on no tuple in the making is among the collector's.
    seen = any(one is pair for one in found)
    assert seen == (sys.version_info >= (3, 14))
    del found
    around = referrers(kept)
    assert any(one is box for one in around)
    assert any(one is pair for one in around)


def test_what_was_found_is_let_go_without_the_collector() -> None:
    one: list[Any] = [[]]
    gc.collect()
    gc.disable()
    try:
        before = sys.getrefcount(one[0])
        assert sum(item is one for item in objects()) == 1
        assert sum(item is one for item in referrers(one[0])) == 1
        after = sys.getrefcount(one[0])
        assert after == before
    finally:
        gc.enable()
