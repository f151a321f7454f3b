"""How soon Prometheus has a leak: gunicorn, four workers, and a real Prometheus."""

from __future__ import annotations

import random
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from rich.table import Table

from tests.metrics.observed import ask, prometheus, scraping, service, total
from tests.server import Server

from ._output import console

_LEAKS: Final = "sum(httpguard_leaks_total)"
# Sweeps and scrapes, in seconds: httpguard's default and one that is keener.
_SETTINGS: Final = ((5.0, 5), (5.0, 1), (1.0, 1))


def measure_delay(leaks: int) -> list[dict[str, Any]]:
    """Seconds from the answer of a request that leaked to Prometheus having it.

    Args:
        leaks: How many, at random times, for each setting.
    """
    found = [_delays(leaks, sweep, scrape) for sweep, scrape in _SETTINGS]
    shown = Table(
        title=f"Seconds from a leak to Prometheus having it, {leaks} leaks",
        title_justify="left",
    )
    for name in ("check_interval", "scrape_interval", "median", "longest"):
        shown.add_column(name, justify="right")
    for row in found:
        times = sorted(row["seconds"])
        shown.add_row(
            f"{row['sweep']:g}",
            f"{row['scrape']:g}",
            f"{times[len(times) // 2]:.1f}",
            f"{times[-1]:.1f}",
        )
    console.print(shown)
    return found


def _delays(leaks: int, sweep: float, scrape: int) -> dict[str, Any]:
    """With one setting."""
    delays = []
    with tempfile.TemporaryDirectory() as directory, Server() as upstream:
        path = Path(directory)
        with (
            service(
                upstream.url("/bytes/90000"), path, HTTPGUARD_CHECK_INTERVAL=str(sweep)
            ) as (address, _),
            prometheus(scraping(address, f"{scrape}s"), path) as watched_by,
        ):
            for done in range(leaks):
                time.sleep(random.uniform(0, sweep + scrape))
                ask(f"{address}/leaky")
                begin = time.monotonic()
                while total(watched_by, _LEAKS) <= done:
                    time.sleep(0.02)
                delays.append(time.monotonic() - begin)
    return {"sweep": sweep, "scrape": scrape, "seconds": delays}
