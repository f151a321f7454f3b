"""What `follow_executors` adds to work handed to a thread pool."""

from __future__ import annotations

import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from rich.table import Table

import httpguard

from ._output import console, parser, write
from ._stacks import deepened

_DEPTH = 25


def main() -> None:
    """Measure, print and save."""
    options = parser(__doc__).parse_args()
    rounds = 20 if options.quick else 100
    figures: dict[str, list[float]] = {"without": [], "with": []}
    for _ in range(rounds):
        for name, follow in (("without", False), ("with", True)):
            httpguard.install(check_interval=0, follow_executors=follow)
            figures[name].append(_submissions())
            httpguard.uninstall()
    differences = [
        after - before
        for before, after in zip(figures["without"], figures["with"], strict=True)
    ]
    table = Table(title="Microseconds of CPU time for work of a thread pool")
    rows: dict[str, Any] = {}
    for name, values in (*figures.items(), ("difference", differences)):
        low, median, high = statistics.quantiles(values, n=4)
        rows[name] = {"median": median, "low": low, "high": high}
    for column in ("", "median", "quartiles"):
        table.add_column(column, justify="right")
    for name, row in rows.items():
        quartiles = f"{row['low'] * 1e6:.1f} to {row['high'] * 1e6:.1f}"
        table.add_row(name, f"{row['median'] * 1e6:.1f}", quartiles)
    console.print(table)
    write(options.json, {"follow": rows})


def _submissions(count: int = 500) -> float:
    """Seconds of CPU time for one piece of work, from a stack of 25 frames."""
    with ThreadPoolExecutor(1) as pool:
        submit = deepened(lambda: pool.submit(int), _DEPTH)
        for _ in range(50):
            submit()
        begin = time.process_time()
        for _ in range(count):
            submit()
    return (time.process_time() - begin) / count


if __name__ == "__main__":
    main()
