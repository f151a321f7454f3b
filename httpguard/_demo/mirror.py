"""A shop's mirror, on aiohttp, with three connections. One of its lines leaks.

aiohttp keeps what is forgotten there, and its connection, for as long as the session is
open: the next request waits until its time is over. With `--repaired` the program calls
the innocent twin below. `httpguard demo --client aiohttp` runs it both ways.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys

import aiohttp

import httpguard

log = logging.getLogger("shop")


async def is_open(session: aiohttp.ClientSession, path: str) -> bool:
    """Looks at the status alone, and forgets the response with its body unread."""
    response = await session.get(path)  # LEAK dropped
    return response.ok


async def is_open_repaired(session: aiohttp.ClientSession, path: str) -> bool:
    """`async with` closes the response, body unread or not."""
    async with session.get(path) as response:
        return response.ok


async def count_orders(session: aiohttp.ClientSession) -> int:
    """Reads to the end."""
    async with session.get("/orders.csv") as response:
        return len([line async for line in response.content])


async def fetch(session: aiohttp.ClientSession, path: str) -> int:
    """Reads to the end, if it gets a connection in time."""
    async with session.get(path) as response:
        return len(await response.read())


async def work(shop: str, *, repaired: bool) -> None:
    """The mirror's work."""
    look = is_open_repaired if repaired else is_open
    connector = aiohttp.TCPConnector(limit=3)
    timeout = aiohttp.ClientTimeout(total=1.5)
    async with aiohttp.ClientSession(
        shop, connector=connector, timeout=timeout
    ) as session:
        log.info("orders: %d", await count_orders(session))
        for path in ("/ledger.csv", "/archive.csv", "/backup.csv"):
            log.info("%s is there: %s", path, await look(session, path))
        try:
            log.info("invoice: %d bytes", await fetch(session, "/invoice.pdf"))
        except asyncio.TimeoutError as error:
            # All that aiohttp itself says is the error's name.
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
    # Impatient, for a program that takes a second: the defaults are 5 s.
    httpguard.install(check_interval=0.1, max_wait=0.5)
    asyncio.run(work(sys.argv[1], repaired="--repaired" in sys.argv))
