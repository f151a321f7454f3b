"""How often the collector runs: at every allocation, every second, every third …"""

from __future__ import annotations

import gc
import itertools
from typing import Final

# Of the youngest generation; the older ones are collected with each of its runs.
THRESHOLDS: Final = (1, 2, 3, 4, 5, 7, 10, 20, 50, 100, 700)


class Thresholds:
    """Goes through them, and counts the collections."""

    def __init__(self) -> None:
        """As it is by default."""
        self._rest = itertools.cycle(THRESHOLDS)
        self.runs = 0

    def begin(self) -> None:
        """Spare all that is there now; each collection looks at what comes."""
        gc.collect()
        gc.freeze()
        gc.callbacks.append(self._count)
        self.next()

    def next(self) -> None:
        """Go on with the next one."""
        gc.set_threshold(next(self._rest), 1, 1)

    def end(self) -> None:
        """Collect as by default."""
        gc.set_threshold(700, 10, 10)
        gc.callbacks.remove(self._count)

    def _count(self, phase: str, _info: dict[str, int]) -> None:
        """A collection began or ended."""
        self.runs += phase == "start"
