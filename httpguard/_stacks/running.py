"""Which frames run or wait: of every thread, and of every suspended greenlet."""

from __future__ import annotations

import gc
import sys
from collections import deque
from functools import partial
from itertools import accumulate, chain, compress, repeat, starmap, takewhile
from operator import is_not, itemgetter
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import TYPE_CHECKING, Any, Final

from .heap import objects
from .ownership import is_own

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType


def frames_of_threads() -> dict[int, FrameType]:
    """The innermost frame of each thread, by its number."""
    if not _MAKES_FRAMES:
        return sys._current_frames()
    # No local of one: this frame is among them, and would be a cycle.
    found: list[dict[int, FrameType]] = []
    _uncollected(
        map(found.append, starmap(sys._current_frames, [()])),
        _outwards(chain.from_iterable(map(dict.values, found))),
    )
    return found.pop()


def frame_of(suspended: object, *, here: bool = False) -> FrameType | None:
    """The frame of a coroutine or generator; None: it has ended, or is none.

    `here`: it is this thread that runs it; no other one may go on with it meanwhile.
    """
    looks: Iterator[FrameType | None]
    looks = map(getattr, repeat(suspended), _FRAMES, repeat(None))
    # What the program has made to be awaited may run code of its own.
    if _MAKES_FRAMES and not here and id(type(suspended)) in _SUSPENDED:
        found: list[FrameType | None] = []
        _uncollected(map(found.append, looks))
        looks = iter(found)
    return next(filter(None, looks), None)


_FRAMES: Final = ("cr_frame", "gi_frame", "ag_frame")
# By their id: to compare classes may run code of a metaclass.
_SUSPENDED: Final = frozenset(
    map(id, (CoroutineType, GeneratorType, AsyncGeneratorType))
)
_MAKES_FRAMES: Final = sys.version_info[:2] == (3, 11)
"""Whether a frame becomes an object as it is asked for, where a collection may begin.

Finalizers of the program would run there, and other threads while these wait: the frame
may have returned when its object is made of it, which is then one of freed memory. And
a thread that is started meanwhile would wait for a lock of the interpreter, which
`sys._current_frames` has, with the global one in hand: for ever. Other versions make
none there, or collect later.
"""


def _uncollected(*steps: Iterator[object]) -> None:
    """Run iterators of C while the collector is off.

    In one call of C, in which no other thread runs: it would see it off, or switch it
    off itself, and a fork of it would keep it so.
    """
    was: list[bool] = []
    calls: Any = chain(
        map(was.append, starmap(gc.isenabled, [()])),
        starmap(gc.disable, [()]),
        *steps,
        starmap(gc.enable, compress([()], was)),
    )
    try:
        deque(calls, maxlen=0)
    except BaseException:  # Of whoever audits calls, or no memory is left.
        if was == [True]:
            gc.enable()
        raise


def _outwards(tops: Iterator[FrameType]) -> Iterator[object]:
    """Make each frame from these outwards an object, which it has until it returns."""
    each = map(chain, zip(tops), repeat(repeat("f_back")))
    stacks = map(accumulate, each, repeat(getattr))
    some = repeat(partial(is_not, None))
    return chain.from_iterable(map(takewhile, some, stacks))


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


def suspended_greenlets() -> list[tuple[int, FrameType]]:
    """Each suspended greenlet's id, and where it waits: by a walk over all objects."""
    greenlet = sys.modules.get("greenlet")
    if greenlet is None:
        return []
    found = [
        (id(item), item.gr_frame)
        for item in objects()
        # By type(), not isinstance: that would run a proxy's __class__.
        if issubclass(type(item), greenlet.greenlet) and item.gr_frame is not None
    ]
    if _MAKES_FRAMES:
        _uncollected(_outwards(map(itemgetter(1), found)))
    return found
