"""Which lines a service runs, and in which order: the same for the same seed."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

PARTS: Final = 10
"""A round has so many parts: what a service is asked to do at a time."""
_RARELY: Final = 10
"""One round of so many has the rare lines."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Rounds of steps, each with every line so often as its rate says, shuffled.

    Args:
        seed: Of the order.
        rates: How often a round has each line.
        rare: Lines that one round of ten has, once.
    """

    seed: int
    rates: Mapping[str, int]
    rare: tuple[str, ...] = ()

    @property
    def steps(self) -> float:
        """The steps of a part, on the average."""
        return (sum(self.rates.values()) + len(self.rare) / _RARELY) / PARTS

    def part(self, number: int) -> list[str]:
        """The lines of a part, in order.

        Args:
            number: Of the part, counted through all rounds.
        """
        found, part = divmod(number, PARTS)
        names = [name for name, times in self.rates.items() for _ in range(times)]
        if found % _RARELY == 0:
            names += self.rare
        random.Random(f"{self.seed}/{found}").shuffle(names)
        return names[part::PARTS]
