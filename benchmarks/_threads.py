"""Throughput of many threads, with the guard and without."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final

from rich.table import Table

from ._calls import Call, network_client
from ._loopback import loopback_server
from ._output import console, interval, progress
from ._paired import Pair, run_rounds, spread
from ._stacks import deepened
from ._variants import GUARD, guard

if TYPE_CHECKING:
    from collections.abc import Sequence

COUNTS: Final = (1, 4, 16, 64)
"""Threads, as they are measured."""
_KINDS: Final = ("requests", "requests stream", "urllib3 stream")
# The best of so many runs is a block's result, as in `time_block`.
_TRIES: Final = 4
_PERCENT: Final = 100.0

Times = tuple[float, float]
"""Wall and CPU seconds a request."""


def measure_threads(
    counts: Sequence[int], rounds: int, requests: int
) -> dict[str, Any]:
    """What the guard takes from the throughput, by kind and number of threads.

    Args:
        counts: Numbers of threads.
        rounds: Pairs of blocks for each.
        requests: In each run, over all of its threads.
    """
    with loopback_server() as url, ExitStack() as stack:
        blocks = {}
        for threads in counts:
            calls = network_client(url, threads).calls()
            workers = stack.enter_context(ThreadPoolExecutor(threads))
            for kind in _KINDS:
                blocks[f"{kind}, {threads}"] = (workers, deepened(calls[kind]), threads)

        def measure(name: str) -> Times:
            workers, call, threads = blocks[name]
            each = max(requests // threads, 20)
            _run(workers, call, threads, 2)  # Connections are made here.
            times = [_run(workers, call, threads, each) for _ in range(_TRIES)]
            return min(wall for wall, _ in times), min(cpu for _, cpu in times)

        with progress("threads", rounds) as advance:
            figures = run_rounds({GUARD: guard}, list(blocks), measure, rounds, advance)
    found = {name: by_variant[GUARD] for name, by_variant in figures.items()}
    _print(found)
    return {name: _summary(pairs) for name, pairs in found.items()}


def _run(workers: ThreadPoolExecutor, call: Call, threads: int, each: int) -> Times:
    """Every thread makes so many requests."""

    def work() -> None:
        for _ in range(each):
            call()

    wall, cpu = time.perf_counter(), time.process_time()
    for done in [workers.submit(work) for _ in range(threads)]:
        done.result()
    total = threads * each
    return (time.perf_counter() - wall) / total, (time.process_time() - cpu) / total


def _lost(pairs: list[Pair[Times]], clock: int) -> list[float]:
    """The share of requests a second that is lost, pair by pair."""
    return [1 - base[clock] / own[clock] for base, own in pairs]


def _summary(pairs: list[Pair[Times]]) -> dict[str, Any]:
    """As it is written."""
    return {
        "requests a second without": spread(1 / base[0] for base, _ in pairs).to_dict(),
        "requests a second": spread(1 / own[0] for _, own in pairs).to_dict(),
        "lost": spread(_lost(pairs, 0)).to_dict(),
        "lost by CPU time": spread(_lost(pairs, 1)).to_dict(),
    }


def _print(found: dict[str, list[Pair[Times]]]) -> None:
    """The table."""
    shown = Table(title="Loopback: requests a second lost, %", title_justify="left")
    for column in ("kind, threads", "requests/s", "lost", "lost by CPU time"):
        shown.add_column(column, justify="left" if "kind" in column else "right")
    for name, pairs in found.items():
        shown.add_row(
            name,
            f"{spread(1 / base[0] for base, _ in pairs).median:,.0f}",
            interval(spread(_lost(pairs, 0)), _PERCENT),
            interval(spread(_lost(pairs, 1)), _PERCENT),
        )
    console.print(shown)
