"""Figures of the process: by psutil where it is installed, else by what Python has."""

from __future__ import annotations

import contextlib
import os
import platform
import threading
import time
from typing import Any, Final

from .._pressure.descriptors import count_descriptors, limit_of_descriptors
from .._reporting.json_lines import program_name

_STARTED: Final = time.time()

Figures = dict[str, float | int | None]
"""Threads, file descriptors, memory and CPU time; None: not to be had."""


def about() -> dict[str, Any]:
    """What does not change while the process runs."""
    return {
        "name": program_name(),
        "pid": os.getpid(),
        "host": platform.node(),
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
    }


def figures() -> Figures:
    try:
        import psutil
    except ImportError:
        return by_stdlib()
    process = psutil.Process()
    with process.oneshot():
        times = process.cpu_times()
        count = getattr(process, "num_fds", None) or process.num_handles
        return {
            "uptime": round(max(time.time() - process.create_time(), 0.0), 3),
            "threads": process.num_threads(),
            "fds": count(),
            "fd_limit": limit_of_descriptors(),
            "rss": process.memory_info().rss,
            "cpu_seconds": round(times.user + times.system, 3),
        }


def by_stdlib() -> Figures:
    limit = limit_of_descriptors()
    return {
        "uptime": round(_uptime(), 3),
        "threads": threading.active_count(),
        "fds": count_descriptors(limit or 0),
        "fd_limit": limit,
        "rss": _memory(),
        "cpu_seconds": round(time.process_time(), 3),
    }


def _uptime() -> float:
    """Seconds since the process began, where /proc tells.

    Else since this module was imported: when the page was first served.
    """
    with (
        contextlib.suppress(OSError, ValueError, IndexError, AttributeError),
        open("/proc/self/stat", "rb") as file,
    ):
        ticks = int(file.read().rpartition(b")")[2].split()[19])
        now = time.clock_gettime(time.CLOCK_BOOTTIME)
        return max(now - ticks / os.sysconf("SC_CLK_TCK"), 0.0)
    return max(time.time() - _STARTED, 0.0)


def _memory() -> int | None:
    with (
        contextlib.suppress(OSError, ValueError, IndexError),
        open("/proc/self/statm", "rb") as file,
    ):
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return None
