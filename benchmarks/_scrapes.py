"""What a scrape costs, and what a request pays so that lease times are known."""

from __future__ import annotations

import time
from collections import deque
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from rich.table import Table

import httpguard

from ._calls import memory_client
from ._output import console
from ._paired import spread
from ._sites import make_sites
from ._stacks import at_depth
from ._steps import seconds
from ._variants import guard

if TYPE_CHECKING:
    from collections.abc import Callable


_MILLI: Final = 1e3
_NANO: Final = 1e9
_QUIET: Final = {"check_interval": 3600.0, "max_idle": 1e9}
_SITES: Final = 20


def measure_cost(sizes: tuple[int, ...], repeats: int) -> dict[str, Any]:
    """Scrapes by the number of open responses, and what a lease's time costs.

    Args:
        sizes: How many are open.
        repeats: Scrapes each.
    """
    scrapes = [_scrapes(size, repeats) for size in sizes]
    kept = _kept()
    shown = Table(title="CPU time, ms, with N responses open", title_justify="left")
    shown.add_column("")
    for row in scrapes:
        shown.add_column(f"{row['open']:,}", justify="right")
    for name in ("Prometheus", "OpenTelemetry", "snapshot()"):
        shown.add_row(name, *(f"{row[name] * _MILLI:.2f}" for row in scrapes))
    shown.add_row("bytes of a scrape", *(f"{row['bytes']:,}" for row in scrapes))
    console.print(shown)
    console.print(f"To keep the time of a lease: {kept * _NANO:,.0f} ns")
    return {"scrapes": scrapes, "lease": kept}


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


def _kept() -> float:
    """Seconds that ending a lease takes longer because its time is kept."""
    times: deque[float] = deque(maxlen=100_000)
    clock = time.monotonic
    lease = SimpleNamespace(opened=clock())
    return seconds(lambda: times.append(clock() - lease.opened))
