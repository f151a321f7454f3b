"""Stacks: captured cheaply when a response is opened, in brief where that is enough.

A frame of a stack costs 0.2 us (``benchmarks/``), most of what is open for a moment
never leaks, and nearly all of it is opened by a few lines.
"""

from __future__ import annotations

from itertools import repeat
from typing import TYPE_CHECKING, Any, Final

from .raw import CUT
from .sites import place_of

if TYPE_CHECKING:
    from collections.abc import Container
    from types import CodeType, FrameType

    from .ownership import Origins
    from .raw import Place, RawStack

# Library frames do not count against the depth, so runaway recursion in one
# needs a bound of its own.
_MOST_FRAMES: Final = 256
BRIEF: Final = 6
"""Frames of a stack in brief."""
_ENOUGH: Final = 16
# Generated code can open responses at places without end.
_MOST_PLACES: Final = 4096
_NEVER: Final = -(1 << 60)
# Items of a stack that cannot be briefer.
_SHORT: Final = 2 * BRIEF


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


def number_of(place: Place) -> int:
    """A place as a number that `capture_brief` has at hand."""
    code, offset = place or (CUT, 0)
    # From CPython 3.11 on the code of a function lies in its code object, so that no
    # two places have the same number.
    return id(code) + offset


class Proven(set[int]):
    """The places of sites whose responses have always ended well.

    No lock: what two threads write at once counts once. The address of a code object
    that is gone may come again, and with it what was known of that one. Where a whole
    stack has fewer application frames than one in brief, no site is proven.
    """

    def __init__(self, depth: int) -> None:
        super().__init__()
        self._learns = depth >= BRIEF
        # Place -> how often its responses ended well.
        self._counts: dict[int, int] = {}

    def learn(self, stack: RawStack, origins: Origins, *, in_task: bool) -> None:
        """A response ended well. A task's is in brief once it ends with the site."""
        if not self._learns or (len(stack) <= _SHORT and not in_task):
            return
        place = number_of(place_of(stack, origins))
        if place in self:
            return  # It lies too deep in libraries.
        if len(self._counts) >= _MOST_PLACES:
            self._make_room()
        self._counts[place] = count = self._counts.get(place, 0) + 1
        if count >= _ENOUGH:
            self.add(place)

    def distrust(self, place: Place) -> None:
        """A response leaked: from now on the whole stack of each is kept."""
        if not self._learns:
            return
        number = number_of(place)
        self._counts[number] = _NEVER
        self.discard(number)
        if len(self._counts) >= _MOST_PLACES:
            self._make_room()

    def _make_room(self) -> None:
        """Forget whom to trust, but nobody whom not to; at worst, trust no more."""
        self.clear()
        counts = list(self._counts.items())
        self._counts = {place: count for place, count in counts if count < 0}
        if len(self._counts) >= _MOST_PLACES:
            self._learns = False
            self._counts = {}
