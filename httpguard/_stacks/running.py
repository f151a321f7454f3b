"""Which frames run or wait: of every thread, and of every suspended greenlet."""

from __future__ import annotations

import gc
import sys
from itertools import chain, compress, starmap
from typing import TYPE_CHECKING, Any

from .heap import objects
from .ownership import is_own

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType


def frames_of_threads() -> dict[int, FrameType]:
    """The innermost frame of each thread, by its number.

    CPython 3.11 makes the frames under a lock of the interpreter. A collection in the
    middle of that would run finalizers, and a thread that is started meanwhile would
    wait for that lock with the global one in hand: for ever. Other versions make none
    there, or collect later.

    The collector is off for one call of C, in which no other thread runs: it would see
    it off, or switch it off itself, and a fork of it would keep it so.
    """
    if sys.version_info[:2] != (3, 11):
        return sys._current_frames()
    was: list[bool] = []
    calls: Any = chain(
        map(was.append, starmap(gc.isenabled, [()])),
        starmap(gc.disable, [()]),
        starmap(sys._current_frames, [()]),
        starmap(gc.enable, compress([()], was)),
    )
    try:
        # No local: this frame is among them, and would be a cycle.
        return list(calls)[2]  # type: ignore[no-any-return]
    except BaseException:  # Of whoever audits calls, or no memory is left.
        if was == [True]:
            gc.enable()
        raise


def innermost_frames(*, here: bool = True, greenlets: bool = True) -> list[FrameType]:
    """The innermost frame of each thread and suspended greenlet, but our own.

    A frame of ours in one of our own locals would be a cycle, and all that the frames
    of this sweep hold, the suspects too, would live until it is collected. `here`: this
    thread counts too, below our own frames: a finalizer or a signal may have come in
    between. `greenlets` takes a walk over all objects.
    """
    # The threads last: of a frame that has returned meanwhile nothing leads outwards.
    frames = [frame for _, frame in suspended_greenlets()] if greenlets else []
    frames += frames_of_threads().values()
    ours = sys._getframe()
    if ours in frames:
        frames.remove(ours)
    frame = ours.f_back if here else None
    del ours
    while frame is not None and is_own(frame.f_code.co_filename):
        frame = frame.f_back
    if frame is not None:
        frames.append(frame)
    return frames


def running_frames(*, greenlets: bool = True) -> Iterator[FrameType]:
    """Every frame of every thread and every suspended greenlet, but our own."""
    tops = innermost_frames(greenlets=greenlets)
    while tops:
        frame: FrameType | None = tops.pop()
        while frame is not None:
            yield frame
            frame = frame.f_back


def suspended_greenlets() -> Iterator[tuple[int, FrameType]]:
    """Each suspended greenlet's id, and where it waits: by a walk over all objects."""
    greenlet = sys.modules.get("greenlet")
    if greenlet is None:
        return
    for item in objects():
        # By type(), not isinstance: that would run a proxy's __class__.
        if issubclass(type(item), greenlet.greenlet) and item.gr_frame is not None:
            yield id(item), item.gr_frame
