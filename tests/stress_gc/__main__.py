"""Run the threads for some time: ``python -m tests.stress_gc --minutes 10``.

Exits with 1 if a thread failed or a leak was miscounted, with 3 after a deadlock.
"""

from __future__ import annotations

import argparse
import gc
import logging
import sys
import time
from collections import Counter

import httpguard
from tests.server import Server

from ._threads import DIED_UNDER, HANDLER, STEPPED_ASIDE, Threads
from ._thresholds import Thresholds
from ._watchdog import Watchdog

_STEP = 0.5


def main() -> int:
    """Run, count, compare."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.stress_gc", description=__doc__
    )
    parser.add_argument("--minutes", type=float, default=10, help="how long")
    parser.add_argument(
        "--patience", type=float, default=120, help="seconds without a round: deadlock"
    )
    arguments = parser.parse_args()
    with Server() as server:
        httpguard.install(check_interval=0.001)
        threads = Threads(server)
        logging.getLogger().addHandler(HANDLER)
        complaints = _run(threads, 60 * arguments.minutes, arguments.patience)
        httpguard.uninstall()
    for complaint in complaints:
        _say(f"FAILED: {complaint}")
    return 1 if complaints else 0


def _run(threads: Threads, seconds: float, patience: float) -> list[str]:
    """Let them work; what there is to complain about."""
    watchdog, thresholds = Watchdog(patience), Thresholds()
    end = time.monotonic() + seconds
    thresholds.begin()
    threads.start()
    while time.monotonic() < end and not threads.failures:
        time.sleep(_STEP)
        watchdog.look(threads.rounds)
        thresholds.next()
    thresholds.end()
    waiting = threads.join(patience)
    if waiting:
        watchdog.bark(f"{len(waiting)} threads do not end")
    watchdog.end()
    gc.collect()
    state = httpguard.check()
    return _report(threads, thresholds.runs, state)


def _report(threads: Threads, collections: int, state: httpguard.Snapshot) -> list[str]:
    """Print the figures, and compare them with what the threads did."""
    rounds: Counter[str] = Counter()
    for name, count in threads.rounds.items():
        rounds[name.partition(" ")[2]] += count
    for name, count in rounds.items():
        _say(f"{count:>10,} rounds {name}")
    counters, dropped = state.counters, sum(threads.dropped.values())
    _say(f"{collections:>10,} collections")
    _say(f"{counters['opened']:>10,} responses, {dropped:,} of them dropped in cycles")
    for name, count in DIED_UNDER.items():
        _say(f"{count:>10,} of the cycles collected under the {name} lock")
    complaints = [repr(error) for error in threads.failures]
    if counters["leaks"] != dropped:
        complaints.append(f"{dropped} were dropped, {counters['leaks']} reported")
    ends = ("released", "closed", "leaks")
    if counters["opened"] != sum(counters[end] for end in ends):
        complaints.append(f"responses do not add up: {dict(counters)}")
    if counters["errors"]:
        complaints.append(f"httpguard stepped aside {counters['errors']} times")
        complaints += STEPPED_ASIDE
    return complaints


def _say(text: str) -> None:
    """Print at once."""
    print(text, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
