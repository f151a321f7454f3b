"""The lines of a process that asks with threads, greenlets or neither."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import httpguard

from .sync_innocent_lines import FAULTS, INNOCENT, RARE
from .sync_leaky_lines import LEAKS
from .sync_work import SyncWork
from .work import Steps

if TYPE_CHECKING:
    from .settings import Orders


class SyncSteps(Steps[SyncWork]):
    """Run one after the other; by several threads at a time.

    Args:
        orders: What the service was told.
    """

    def __init__(self, orders: Orders) -> None:
        super().__init__(SyncWork(orders), {**LEAKS, **FAULTS, **INNOCENT}, RARE)

    def do(self, part: int) -> None:
        """The steps of a part of the schedule."""
        for name, line in self.part(part):
            self.work.tidy()
            try:
                line(self.work)
            except Exception as error:
                self.work.diary.failed(name, error)

    def end(self) -> None:
        """Wait until all that is kept is a leak, close it, and say that it is over."""
        while (seconds := self.work.shelf.left()) is not None:
            time.sleep(seconds)
            self.work.tidy()
        self.work.diary.ended(httpguard.check().counters["errors"])
