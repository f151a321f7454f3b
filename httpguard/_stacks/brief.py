"""Lines whose responses have always ended well: their stacks are kept in brief.

A frame of a stack costs 0.2 us (``benchmarks/``), most of what is open for a moment
never leaks, and nearly all of it is opened by a few lines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .capture import BRIEF, find_place

if TYPE_CHECKING:
    from .ownership import Origins
    from .raw import RawStack

_ENOUGH: Final = 16
# Generated code can open responses at places without end.
_MOST_PLACES: Final = 4096
_NEVER: Final = -(1 << 60)
# Items of a stack that cannot be briefer.
_SHORT: Final = 2 * BRIEF


class Proven(set[int]):
    """The places of such sites.

    No lock: what two threads write at once counts once. The address of a code object
    that is gone may come again, and with it what was known of that one.

    Args:
        depth: Application frames of a whole stack. Where these are fewer than in a
            stack in brief, no site is proven.
    """

    def __init__(self, depth: int) -> None:
        """Nothing is known."""
        super().__init__()
        self._learns = depth >= BRIEF
        # Place -> how often its responses ended well.
        self._counts: dict[int, int] = {}

    def learn(self, stack: RawStack, origins: Origins, *, in_task: bool) -> None:
        """A response ended well.

        Args:
            stack: Where it was opened.
            origins: Whose code a file is.
            in_task: Of a task, it is in brief as soon as it ends with the site.
        """
        if not self._learns or (len(stack) <= _SHORT and not in_task):
            return
        place = find_place(stack, origins)
        if place in self:
            return  # It lies too deep in libraries.
        if len(self._counts) >= _MOST_PLACES:
            self._make_room()
        self._counts[place] = count = self._counts.get(place, 0) + 1
        if count >= _ENOUGH:
            self.add(place)

    def distrust(self, stack: RawStack, origins: Origins) -> None:
        """A response leaked: from now on the whole stack of each is kept.

        Args:
            stack: Where it was opened.
            origins: Whose code a file is.
        """
        if not self._learns:
            return
        place = find_place(stack, origins)
        self._counts[place] = _NEVER
        self.discard(place)
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
