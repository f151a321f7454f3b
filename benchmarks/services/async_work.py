"""What a service with an event loop has, and its steps: its tasks run side by side."""

from __future__ import annotations

import asyncio
import inspect
import os
from typing import TYPE_CHECKING, Final

import aiohttp
import httpx

import httpguard
from benchmarks._kept import kept

from .async_innocent_lines import FAULTS, INNOCENT, RARE
from .async_leaky_lines import IDLE, LEAKS, LIMITS
from .clock import Clock
from .schedule import Schedule
from .shelf import Shelf
from .truth import Diary

if TYPE_CHECKING:
    from .settings import Orders

# httpguard's containers are counted once in so many steps.
_MEASURED: Final = 500
LINES: Final = {**LEAKS, **FAULTS, **INNOCENT, **RARE}
RATES: Final = {
    name: times
    for lines in (LEAKS, FAULTS, INNOCENT)
    for name, (_, times) in lines.items()
}


class AsyncWork:
    """The sessions, clients and kept responses of the process. Made in its loop.

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
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE)
        self.session = aiohttp.ClientSession(connector=connector)
        self.client = httpx.AsyncClient(limits=LIMITS, trust_env=False)
        self._schedule = Schedule(orders.seed, RATES, tuple(RARE))
        self._measured = 0

    async def do(self, part: int) -> None:
        """The steps of a part of the schedule."""
        names = self._schedule.part(part)
        for name in names:
            await self._tidy()
            try:
                await LINES[name][0](self)
            except Exception as error:
                self.diary.failed(name, error)
        done = self.diary.did(len(names))
        if done >= self._measured + _MEASURED:
            self._measured = done
            self.diary.measured(sum(kept().values()))

    async def end(self) -> None:
        """Wait until all that is kept is a leak, close it, and say that it is over."""
        while (seconds := self.shelf.left()) is not None:
            await asyncio.sleep(seconds)
            await self._tidy()
        # What only the client refers to is a leak when two looks say so.
        for _ in range(2):
            await asyncio.sleep(self.orders.max_idle / 8)
            httpguard.check()
        await self.client.aclose()
        await self.session.close()
        self.diary.ended(httpguard.check().counters["errors"])

    async def _tidy(self) -> None:
        for one in self.shelf.due():
            closing = one.close()
            if inspect.isawaitable(closing):
                await closing
