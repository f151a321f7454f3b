"""Figures of the process, the last hour of them in a fixed amount of memory."""

from __future__ import annotations

import contextlib
import os
import platform
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from .._pressure.descriptors import count_descriptors, limit_of_descriptors
from .._reporting.json_lines import program_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from .source import Source

SECONDS: Final = 5.0
"""The time between two samples."""
KEPT: Final = 720
"""Samples kept: an hour."""


class History:
    """What was open and what had leaked, every five seconds of the last hour."""

    def __init__(
        self,
        find: Callable[[], Source | None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._find = find
        self._clock = clock
        # When, how many were open, how many had leaked.
        self._samples: deque[tuple[float, int, int]] = deque(maxlen=KEPT)
        self._next = clock()

    def sample(self) -> float:
        """Note the state, if it is time to; seconds until the next time."""
        now = self._clock()
        if now >= self._next:
            # After a pause of the whole machine there is nothing to make up for.
            self._next = max(self._next + SECONDS, now)
            self._samples.append(self._look(now))
        return max(self._next - self._clock(), 0.0)

    def to_dict(self) -> dict[str, Any]:
        now = self._clock()
        when, opened, leaks = zip(*self._samples, self._look(now), strict=True)
        ago = [round(now - moment, 1) for moment in when]
        return {"seconds_ago": ago, "open": list(opened), "leaks": list(leaks)}

    def clear(self) -> None:
        self._samples.clear()
        self._next = self._clock()

    def _look(self, now: float) -> tuple[float, int, int]:
        guard = self._find()
        if guard is None:
            return now, 0, 0
        return now, guard.registry.count_open(), guard.table.total


_STARTED: Final = time.time()


def about() -> dict[str, Any]:
    """What does not change while the process runs."""
    return {
        "name": program_name(),
        "pid": os.getpid(),
        "host": platform.node(),
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
    }


def figures() -> dict[str, float | int | None]:
    """Threads, file descriptors, memory and CPU time; None: not to be had.

    Where /proc does not tell, the process began when this module was imported, and its
    threads are those that Python knows.
    """
    limit = limit_of_descriptors()
    uptime, threads, rss = time.time() - _STARTED, threading.active_count(), None
    with (
        contextlib.suppress(OSError, ValueError, IndexError, AttributeError),
        open("/proc/self/stat", "rb") as file,
    ):
        # From the third field on.
        stat = file.read().rpartition(b")")[2].split()
        ticks = int(stat[19]) / os.sysconf("SC_CLK_TCK")
        uptime = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks
        threads, rss = int(stat[17]), int(stat[21]) * os.sysconf("SC_PAGE_SIZE")
    return {
        "uptime": round(max(uptime, 0.0), 3),
        "threads": threads,
        "fds": count_descriptors(limit or 0),
        "fd_limit": limit,
        "rss": rss,
        "cpu_seconds": round(time.process_time(), 3),
    }
