"""What grows with the number of responses open at once."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import time
import tracemalloc
from typing import TYPE_CHECKING, Any, Final

from rich.table import Table

import httpguard
from httpguard._process.process import current

from ._calls import Client, memory_client
from ._output import console
from ._paired import spread
from ._sites import Site, make_sites
from ._stacks import at_depth
from ._variants import guard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from httpguard._guard.guard import Guard

_SITES: Final = 20
_MINUTE: Final = 61.0
_MICRO: Final = 1e6
# Nothing becomes due by itself while it is measured.
_QUIET: Final = {"check_interval": 3600.0, "max_idle": 1e9}


def measure_open(sizes: tuple[int, ...]) -> list[dict[str, Any]]:
    """Sweeps, snapshots, reports and memory, by the number of open responses.

    Args:
        sizes: How many are open.
    """
    found = []
    with make_sites(_SITES) as sites, logged():
        for size in sizes:
            row = {"open": size, **_times(size, sites), **_memory(size, sites)}
            found.append(row)
    _print(found)
    return found


def _times(size: int, sites: list[Site]) -> dict[str, float]:
    """Seconds, with so many open."""
    client = memory_client(size + 1)
    with guard(**_QUIET):
        installed = _installed()
        responses = _open(client, sites[:1], size)
        # The contexts of new leases are read, once each, by their first sweep.
        times = {"first sweep": _once(installed.watch)}
        repeats = max(2000 // size, 3)
        times["sweep"] = _median(installed.watch, repeats)
        times["snapshot"] = _median(httpguard.snapshot, repeats)
        times |= _reports(installed, client, sites)
        # Released, so that nothing of this is garbage or a leak later.
        for response in responses:
            response.read()
    return times


def _reports(installed: Guard, client: Client, sites: list[Site]) -> dict[str, float]:
    """What the guarded call after a leak pays for it."""

    def after(site: Site) -> float:
        at_depth(lambda: site(client) and None)  # Dropped at once.
        return _once(installed.before_request)

    found = {
        "first report": spread(after(site) for site in sites).median,
        "counted": spread(after(site) for site in sites * 8).median,
    }
    clock = installed.registry.clock
    installed.registry.clock = lambda: time.monotonic() + _MINUTE
    found["repeated report"] = spread(after(site) for site in sites).median
    installed.registry.clock = clock
    return found


def _memory(size: int, sites: list[Site]) -> dict[str, float]:
    """Bytes an open response, as tracemalloc counts them.

    What is allocated with so many open, with the guard less without it.
    """
    _allocated(min(size, 100), sites)  # What is allocated once, is by now.
    plain, _ = _allocated(size, sites)
    with guard(**_QUIET):
        _allocated(min(size, 100), sites)
        opened, swept = _allocated(size, sites)
    return {
        "bytes: response alone": plain / size,
        "bytes: guard": (opened - plain) / size,
        "bytes: guard, after a sweep": (swept - plain) / size,
    }


def _allocated(size: int, sites: list[Site]) -> tuple[int, int]:
    """Bytes allocated by opening so many, before and after a sweep."""
    client = memory_client(size + 1)
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    responses = _open(client, sites[:1], size)
    opened = tracemalloc.get_traced_memory()[0] - before
    installed = current()
    if installed is not None:
        installed.watch()
    swept = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    for response in responses:
        response.read()
    return opened, swept


def _open(client: Client, sites: list[Site], size: int) -> list[Any]:
    """So many open responses."""
    return at_depth(lambda: [sites[i % len(sites)](client) for i in range(size)])


def _once(action: Callable[[], object]) -> float:
    """Seconds of CPU time of one call."""
    begin = time.process_time()
    action()
    return time.process_time() - begin


def _median(action: Callable[[], object], repeats: int) -> float:
    """Seconds of CPU time of a call."""
    return spread(_once(action) for _ in range(repeats)).median


def _installed() -> Guard:
    """The guard of this process."""
    installed = current()
    if installed is None:
        raise RuntimeError("httpguard is not installed")
    return installed


@contextlib.contextmanager
def logged() -> Iterator[None]:
    """Reports are rendered, written, and read by nobody."""
    logger = logging.getLogger("httpguard")
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        handler = logging.StreamHandler(nowhere)
        logger.addHandler(handler)
        logger.propagate = False
        try:
            yield
        finally:
            logger.removeHandler(handler)
            logger.propagate = True


def _print(found: list[dict[str, Any]]) -> None:
    """The table."""
    shown = Table(title="With N responses open, CPU time", title_justify="left")
    shown.add_column("")
    for row in found:
        shown.add_column(f"{row['open']:,}", justify="right")
    for name in ("first sweep", "sweep", "snapshot"):
        each = [f"{row[name] * _MICRO / row['open']:.2f}" for row in found]
        shown.add_row(f"{name}, us per open response", *each)
    for name in ("first report", "counted", "repeated report"):
        shown.add_row(
            f"a leak: {name}, us", *(f"{row[name] * _MICRO:,.0f}" for row in found)
        )
    for name in ("response alone", "guard", "guard, after a sweep"):
        each = [f"{row[f'bytes: {name}']:,.0f}" for row in found]
        shown.add_row(f"bytes per open response: {name}", *each)
    console.print(shown)
