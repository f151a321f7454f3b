"""Frames of threads: how they are looked at."""

from __future__ import annotations

import gc
import sys
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from httpguard._stacks.running import frames_of_threads
from tests.program import run, write

if TYPE_CHECKING:
    from pathlib import Path
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


# A collection in the middle of a look, in which another thread goes on to its end.
ENDS_MEANWHILE = """
import asyncio, gc, sys, threading
from httpguard._stacks.running import frame_of, running_frames

go, over = threading.Event(), threading.Event()
armed = False


def collects(phase, _):
    global armed
    if armed and phase == "start":
        armed = False
        go.set()
        over.wait()


gc.callbacks.append(collects)
"""
OF_A_THREAD = """
sys.setrecursionlimit(5_000)
ready = threading.Event()


def deep(steps):
    if steps:
        return deep(steps - 1)
    ready.set()
    go.wait()


def work():
    deep(800)


worker = threading.Thread(target=work)
over.wait = worker.join
worker.start()
ready.wait()
gc.collect()
gc.set_threshold(300, 1_000, 1_000)
armed = True
found = list(running_frames(greenlets=False))
lines = [frame.f_lineno for frame in found if frame.f_code is deep.__code__]
print(armed, len(lines))
go.set()
"""
# Whichever of what the look makes, the frame among them, it is that begins it.
OF_A_COROUTINE = """
async def waits():
    await asyncio.sleep(0)


def end(coroutine):
    go.wait()
    try:
        coroutine.send(None)
    except StopIteration:
        over.set()


hits = 0
for more in range(30):
    coroutine = waits()
    coroutine.send(None)
    thread = threading.Thread(target=end, args=(coroutine,))
    thread.start()
    gc.set_threshold(0)
    gc.collect()
    kept = [[] for _ in range(50 - more)]
    armed = True
    gc.set_threshold(50, 1_000, 1_000)
    frame = frame_of(coroutine)
    armed, was = False, armed
    assert was or over.is_set()
    hits += not was
    assert frame is None or was, more
    go.set()
    thread.join()
    del frame
    go.clear()
    over.clear()
print(hits > 1)
"""


@pytest.mark.skipif(
    sys.version_info[:2] != (3, 11), reason="frames are there, or collections wait"
)
@pytest.mark.parametrize(
    ("look", "said"), [(OF_A_THREAD, "False 801"), (OF_A_COROUTINE, "True")]
)
def test_no_frame_is_one_that_has_returned(
    tmp_path: Path, look: str, said: str
) -> None:
    ran = run(write(tmp_path / "program.py", ENDS_MEANWHILE + look))
    assert (ran.returncode, ran.stdout.strip()) == (0, said), ran.stderr
