"""Lines whose responses have always ended well: their stacks are kept in brief.

A frame of a stack costs 0.2 us (``benchmarks/``), most of what is open for a moment
never leaks, and nearly all of it is opened by a few lines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ._stack import CUT, SHORT, find_place

if TYPE_CHECKING:
    from ._origin import Origins
    from ._stack import RawStack

_ENOUGH: Final = 16
# Generated code can open responses at places without end.
_MOST_PLACES: Final = 4096
_NEVER: Final = -(1 << 60)


class Proven(dict[int, int]):
    """Place of a site -> how often its responses ended well, up to a number.

    No lock: what two threads write at once counts once. The address of a code object
    that is gone may come again, and with it what was known of that one.
    """

    def has(self, place: int) -> bool:
        """Whether the stack of a response that is opened here is kept in brief."""
        return self.get(place, 0) >= _ENOUGH

    def learn(self, stack: RawStack, origins: Origins) -> None:
        """A response ended well.

        Args:
            stack: Where it was opened.
            origins: Whose code a file is.
        """
        if len(stack) <= SHORT or stack[-2] is CUT:
            return  # There is nothing to gain, or it is known.
        place = find_place(stack, origins)
        if len(self) >= _MOST_PLACES:
            self.clear()
        self[place] = self.get(place, 0) + 1

    def distrust(self, stack: RawStack, origins: Origins) -> None:
        """A response leaked: from now on the whole stack of each is kept.

        Args:
            stack: Where it was opened.
            origins: Whose code a file is.
        """
        self[find_place(stack, origins)] = _NEVER
