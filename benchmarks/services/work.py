"""What a process of a service has, and the order in which it runs its lines."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from benchmarks._kept import kept

from .clock import Clock
from .schedule import Schedule
from .shelf import Shelf
from .truth import Diary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from .settings import Orders

    Lines = Mapping[str, tuple[Callable[[Any], Any], int]]

# httpguard's containers are counted once in so many steps of a process.
_MEASURED: Final = 500


class Work:
    """What the lines of a process need.

    Args:
        orders: What the service was told.
    """

    def __init__(self, orders: Orders) -> None:
        self.orders = orders
        self.url = orders.url
        self.stalled = orders.url + "/stall"
        self.late = f"{orders.url}/late/{1.5 * orders.max_idle}"
        self.diary = Diary(orders.diary)
        self.shelf = Shelf(self.diary, orders.kept)
        self.clock = Clock(orders.seed + os.getpid())


AnyWork = TypeVar("AnyWork", bound=Work)


class Steps(Generic[AnyWork]):
    """The lines of a process, so often and in such an order as the schedule says.

    Args:
        work: What they need.
        often: Each line by its name, and how often a round has it.
        rare: Those that one round of ten has.
    """

    def __init__(self, work: AnyWork, often: Lines, rare: Lines) -> None:
        self.work = work
        self._lines = {**often, **rare}
        rates = {name: times for name, (_, times) in often.items()}
        self._schedule = Schedule(work.orders.seed, rates, tuple(rare))
        self._measured = 0
        self._lock = threading.Lock()

    def part(self, number: int) -> Iterator[tuple[str, Callable[[Any], Any]]]:
        """The lines of a part of the schedule; afterwards they are counted.

        Args:
            number: Of the part, counted through all rounds.
        """
        names = self._schedule.part(number)
        for name in names:
            yield name, self._lines[name][0]
        done = self.work.diary.did(len(names))
        with self._lock:
            if done < self._measured + _MEASURED:
                return
            self._measured = done
        self.work.diary.measured(sum(kept().values()))
