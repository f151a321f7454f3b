"""Logs as a fleet writes them, made up: a share of our lines among others."""

from __future__ import annotations

import json
import random
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_BEGIN: Final = datetime(2026, 3, 1, tzinfo=timezone.utc)
_SPAN: Final = timedelta(days=7)
_SITES: Final = 300
_LINES_OF_A_RUN: Final = 2000
_RUNS_AT_ONCE: Final = 40
_KINDS: Final = ("dropped", "dropped", "dropped", "held", "unreleased")
_DAMAGE: Final = 100_000
"""One line in so many is cut in the middle."""


def write(path: Path, lines: int, share: float) -> None:
    """Write a log.

    Args:
        path: The file, replaced.
        lines: How many.
        share: Of them ours; the others are JSON lines of an application.
    """
    chance = random.Random(lines)
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(_lines(chance, lines, share))


def _lines(chance: random.Random, lines: int, share: float) -> Iterator[str]:
    """Line by line, some runs of processes writing at the same time."""
    sites = [_site(chance, number) for number in range(_SITES)]
    runs = [_Run(chance, sites) for _ in range(_RUNS_AT_ONCE)]
    step = _SPAN / lines
    for number in range(lines):
        time = (_BEGIN + number * step).isoformat(timespec="microseconds")
        if chance.random() >= share:
            yield (
                f'{{"timestamp": "{time}", "level": "info", "event": "handled",'
                f' "path": "/items/{number}", "status": 200, "ms": {number % 97}}}\n'
            )
            continue
        place = chance.randrange(_RUNS_AT_ONCE)
        run = runs[place]
        line = run.line(time)
        yield line if chance.randrange(_DAMAGE) else line[: len(line) // 2] + "\n"
        if run.written == _LINES_OF_A_RUN:
            runs[place] = _Run(chance, sites)


class _Run:
    """One process, from its start to its end.

    Args:
        chance: What it leaks by.
        sites: What it may leak at.
    """

    def __init__(self, chance: random.Random, sites: list[dict[str, Any]]) -> None:
        self._chance = chance
        self._sites = chance.sample(sites, 20)
        self._counts = [0] * len(self._sites)
        self._first = [""] * len(self._sites)
        self.written = 0
        self._head = json.dumps(
            {
                "run": f"{chance.getrandbits(64):016x}",
                "pid": chance.randrange(2, 1 << 16),
                "host": f"node-{chance.randrange(60)}",
                "program": chance.choice(("gunicorn", "worker", "nightly.py")),
            }
        )[1:-1]
        self._tails = [json.dumps(site)[1:] for site in self._sites]

    def line(self, time: str) -> str:
        """The next line."""
        self.written += 1
        at = int(20 * self._chance.random() ** 2)
        self._counts[at] += self._chance.randrange(1, 20)
        self._first[at] = self._first[at] or time
        return (
            f'{{"schema": 1, "timestamp": "{time}", "level": "warning",'
            f' "event": "httpguard.leak", {self._head}, "count": {self._counts[at]},'
            f' "resolved": 0, "first_seen": "{self._first[at]}", "last_seen": "{time}",'
            f' "open_now": 3, "leaks_total": {self.written}, "context": {{}},'
            f" {self._tails[at]}\n"
        )


def _site(chance: random.Random, number: int) -> dict[str, Any]:
    """The fields of a leak that are the same each time."""
    frames = [
        {
            "filename": f"/srv/app/part_{chance.randrange(40)}/module_{number}.py",
            "lineno": chance.randrange(1, 900),
            "function": f"step_{depth}",
            "application": depth < 4,
        }
        for depth in range(6)
    ]
    return {
        "kind": chance.choice(_KINDS),
        "site": frames[3],
        "stack": frames,
        "method": "GET",
        "url": f"https://api.example/items/{number}?page=…",
        "status": 200,
        "client": "requests",
        "pool": "https://api.example:443",
        "thread": "MainThread",
        "age": 61.5,
        "idle": 60.2,
        "bytes_read": 0,
        "length": 90000,
        "hint": "open it with `with requests.get(..., stream=True) as response:`",
    }
