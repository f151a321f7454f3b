"""Stacks: captured cheaply when a response is opened, in brief where that is enough.

A frame of a stack costs 0.2 us (``benchmarks/``), most of what is open for a moment
never leaks, and nearly all of it is opened by a few lines.
"""

from __future__ import annotations

from inspect import CO_ASYNC_GENERATOR, CO_COROUTINE, CO_GENERATOR
from itertools import repeat
from typing import TYPE_CHECKING, Any, Final

from .raw import CUT

if TYPE_CHECKING:
    from collections.abc import Container
    from types import CodeType, FrameType

    from .ownership import Origins
    from .raw import RawStack

# Library frames do not count against the depth, so runaway recursion in one
# needs a bound of its own.
_MOST_FRAMES: Final = 256
_FEW_FRAMES: Final = 12
_SUSPENDING: Final = CO_COROUTINE | CO_GENERATOR | CO_ASYNC_GENERATOR


def capture(frame: FrameType | None, depth: int, origins: Origins) -> RawStack:
    """The stack as code objects and offsets, without looking at any source.

    About 5 us for 28 frames on CPython 3.11 (``benchmarks/``); most of it is CPython
    making frame objects for ``f_back``. So many application frames are kept; library
    frames between them too, and not counted.
    """
    stack: list[CodeType | int] = []
    # No stack of at most `depth` frames has more than `depth` of any kind, so
    # that nothing is asked of the first ones. Two at a turn: 5 % less.
    for _ in repeat(None, depth // 2):
        if frame is None:
            return tuple(stack)
        stack.append(frame.f_code)
        stack.append(frame.f_lasti)
        frame = frame.f_back
        if frame is None:
            return tuple(stack)
        stack.append(frame.f_code)
        stack.append(frame.f_lasti)
        frame = frame.f_back
    depth -= sum(origins[code.co_filename] for code in stack[::2])  # type: ignore[union-attr]
    for _ in repeat(None, _MOST_FRAMES):
        if frame is None or depth <= 0:
            break
        stack.append(frame.f_code)
        stack.append(frame.f_lasti)
        depth -= origins[frame.f_code.co_filename]
        frame = frame.f_back
    return tuple(stack)


def capture_brief(frame: Any, proven: Container[int]) -> RawStack:
    """The innermost frames of a stack, if that is enough for its site; else empty.

    About 2 us; in a loop and with a list it would be twice that (``benchmarks/``). The
    frame that follows is not asked for: CPython makes an object of it. It is enough for
    the `proven` places of sites. Between the user of a pool manager or a session and
    the innermost frame there are two to four frames of libraries; below more of them, a
    site is not looked for.
    """
    try:
        a = frame
        b = a.f_back
        c = b.f_back
        d = c.f_back
        e = d.f_back
        f = e.f_back
        f_code = f.f_code
    except AttributeError:  # It has fewer frames.
        return ()
    # What is asked for twice, most often: CPython looks it up anew each time.
    c_code = c.f_code
    c_lasti = c.f_lasti
    d_code = d.f_code
    d_lasti = d.f_lasti
    if (
        id(d_code) + d_lasti in proven
        or id(c_code) + c_lasti in proven
        or id(b.f_code) + b.f_lasti in proven
        or id(a.f_code) + a.f_lasti in proven
        or id(e.f_code) + e.f_lasti in proven
    ):
        # fmt: off
        return (
            a.f_code, a.f_lasti, b.f_code, b.f_lasti,
            c_code, c_lasti, d_code, d_lasti,
            e.f_code, e.f_lasti, f_code, f.f_lasti,
            CUT, 0,
        )
        # fmt: on
    return ()


def near_site(origins: Origins, frame: FrameType) -> RawStack:
    """The frames out to the innermost of the application, within the task; else empty.

    What resumes a coroutine and is none itself is the loop.
    """
    stack: list[CodeType | int] = []
    one: FrameType | None = frame
    for _ in range(_FEW_FRAMES):
        if one is None:
            break
        code = one.f_code
        stack += (code, one.f_lasti)
        if origins[code.co_filename]:
            return tuple(stack)
        one = one.f_back
        if code.co_flags & _SUSPENDING and not (
            one is not None and one.f_code.co_flags & _SUSPENDING
        ):
            break
    return ()
