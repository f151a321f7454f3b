"""Programs that use aiohttp, under asyncio and uvloop: their session stays open.

What a program forgets ends with its session, so that this one lives until the program
is judged.
"""

from __future__ import annotations

import asyncio
import functools
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, Any, Final

import aiohttp

from ._case import innocent, leaks

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.server import Address

    Program = Callable[[aiohttp.ClientSession, Address], Awaitable[object]]

LOOPS: Final = ("asyncio", "uvloop")
# More than aiohttp takes in by itself, so that it does not end unread.
BIG: Final = "/bytes/2000000"
SOON: Final = 0.25
"""Seconds in which a response has come, on a busy machine too."""


def leaking(
    kind: str = "dropped",
    *,
    loops: tuple[str, ...] = LOOPS,
    needs: tuple[str, ...] = (),
    **options: Any,
) -> Callable[[Program], Program]:
    """As `leaks`, once for each loop.

    Args:
        kind: As of `leaks`.
        loops: What it runs in.
        needs: As of `leaks`, beside aiohttp and the loop.
        **options: As of `leaks`.
    """

    def register(program: Program) -> Program:
        for loop in loops:
            all_needs = ("aiohttp", loop, *needs)
            leaks(kind, client="aiohttp", needs=all_needs, **options)(
                _bind(program, loop)
            )
        return program

    return register


def harmless(
    *,
    twin_of: Program,
    loops: tuple[str, ...] = LOOPS,
    needs: tuple[str, ...] = (),
    **options: Any,
) -> Callable[[Program], Program]:
    """As `innocent`, once for each loop.

    Args:
        twin_of: The leaking program it is nearest to.
        loops: What it runs in.
        needs: As of `innocent`, beside aiohttp and the loop.
        **options: As of `innocent`.
    """

    def register(program: Program) -> Program:
        for loop in loops:
            all_needs = ("aiohttp", loop, *needs)
            twin = _bind(twin_of, loop)
            innocent(twin_of=twin, needs=all_needs, **options)(_bind(program, loop))
        return program

    return register


async def arrived(response: aiohttp.ClientResponse) -> None:
    """Wait until aiohttp has given a connection back by itself."""
    for _ in range(5000):
        if response._connection is None:
            return
        await asyncio.sleep(0.001)
    raise AssertionError


class Running:
    """A loop, its session and what the program returned, until they are let go.

    Args:
        loop: It stands still.
        session: Open.
        result: Kept alive. A stack is closed at the end.
    """

    def __init__(
        self, loop: Any, session: aiohttp.ClientSession, result: object
    ) -> None:
        self.loop = loop
        self.session = session
        self.result = result

    def __del__(self) -> None:
        """End as a program does."""
        stack = self.result if isinstance(self.result, AsyncExitStack) else None
        self.result = None
        self.loop.run_until_complete(_end(self.session, stack))
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.close()


async def _end(session: aiohttp.ClientSession, stack: AsyncExitStack | None) -> None:
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await task
    if stack is not None:
        await stack.aclose()
    await session.close()


def _bind(program: Program, loop: str) -> Any:
    @functools.wraps(program)
    def bound(server: Address) -> Running:
        running = _new(loop)
        asyncio.set_event_loop(None)
        return Running(running, *running.run_until_complete(_whole(program, server)))

    bound.__name__ = f"{program.__name__}_{loop}"
    return bound


async def _whole(
    program: Program, server: Address
) -> tuple[aiohttp.ClientSession, object]:
    session = aiohttp.ClientSession()
    result = await program(session, server)
    # Older ones still note that the request was sent.
    await asyncio.sleep(0.005)
    return session, result


def _new(loop: str) -> Any:
    if loop == "asyncio":
        return asyncio.new_event_loop()
    import uvloop

    return uvloop.new_event_loop()
