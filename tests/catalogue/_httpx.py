"""Programs that both httpx and httpx2 run, sync or under asyncio, trio and uvloop."""

from __future__ import annotations

import asyncio
import functools
import inspect
from typing import TYPE_CHECKING, Any, Final

from ._case import innocent, leaks

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.server import Address

    Program = Callable[[Any, Address], Any]

PACKAGES: Final = ("httpx", "httpx2")
LOOPS: Final = ("asyncio", "trio", "uvloop")


def leaking(
    kind: str = "dropped",
    *,
    loops: tuple[str, ...] = LOOPS,
    **options: Any,
) -> Callable[[Program], Program]:
    """As `leaks`, once for each package and each loop.

    Args:
        kind: As of `leaks`.
        loops: What a program that is a coroutine runs in.
        **options: As of `leaks`.
    """

    def register(program: Program) -> Program:
        for bound, package, needs in _bound(program, loops):
            leaks(kind, client=package, needs=needs, **options)(bound)
        return program

    return register


def harmless(
    *,
    twin_of: Program,
    loops: tuple[str, ...] = LOOPS,
    **options: Any,
) -> Callable[[Program], Program]:
    """As `innocent`, once for each package and each loop.

    Args:
        twin_of: The leaking program it is nearest to.
        loops: What a program that is a coroutine runs in.
        **options: As of `innocent`.
    """

    def register(program: Program) -> Program:
        twins = _bound(twin_of, loops)
        for one, (bound, _, needs) in enumerate(_bound(program, loops)):
            twin = twins[one % len(twins)][0]
            innocent(twin_of=twin, needs=needs, **options)(bound)
        return program

    return register


def _bound(
    program: Program, loops: tuple[str, ...]
) -> list[tuple[Any, str, tuple[str, ...]]]:
    """A program with its package, its package's name, and what it needs."""
    found: list[tuple[Any, str, tuple[str, ...]]] = []
    for package in PACKAGES:
        if inspect.iscoroutinefunction(program):
            found += [
                (_bind(program, package, loop), package, (package, loop))
                for loop in loops
            ]
        else:
            found.append((_bind(program, package, ""), package, (package,)))
    return found


def _bind(program: Program, package: str, loop: str) -> Any:
    @functools.wraps(program)
    def bound(server: Address) -> object:
        module = __import__(package)
        if loop == "asyncio":
            return asyncio.run(program(module, server))
        if loop == "uvloop":
            import uvloop

            running = uvloop.new_event_loop()
            try:
                return running.run_until_complete(program(module, server))
            finally:
                running.run_until_complete(running.shutdown_asyncgens())
                running.close()
        if loop == "trio":
            import trio

            return trio.run(program, module, server)
        return program(module, server)

    bound.__name__ = "_".join(filter(None, (program.__name__, package, loop)))
    return bound
