"""What a scrape costs, and what a request pays so that lease times are known."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from rich.table import Table

import httpguard
from httpguard import reporting
from httpguard._process import current

from ._calls import Client, memory_client
from ._output import console
from ._paired import spread
from ._sites import make_sites
from ._stacks import at_depth
from ._steps import seconds
from ._variants import guard

if TYPE_CHECKING:
    from collections.abc import Callable

    from httpguard._guard import Guard

_MILLI: Final = 1e3
_NANO: Final = 1e9
_QUIET: Final = {"check_interval": 3600.0, "max_idle": 1e9}
_SITES: Final = 20


def measure_cost(sizes: tuple[int, ...], repeats: int) -> dict[str, Any]:
    """Scrapes by the number of open responses, and a lease with and without times.

    Args:
        sizes: How many are open.
        repeats: Scrapes each.
    """
    scrapes = [_scrapes(size, repeats) for size in sizes]
    lease = _lease()
    shown = Table(title="CPU time, ms, with N responses open", title_justify="left")
    shown.add_column("")
    for row in scrapes:
        shown.add_column(f"{row['open']:,}", justify="right")
    for name in ("Prometheus", "OpenTelemetry", "snapshot()"):
        shown.add_row(name, *(f"{row[name] * _MILLI:.2f}" for row in scrapes))
    shown.add_row("bytes of a scrape", *(f"{row['bytes']:,}" for row in scrapes))
    console.print(shown)
    console.print(
        "A lease, opened and ended, with its time kept: "
        f"{lease['kept'] * _NANO:,.0f} ns; without: {lease['not kept'] * _NANO:,.0f} ns"
    )
    return {"scrapes": scrapes, "lease": lease}


def _scrapes(size: int, repeats: int) -> dict[str, Any]:
    """One look by each way, with so many open at twenty sites."""
    client = memory_client(size + 1)
    with make_sites(_SITES) as sites, guard(**_QUIET):
        responses = at_depth(lambda: [sites[i % _SITES](client) for i in range(size)])
        reader = InMemoryMetricReader()
        sending = httpguard.instrument_opentelemetry(MeterProvider([reader]))
        body, _ = httpguard.render_prometheus()
        found = {
            "open": size,
            "bytes": len(body),
            "Prometheus": _median(httpguard.render_prometheus, repeats),
            "OpenTelemetry": _median(reader.get_metrics_data, repeats),
            "snapshot()": _median(httpguard.snapshot, min(repeats, 5)),
        }
        sending.close()
        for response in responses:
            response.read()
    return found


def _median(action: Callable[[], object], repeats: int) -> float:
    """Seconds of CPU time of a call."""

    def once() -> float:
        begin = time.process_time()
        action()
        return time.process_time() - begin

    return spread(once() for _ in range(repeats)).median


def _lease() -> dict[str, float]:
    """Seconds to open and end a lease, without and with its time kept."""
    for observer in reporting.observers():
        reporting.unobserve(observer)
    client = memory_client()
    found: dict[str, float] = {}
    with guard(**_QUIET):
        installed = current()
        if installed is None:
            raise RuntimeError("httpguard is not installed")
        # Taken in turns: the machine's speed changes.
        for _ in range(3):
            for name in ("not kept", "kept"):
                installed.registry.times = None
                if name == "kept":
                    installed.keep_times()
                taken = at_depth(lambda: _step(installed, client))
                found[name] = min(taken, found.get(name, taken))
    return found


def _step(installed: Guard, client: Client) -> float:
    """Seconds to open and end one lease."""
    registry, frame = installed.registry, sys._getframe()
    response: Any = client.manager.request("GET", client.url, preload_content=False)
    pool = response._pool
    registry.end(response)

    def lease() -> None:
        installed.hand_over(response, pool, "GET", "/item", frame)
        registry.end(response)

    found = seconds(lease)
    response.read()
    return found
