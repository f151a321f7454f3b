"""What a service with an event loop has."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Final

import aiohttp
import httpx

from .work import Work

if TYPE_CHECKING:
    from .settings import Orders

IDLE: Final = 60.0
"""Seconds for which idle connections stay: longer than anything is kept."""
LIMITS: Final = httpx.Limits(max_connections=100, keepalive_expiry=IDLE)


class AsyncWork(Work):
    """Its session and client. Made in the loop.

    Args:
        orders: What the service was told.
    """

    def __init__(self, orders: Orders) -> None:
        super().__init__(orders)
        # With aiohttp's own limit: of others no lost connection is given back.
        connector = aiohttp.TCPConnector(keepalive_timeout=IDLE)
        self.session = aiohttp.ClientSession(connector=connector)
        self.client = httpx.AsyncClient(limits=LIMITS, trust_env=False)

    async def tidy(self) -> None:
        """Close what was kept for long enough."""
        for one in self.shelf.due():
            closing = one.close()
            if inspect.isawaitable(closing):
                await closing
