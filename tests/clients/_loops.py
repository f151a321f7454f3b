"""The loops in which programs of httpx run."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Program = Callable[[], Awaitable[None]]


def run_asyncio(program: Program) -> None:
    """By asyncio."""
    asyncio.run(program())  # type: ignore[arg-type]  # each is a coroutine function


def run_trio(program: Program) -> None:
    """By trio."""
    import trio

    trio.run(program)
