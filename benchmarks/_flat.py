"""Millions of requests, thousands of leaks: memory must stay flat."""

from __future__ import annotations

import logging
import time
from typing import Any, Final

import psutil
from rich.table import Table

import httpguard
from httpguard._process.process import current

from ._calls import Client, memory_client
from ._output import console
from ._sites import Site, make_sites
from ._variants import guard

_SITES: Final = 50
# One request in so many leaks.
_LEAK_EVERY: Final = 100
# More sites than the table of leaks holds.
_TOO_MANY_SITES: Final = 2500
_MIB: Final = 1024 * 1024


def measure_soak(requests: int, step: int) -> dict[str, Any]:
    """Memory over many requests with leaks, then over too many sites.

    Args:
        requests: How many.
        step: Requests between two readings.
    """
    logging.getLogger("httpguard").addHandler(logging.NullHandler())
    logging.getLogger("httpguard").propagate = False
    client = memory_client()
    shown = Table(title="Soak, in memory", title_justify="left")
    for column in ("requests", "RSS, MiB", "requests/s", "leaks", "sites", "kept"):
        shown.add_column(column, justify="right")
    readings = []
    with make_sites(_SITES) as sites, guard():
        for done in range(step, requests + 1, step):
            begin = time.process_time()
            _work(client, sites, step)
            rate = step / (time.process_time() - begin)
            readings.append({"requests": done, "rate": rate, **_reading()})
            shown.add_row(*_row(readings[-1]))
        console.print(shown)
        with make_sites(_TOO_MANY_SITES) as many:
            for site in many:
                site(client)
            last = _reading()
    made = requests // _LEAK_EVERY
    console.print(
        f"{made:,} leaks were made. {_TOO_MANY_SITES:,} more sites: "
        f"{last['sites']:,} kept."
    )
    return {"readings": readings, "leaks made": made, "too many sites": last}


def _work(client: Client, sites: list[Site], requests: int) -> None:
    """So many streamed requests, of which some are dropped unread."""
    stream = client.calls()["urllib3 stream"]
    for number in range(requests // _LEAK_EVERY):
        for _ in range(_LEAK_EVERY - 1):
            stream()
        sites[number % len(sites)](client)


def _reading() -> dict[str, Any]:
    """Memory, and what the guard keeps."""
    snapshot = httpguard.check()
    installed = current()
    if installed is None:
        raise RuntimeError("httpguard is not installed")
    registry = installed.registry
    kept = len(registry.leases) + len(registry.dead) + len(registry.resolved)
    return {
        "rss": psutil.Process().memory_info().rss,
        "leaks": snapshot.counters["leaks"],
        "sites": len(snapshot.leaks),
        "kept": kept + len(registry.pools.known),
    }


def _row(reading: dict[str, Any]) -> tuple[str, ...]:
    """A line of the table."""
    return (
        f"{reading['requests']:,}",
        f"{reading['rss'] / _MIB:.1f}",
        f"{reading['rate']:,.0f}",
        f"{reading['leaks']:,}",
        f"{reading['sites']:,}",
        f"{reading['kept']:,}",
    )
