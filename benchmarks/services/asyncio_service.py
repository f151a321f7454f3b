"""A service with an event loop, which forks children that ask by themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from .running import Service

if TYPE_CHECKING:
    from collections.abc import Sequence


class Asyncio(Service):
    """One process, many tasks."""

    packages: ClassVar = ("aiohttp", "httpx", "requests", "urllib3")

    def command(self) -> Sequence[str]:
        """It needs nobody who asks it."""
        return "-m", "benchmarks.services.asyncio_app"
