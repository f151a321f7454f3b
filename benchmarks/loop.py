"""How long an event loop waits while the watcher looks at open responses.

An asyncio loop has so many unread responses of aiohttp open, over connections in
memory, and wakes up twice a millisecond. Its longest wait within a look is said, the
median of some looks; beside it how long the watcher has kept the interpreter at a time,
in CPU time of its thread, which no other program on the machine changes; and the same
where it never rests.

Run: ``python -m benchmarks.loop [--quick] [--json FILE]``. Half a minute.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import time
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from rich.table import Table

import httpguard
from httpguard._guard.guard import Guard
from httpguard._guard.watcher import Watcher
from httpguard._process.process import current

from ._memory import URL, aiohttp_session
from ._open import logged
from ._output import console, parser, write

if TYPE_CHECKING:
    from collections.abc import Sequence

_LENGTH: Final = 9_000_000
_PAUSE: Final = 0.0005
_INTERVAL: Final = 0.4
_MILLI: Final = 1e3


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and write.

    Args:
        arguments: Of the command line.
    """
    options = parser(__doc__).parse_args(arguments)
    sizes = (10, 10_000) if options.quick else (10, 1000, 10_000)
    looks = 4 if options.quick else 10
    table = Table(title="Milliseconds, by open responses", title_justify="left")
    names = ("the loop waits", "kept at a time", "a look")
    for column in ("open", "rests", *names):
        table.add_column(column, justify="right")
    figures = []
    with logged():
        for size in sizes:
            for rests in (True, False):
                found = asyncio.run(_measure(size, looks, rests=rests))
                figures.append({"open": size, "rests": rests, **found})
                values = (f"{found[name] * _MILLI:.2f}" for name in names)
                table.add_row(f"{size:,}", "yes" if rests else "no", *values)
    console.print(table)
    write(options.json, {"loop": figures})


async def _measure(size: int, looks: int, *, rests: bool) -> dict[str, float]:
    """The medians of some looks."""
    rest, watch = Watcher.rest, Guard.watch
    seen: list[tuple[float, float, float]] = []
    kept: list[float] = []
    since = 0.0

    def noted(self: Watcher) -> None:
        nonlocal since
        kept.append(time.thread_time() - since)
        if rests:
            rest(self)
        since = time.thread_time()

    def looked(installed: Guard) -> None:
        nonlocal since
        kept.clear()
        since = time.thread_time()
        begin = time.perf_counter()
        watch(installed)
        kept.append(time.thread_time() - since)
        longest = max(kept) if rests else sum(kept)
        seen.append((begin, time.perf_counter(), longest))

    Watcher.rest = noted  # type: ignore[method-assign]
    httpguard.install(check_interval=_INTERVAL, max_idle=1e9)
    installed = current()
    if installed is None:
        raise RuntimeError("httpguard is not installed")
    installed.watcher._sweep = partial(looked, installed)
    session = aiohttp_session(announced=_LENGTH)
    responses: list[Any] = [await session.get(URL) for _ in range(size)]
    gc.collect()
    gc.freeze()
    seen.clear()
    wakes = [time.perf_counter()]
    try:
        while len(seen) < looks or wakes[-1] <= seen[looks - 1][1]:
            await asyncio.sleep(_PAUSE)
            wakes.append(time.perf_counter())
    finally:
        Watcher.rest = rest  # type: ignore[method-assign]
        gc.unfreeze()
        httpguard.uninstall()
    for response in responses:
        response.close()
    await session.close()
    waits = [
        max(
            after - before
            for before, after in pairwise(wakes)
            if after > begin and before < end
        )
        for begin, end, _ in seen[:looks]
    ]
    return {
        "the loop waits": statistics.median(waits),
        "kept at a time": statistics.median(longest for _, _, longest in seen),
        "a look": statistics.median(end - begin for begin, end, _ in seen),
    }


if __name__ == "__main__":
    main()
