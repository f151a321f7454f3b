"""A wall clock that jumps, for this process alone: `time.time`, and nothing else."""

from __future__ import annotations

import random
import time
from typing import Final

_DAY: Final = 86_400.0


class Clock:
    """Takes the place of `time.time`.

    Args:
        seed: Of the jumps.
    """

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._real = time.time
        self._off = 0.0
        time.time = self._now

    def jump(self) -> None:
        """From now on it is up to a day earlier or later than it is."""
        self._off = self._chance.uniform(-_DAY, _DAY)

    def _now(self) -> float:
        return self._real() + self._off
