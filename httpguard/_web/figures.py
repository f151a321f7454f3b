"""Figures of the process: by psutil where it is installed, else by what Python has."""

from __future__ import annotations

import contextlib
import os
import platform
import sys
import threading
import time
from functools import cache
from typing import Any, Final

_STARTED: Final = time.time()


@cache
def program() -> dict[str, Any]:
    """What does not change while the process runs; see `forget_program`."""
    return {
        "name": name(),
        "pid": os.getpid(),
        "host": platform.node(),
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
    }


def name() -> str:
    """The program as a person calls it: its file, or the module after ``-m``."""
    main = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    if spec is not None and spec.name:
        return str(spec.name).removesuffix(".__main__")
    return os.path.basename(sys.argv[0] if sys.argv else "") or "python"


def figures() -> dict[str, float | int | None]:
    """Threads, file descriptors, memory and CPU time now; None: not to be had."""
    try:
        import psutil
    except ImportError:
        return _by_stdlib()
    return _by_psutil(psutil)


def _by_psutil(psutil: Any) -> dict[str, float | int | None]:
    """Exact, on every platform."""
    process = psutil.Process()
    with process.oneshot():
        times = process.cpu_times()
        started = process.create_time()
        memory = process.memory_info().rss
        count = getattr(process, "num_fds", None) or process.num_handles
        descriptors = count()
        threads = process.num_threads()
    return {
        "uptime": max(time.time() - started, 0.0),
        "threads": threads,
        "fds": descriptors,
        "fd_limit": _limit(),
        "rss": memory,
        "cpu_seconds": times.user + times.system,
    }


def _by_stdlib() -> dict[str, float | int | None]:
    """As far as Python and /proc go."""
    return {
        # Since this module was imported: when the page was first served.
        "uptime": max(time.time() - _STARTED, 0.0),
        "threads": threading.active_count(),
        "fds": _descriptors(),
        "fd_limit": _limit(),
        "rss": _memory(),
        "cpu_seconds": time.process_time(),
    }


def _descriptors() -> int | None:
    """Open file descriptors, where a file system shows them."""
    for folder in ("/proc/self/fd", "/dev/fd"):
        with contextlib.suppress(OSError):
            # One of them is the folder being listed.
            return len(os.listdir(folder)) - 1
    return None


def _limit() -> int | None:
    """How many descriptors the process may have."""
    try:
        import resource
    except ImportError:
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft


def _memory() -> int | None:
    """Resident bytes now, where /proc tells."""
    with (
        contextlib.suppress(OSError, ValueError, IndexError),
        open("/proc/self/statm", "rb") as file,
    ):
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return None
