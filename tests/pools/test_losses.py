"""Slots that leaks have taken: found by one thread, given back by another."""

from __future__ import annotations

import sys
import threading
from collections import deque
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from httpguard import LeakKind
from httpguard._model.leak import Frame
from httpguard._pools.slot import Losses

if TYPE_CHECKING:
    from collections.abc import Iterator

_TIMES = 20_000
SITES = [Frame("app.py", line, "fetch", application=True) for line in range(1, 60)]


@pytest.fixture(autouse=True)
def _in_turns() -> Iterator[None]:
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_threads_may_count_and_give_back_at_once() -> None:
    losses = Losses()
    todo: deque[tuple[Any, Frame]] = deque()
    failed: list[Exception] = []

    def count() -> None:
        for number in range(_TIMES):
            taker = SimpleNamespace(
                kind=LeakKind.DROPPED, slot=None, turn=0, lost=False
            )
            site = SITES[number % len(SITES)]
            losses.add(taker, site)
            todo.append((taker, site))

    def give_back() -> None:
        left = _TIMES
        try:
            while left:
                if todo:
                    losses.remove(*todo.popleft())
                    left -= 1
                assert min(losses.by_site.values(), default=1) > 0
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=work) for work in (count, give_back) * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert (losses.count, losses.by_site) == (0, {})
