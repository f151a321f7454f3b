"""Seconds to find what holds a response, among many live objects."""

from __future__ import annotations

import gc
import statistics
import time
import weakref
from typing import Any, Final

import requests
from rich.table import Table

from httpguard._holders.search import held_by
from httpguard._stacks.ownership import Origins

from ._output import console, parser, write

_BUDGET: Final = 0.02
_GENEROUS: Final = 60.0


class _Raw:
    """In the place of urllib3's response."""


class _Client:
    """Somebody who keeps a response."""

    def __init__(self, response: requests.Response) -> None:
        """Keep it in a dict."""
        self.cache = {"https://example.test/item": response}


_clients: Final[list[_Client]] = []
# Where no search comes by that begins at the application.
_ballast: Final[list[Any]] = []


def main() -> None:
    """Measure, print and save."""
    options = parser(__doc__).parse_args()
    sizes = (10_000, 100_000) if options.quick else (10_000, 100_000, 1_000_000)
    table = Table(title="What holds a response: milliseconds of one search")
    for column in (
        "live objects",
        "found in 20 ms",
        "ms, median",
        "ms, most",
        "ms, in full",
    ):
        table.add_column(column, justify="right")
    rows = []
    for size in sizes:
        row = _measure(size, rounds=5 if options.quick else 20)
        rows.append(row)
        table.add_row(
            f"{row['objects']:,}",
            f"{row['found']} of {row['rounds']}",
            f"{row['median'] * 1e3:.1f}",
            f"{row['most'] * 1e3:.1f}",
            f"{row['full'] * 1e3:.1f}",
        )
    console.print(table)
    write(options.json, {"explain": rows})


def _measure(size: int, rounds: int) -> dict[str, Any]:
    """Search as often, among so many objects that are in the way."""
    response = requests.Response()
    response.raw = _Raw()
    # No local of this function shall be what holds it.
    raw = weakref.ref(response.raw)
    _clients.append(_Client(response))
    _ballast.extend({"row": [index]} for index in range(size // 2))
    origins = Origins()
    seconds, found = [], 0
    del response
    for _ in range(rounds):
        begin = time.thread_time()
        chain = held_by(raw(), origins, _BUDGET)
        seconds.append(time.thread_time() - begin)
        found += chain is not None
    begin = time.thread_time()
    held_by(raw(), origins, _GENEROUS)
    full = time.thread_time() - begin
    objects = len(gc.get_objects())
    _clients.clear()
    _ballast.clear()
    return {
        "objects": objects,
        "rounds": rounds,
        "found": found,
        "median": statistics.median(seconds),
        "most": max(seconds),
        "full": full,
    }


if __name__ == "__main__":
    main()
