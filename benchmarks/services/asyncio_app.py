"""A service with one event loop, which works through the schedule by itself."""

from __future__ import annotations

import asyncio
import itertools
import signal
from typing import TYPE_CHECKING, Final

from .settings import install, orders

if TYPE_CHECKING:
    from .async_steps import AsyncSteps

_TASKS: Final = 20


async def serve() -> None:
    """Work until SIGTERM."""
    from .async_steps import AsyncSteps

    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    steps = AsyncSteps(orders())
    numbers = itertools.count()
    await asyncio.gather(*(_repeat(steps, numbers, over) for _ in range(_TASKS)))
    await steps.end()


async def _repeat(
    steps: AsyncSteps, numbers: itertools.count[int], over: asyncio.Event
) -> None:
    while not over.is_set():
        await steps.do(next(numbers))


if __name__ == "__main__":
    install(orders())
    asyncio.run(serve())
