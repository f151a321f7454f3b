"""Stacks: captured cheaply when a response is opened, read when it leaked."""

from __future__ import annotations

import linecache
import sys
from dataclasses import replace
from functools import lru_cache
from itertools import repeat
from typing import TYPE_CHECKING, Any, Final

from .._model.errors import OWN_DIRECTORY
from .._model.leak import Frame
from .submission import MARK
from .tasks import AWAITED

if TYPE_CHECKING:
    from collections.abc import Collection, Container, Iterable, Iterator
    from types import CodeType, FrameType

    from .ownership import Origins
    from .raw import RawStack

# Library frames do not count against the depth, so runaway recursion in one
# needs a bound of its own.
_MOST_FRAMES: Final = 256
# Programs that make files as they run can have sources without end, and `linecache`
# keeps each for good.
_MOST_SOURCES: Final = 2000


def capture(frame: FrameType | None, depth: int, origins: Origins) -> RawStack:
    """The stack as code objects and offsets, without looking at any source.

    About 5 us for 28 frames on CPython 3.11 (``benchmarks/``); most of it is CPython
    making frame objects for ``f_back``.

    Args:
        frame: The innermost frame to keep.
        depth: Application frames kept; library frames between them are kept
            and not counted.
        origins: Whose code a file is.

    Returns:
        The flat tuple that `symbolize` reads.
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
    """The innermost frames of a stack, if that is enough for its site.

    About 2 us; in a loop and with a list it would be twice that (``benchmarks/``). The
    frame that follows is not asked for: CPython makes an object of it.

    Args:
        frame: The innermost frame to keep.
        proven: The places of sites of which that is enough. Between the user of a
            pool manager or a session and the innermost frame there are two to four
            frames of libraries; below more of them, a site is not looked for.

    Returns:
        Empty where the whole stack is to be kept.
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


BRIEF: Final = 6
"""Frames of a stack in brief."""
CUT: Final = capture_brief.__code__
"""Stands at its end."""


def symbolize(stack: RawStack, origins: Origins) -> tuple[Frame, ...]:
    """Frames with their lines, in the order of a traceback.

    Args:
        stack: What `capture` returned.
        origins: Whose code a file is.

    Returns:
        The outermost frame first, httpguard's own left out.
    """
    frames: list[Frame] = []
    submitted = waits = False
    own = _own(stack, origins)
    for code, offset in pairs(stack):
        if code is CUT and offset == 0:
            frames[-1:] = [replace(frame, cut=True) for frame in frames[-1:]]
        elif code is MARK:
            # In a worker it is a frame too; only the last one is the mark.
            submitted = offset == 0
        elif code is AWAITED:
            waits = offset == 0
        elif not code.co_filename.startswith(OWN_DIRECTORY):
            frame = frame_of(code, offset, application=code.co_filename in own)
            if (submitted or waits) and frame.application:
                frame = replace(frame, submitted=submitted, awaited=waits)
                submitted = waits = False
            frames.append(frame)
    return tuple(reversed(frames))


def find_site(stack: RawStack, origins: Origins) -> Frame:
    """The frame that a person would fix.

    Args:
        stack: What `capture` returned.
        origins: Whose code a file is.

    Returns:
        The innermost frame of the application's own code; failing that, the
        innermost outside the HTTP libraries and httpguard.
    """
    place = place_of(stack, origins)
    if not place:
        return NOWHERE
    code, offset = place
    return frame_of(code, offset, application=origins[code.co_filename])


def frame_at(stack: RawStack, origins: Origins) -> Frame | None:
    """The innermost frame of a stack; None: it has none."""
    for code, offset in pairs(stack):
        return frame_of(code, offset, application=origins[code.co_filename])
    return None


def place_of(stack: RawStack, origins: Origins) -> tuple[CodeType, int] | tuple[()]:
    """As `find_site`, without looking at any source: code object and offset.

    Args:
        stack: What `capture` returned.
        origins: Whose code a file is.
    """
    of_runner: tuple[CodeType, int] | tuple[()] = ()
    for code, offset in pairs(stack):
        if origins[code.co_filename]:
            if code.co_filename not in origins.runner:
                return code, offset
            of_runner = of_runner or (code, offset)
    if of_runner:
        return of_runner
    for code, offset in pairs(stack):
        filename = code.co_filename
        # Of generated code there is nothing to see.
        if not (
            filename.startswith(("<", OWN_DIRECTORY)) or origins.http_package(filename)
        ):
            return code, offset
    return ()


def find_place(stack: RawStack, origins: Origins) -> int:
    """As `place_of`, as a number that `capture` has at hand.

    Args:
        stack: What `capture` returned.
        origins: Whose code a file is.
    """
    code, offset = place_of(stack, origins) or (CUT, 0)
    # From CPython 3.11 on the code of a function lies in its code object, so that no
    # two places have the same number.
    return id(code) + offset


def _own(stack: RawStack, origins: Origins) -> Collection[str]:
    """The application's files of a stack: the runner's too, where it has no others."""
    known = [one for one in filenames(stack) if origins[one]]
    if not origins.runner:
        return known
    return [one for one in known if one not in origins.runner] or known


def filenames(stack: RawStack) -> Iterable[str]:
    """The files a stack passes through, each once, innermost first."""
    return dict.fromkeys(code.co_filename for code, _ in pairs(stack))


def source_line(frame: Frame) -> str:
    """The text of a frame's line, stripped; empty where there is no source.

    Args:
        frame: Any frame. Zipapps and notebooks are read through their loaders.
    """
    known = frame.filename in linecache.cache
    line = linecache.getline(frame.filename, frame.lineno)
    if not known and len(linecache.cache) > _MOST_SOURCES:
        linecache.cache.pop(frame.filename, None)
    if not line and not frame.filename.startswith("<"):
        for module in list(sys.modules.values()):
            if getattr(module, "__file__", None) == frame.filename:
                line = linecache.getline(frame.filename, frame.lineno, vars(module))
                break
    return line.strip()


def pairs(stack: RawStack) -> Iterable[tuple[CodeType, int]]:
    """The flat tuple, two by two."""
    items: Iterator[Any] = iter(stack)
    return zip(items, items, strict=True)


@lru_cache(maxsize=4096)
def _line(code: CodeType, offset: int) -> int:
    """The line of an instruction; a snapshot asks for the same ones again."""
    for start, end, line in code.co_lines():
        if line is not None and start <= offset < end:
            return line
    return code.co_firstlineno


def frame_of(code: CodeType, offset: int, *, application: bool) -> Frame:
    """A frame with its line and, as in a traceback, its bare function name."""
    return Frame(code.co_filename, _line(code, offset), code.co_name, application)


NOWHERE: Final = Frame("<unknown>", 0, "<unknown>")
"""The site of a response whose stack was not kept."""
