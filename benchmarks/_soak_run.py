"""One run of a service: start it, keep it busy, end it, and judge what it did."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ._soak_judged import Row, rows, told
from ._soak_memory import Sampler, is_flat, peaks
from .services.settings import Orders
from .services.truth import Reader, places
from .services.upstream import upstream

if TYPE_CHECKING:
    from pathlib import Path

    from .services.running import Service
    from .services.truth import Truth

# Steps of a part of the schedule, about.
_PART: Final = 20
_LOOK: Final = 0.1
_LONG: Final = 10_000


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run is to be.

    Args:
        requests: Steps of the service, most of them one request each.
        seconds: For which it goes on at most; None: until that is done.
        seed: Of the order of the steps.
        max_idle: Seconds after which the guard calls a response held.
    """

    requests: int
    seconds: float | None
    seed: int
    max_idle: float = 2.0


@dataclass(frozen=True, slots=True)
class Result:
    """What came of it.

    Args:
        requests: Steps that were done.
        seconds: From the start of the service to its end.
        interrupted: Whether the user ended it early.
        processes: That did any of it.
        unfinished: Processes that did not come to their end by themselves.
        code: With which the first process ended; -N: by signal N.
        errors: Failures of its own that httpguard has counted.
        failed: Lines that raised what they should not have, by what it was.
        injected: Faults, by what they were.
        rows: Line by line, what leaked and what the log has.
        resident: Bytes: the most that a process had, in each tenth of the time.
        kept: The same of items in httpguard's containers.
    """

    requests: int
    seconds: float
    interrupted: bool
    processes: int
    unfinished: int
    code: int
    errors: int
    failed: dict[str, int]
    injected: dict[str, int]
    rows: list[Row]
    resident: list[float | None]
    kept: list[float | None]

    @property
    def is_long(self) -> bool:
        """Whether so much was done that memory can be judged."""
        return self.requests >= _LONG

    @property
    def faults(self) -> list[str]:
        """What is not as it should be, in words."""
        missed = sum(row.missed for row in self.rows)
        false = sum(row.false for row in self.rows)
        unresolved = sum(
            abs(row.made_resolved - row.told_resolved) for row in self.rows
        )
        counts = {
            "leaks missed": missed,
            "leaks that are none": false,
            "differences of what was closed after all": unresolved,
            "failures inside httpguard": self.errors,
            "errors of the service": sum(self.failed.values()),
            "processes that did not end by themselves": self.unfinished,
        }
        found = [f"{count:,} {what}" for what, count in counts.items() if count]
        if self.code:
            found.append(f"the service ended with {self.code}")
        if self.is_long and is_flat(self.resident) is False:
            found.append("resident memory grew")
        if self.is_long and is_flat(self.kept) is False:
            found.append("httpguard's containers grew")
        if not self.requests:
            found.append("no request was made")
        return found


def run(service: type[Service], plan: Plan, folder: Path) -> Result:
    """Run it until all is done, time is up, or Ctrl-C.

    Args:
        service: Which.
        plan: How much.
        folder: For its files.
    """
    with upstream() as url:
        orders = Orders(url, plan.seed, folder, plan.max_idle)
        running = service(orders, plan.requests // _PART)
        reader = Reader(orders.diary)
        begin = time.monotonic()
        running.start()
        sampler = Sampler(running.process.pid)
        interrupted = False
        ended = False
        try:
            _drive(running, plan, reader, begin)
        except KeyboardInterrupt:
            interrupted = True
        finally:
            # Memory is read while there is work: what comes after is its end.
            over = time.monotonic()
            sampler.stop()
            ended = running.end()
    truth = reader.read()
    return Result(
        requests=truth.steps,
        seconds=over - begin,
        interrupted=interrupted,
        processes=len(truth.running) + truth.ended,
        unfinished=len(truth.running) + (not ended),
        code=running.process.returncode,
        errors=truth.errors,
        failed=dict(truth.failed),
        injected=dict(truth.injected),
        rows=judged(orders, truth),
        resident=peaks(sampler.readings, begin, over),
        kept=peaks(truth.kept, begin, over),
    )


def judged(orders: Orders, truth: Truth) -> list[Row]:
    """Line by line, what the service leaked and what the log has.

    Args:
        orders: Of the service, with the folder of its log.
        truth: What it wrote down.
    """
    return rows(truth, places(), told(orders.log))


def _drive(running: Service, plan: Plan, reader: Reader, begin: float) -> None:
    """Keep the service at work."""
    while running.process.poll() is None:
        share = reader.read().steps / plan.requests
        if plan.seconds is not None:
            share = max(share, (time.monotonic() - begin) / plan.seconds)
        if share >= 1:
            return
        running.drive(share)
        time.sleep(_LOOK)
