"""The lines of a service with an event loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpguard

from .async_innocent_lines import FAULTS, INNOCENT, RARE
from .async_leaky_lines import LEAKS
from .async_work import AsyncWork
from .work import Steps

if TYPE_CHECKING:
    from .settings import Orders


class AsyncSteps(Steps[AsyncWork]):
    """Run by tasks, side by side. Made in the loop.

    Args:
        orders: What the service was told.
    """

    def __init__(self, orders: Orders) -> None:
        super().__init__(AsyncWork(orders), {**LEAKS, **FAULTS, **INNOCENT}, RARE)

    async def do(self, part: int) -> None:
        """The steps of a part of the schedule."""
        for name, line in self.part(part):
            await self.work.tidy()
            try:
                await line(self.work)
            except Exception as error:
                self.work.diary.failed(name, error)

    async def end(self) -> None:
        """Wait until all that is kept is a leak, close it, and say that it is over."""
        work = self.work
        while (seconds := work.shelf.left()) is not None:
            await asyncio.sleep(seconds)
            await work.tidy()
        # What only the client refers to is a leak when two looks say so.
        for _ in range(2):
            await asyncio.sleep(work.orders.max_idle / 8)
            httpguard.check()
        await work.client.aclose()
        await work.session.close()
        work.diary.ended(httpguard.check().counters["errors"])
