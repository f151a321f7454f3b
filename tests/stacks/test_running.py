"""Frames of threads: how they are looked at."""

from __future__ import annotations

import gc
import sys
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from httpguard._stacks.running import frames_of_threads

if TYPE_CHECKING:
    from types import FrameType


class Local:
    pass


@pytest.mark.parametrize("enabled", [True, False])
def test_no_line_runs_while_the_collector_is_off(*, enabled: bool) -> None:
    seen: list[bool] = []

    def note(_frame: FrameType, _event: str, _argument: Any) -> None:
        seen.append(gc.isenabled())

    if not enabled:
        gc.disable()
    sys.setprofile(note)
    try:
        frames_of_threads()
    finally:
        sys.setprofile(None)
        after = gc.isenabled()
        gc.enable()
    assert seen
    assert set(seen) == {enabled}
    assert after is enabled


def test_the_collector_is_on_after_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise RuntimeError("an audit hook")

    monkeypatch.setattr(sys, "_current_frames", refuse)
    with pytest.raises(RuntimeError):
        frames_of_threads()
    assert gc.isenabled()


def test_a_look_keeps_nothing() -> None:
    def looks() -> weakref.ref[Local]:
        local = Local()
        frames_of_threads()
        return weakref.ref(local)

    gc.disable()
    try:
        assert looks()() is None
    finally:
        gc.enable()
