"""A shop's watcher, on httpx, with three connections. One of its lines leaks.

The program never waits for what it has opened there: the three connections are gone,
and the next request gets none. With `--repaired` it calls the innocent twin below.
`httpguard demo --client httpx` runs it both ways.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys

import httpx

import httpguard

log = logging.getLogger("shop")


async def is_open(client: httpx.AsyncClient, path: str) -> bool:
    """Looks at the status alone, and forgets the response with its body unread."""
    request = client.build_request("GET", path)
    response = await client.send(request, stream=True)  # LEAK dropped
    return response.is_success


async def is_open_repaired(client: httpx.AsyncClient, path: str) -> bool:
    """`async with` gives the connection back, body unread or not."""
    async with client.stream("GET", path) as response:
        return response.is_success


async def count_orders(client: httpx.AsyncClient) -> int:
    """Reads to the end."""
    async with client.stream("GET", "/orders.csv") as response:
        return len([line async for line in response.aiter_lines()])


async def work(shop: str, *, repaired: bool) -> None:
    """The watcher's work."""
    look = is_open_repaired if repaired else is_open
    limits = httpx.Limits(max_connections=3)
    timeout = httpx.Timeout(5, pool=1.5)
    async with httpx.AsyncClient(
        base_url=shop, limits=limits, timeout=timeout, trust_env=False
    ) as client:
        log.info("orders: %d", await count_orders(client))
        for path in ("/status", "/stock", "/customers.csv"):
            log.info("%s is there: %s", path, await look(client, path))
        try:
            invoice = await client.get("/invoice.pdf")
            log.info("invoice: %d bytes", len(invoice.content))
        except httpx.PoolTimeout as error:
            # All that httpx itself says is the error's name.
            log.error("no invoice: %r", error)  # noqa: TRY400
            for note in getattr(error, "__notes__", ()):
                log.error("and its note: %s", note)  # noqa: TRY400
        json.dump(dict(httpguard.check().counters), sys.stdout)


if __name__ == "__main__":
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        datefmt="%H:%M:%S",
    )
    logging.getLogger("httpx").setLevel(logging.WARNING)
    # Impatient, for a program that takes a second: the defaults are 5 s.
    httpguard.install(check_interval=0.1, max_wait=0.5)
    asyncio.run(work(sys.argv[1], repaired="--repaired" in sys.argv))
