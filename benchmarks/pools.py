"""What looking after pools costs, and what it gives.

    python -m benchmarks.pools

Prints the microseconds that the counters of a pool add to a request, the time from
the first wait of a starved pool to its report, and how far a program gets that leaks
on every request against a blocking pool of two, without and with ``reclaim``.
"""

from __future__ import annotations

import threading
import time
import timeit
from typing import TYPE_CHECKING, Any, Final

import requests
import urllib3

import httpguard
from httpguard._model.event import POOL_STARVED
from httpguard._process.process import PROCESS

from ._transport import HOST, memory_manager

if TYPE_CHECKING:
    from collections.abc import Callable

    from httpguard._model.event import Event

_URL: Final = f"http://{HOST}/item"
_LOOPS: Final = 100
_ROUNDS: Final = 60
_REQUESTS: Final = 10_000
_MAX_WAIT: Final = 1.0


def counters() -> float:
    """Microseconds added to taking a connection and putting it back."""
    manager = memory_manager()
    manager.request("GET", _URL)
    pool: Any = manager.connection_from_url(_URL)

    def step() -> None:
        pool._put_conn(pool._get_conn())

    differences = []
    for _ in range(7):
        without = _best(step)
        httpguard.install()
        differences.append(_best(step) - without)
        httpguard.uninstall()
    return sorted(differences)[len(differences) // 2]


def _best(step: Any) -> float:
    """Microseconds of one call, the best of many rounds."""
    rounds = timeit.repeat(step, number=_LOOPS, repeat=_ROUNDS)
    return min(rounds) / _LOOPS * 1e6


def made(make: Callable[[], object]) -> float:
    """Microseconds added to making a session or a pool manager."""
    without = _best(make)
    httpguard.install()
    guarded = _best(make)
    httpguard.uninstall()
    return guarded - without


def time_to_report() -> float:
    """Seconds from the first wait to the report, ``max_wait`` being one."""
    seen: list[float] = []
    came = threading.Event()

    def note(event: Event) -> None:
        if event.name == POOL_STARVED:
            seen.append(time.perf_counter())
            came.set()

    manager = _blocking()
    PROCESS.destinations.add(note, "benchmark")
    httpguard.install(max_wait=_MAX_WAIT)
    kept = manager.request("GET", _URL, preload_content=False)
    asking = threading.Thread(target=manager.request, args=("GET", _URL), daemon=True)
    began = time.perf_counter()
    asking.start()
    came.wait(10 * _MAX_WAIT)
    kept.drain_conn()
    asking.join()
    httpguard.uninstall()
    PROCESS.destinations.remove(note)
    return seen[0] - began


def leaky(*, reclaim: bool) -> tuple[int, float]:
    """How many requests a leaky program makes, and in how many seconds."""
    manager = _blocking(2)
    httpguard.install(reclaim=reclaim)
    began = time.perf_counter()
    done = 0
    try:
        for _ in range(_REQUESTS):
            manager.request("GET", _URL, preload_content=False, pool_timeout=1.0)
            done += 1
    except urllib3.exceptions.EmptyPoolError:
        pass
    seconds = time.perf_counter() - began
    httpguard.uninstall()
    return done, seconds


def _blocking(maxsize: int = 1) -> urllib3.PoolManager:
    """A manager whose pools block."""
    manager = memory_manager(maxsize)
    manager.connection_pool_kw["block"] = True
    return manager


def main() -> None:
    """Print all of it."""
    print(f"pool counters: {counters():.2f} us a request")
    print(f"a session: {made(requests.Session):.2f} us")
    print(f"a pool manager: {made(urllib3.PoolManager):.2f} us")
    seconds = time_to_report()
    print(f"from the first wait to the report: {seconds:.3f} s (max_wait={_MAX_WAIT})")
    for reclaim in (False, True):
        done, seconds = leaky(reclaim=reclaim)
        print(f"reclaim={reclaim}: {done:,} of {_REQUESTS:,} requests, {seconds:.1f} s")


if __name__ == "__main__":
    main()
