"""Forks: one loop over the parts of the process's state."""

from __future__ import annotations

import os
import threading
from typing import Final

from .exits import once_a_worker_begins
from .process import PROCESS, failed

# A fork waits so many seconds at most for an `install` in another thread.
_PATIENCE: Final = 10.0


def _before() -> None:
    """In the parent, before.

    A module that another thread is importing at this moment stays locked for ever
    in the child. What reports import when they need it is therefore loaded first,
    and an `install` that imports the engine in another thread comes to its end.
    """
    try:
        if PROCESS.guard is None and PROCESS.lock.acquire(timeout=_PATIENCE):
            PROCESS.lock.release()
        guard = PROCESS.guard
        if guard is not None and (
            guard.registry.opened.value or threading.active_count() > 1
        ):
            from .._reporting.logs import preload
            from .._stacks.ownership import preload_origins

            preload_origins()
            preload()
    except Exception as error:
        failed("fork", error)
    PROCESS.parts.pause()


def _in_child() -> None:
    """In the child, where another thread's lock would stay locked."""
    PROCESS.lock = threading.RLock()
    PROCESS.parts.forget()
    if PROCESS.guard is not None:
        try:
            once_a_worker_begins()
        except Exception as error:
            failed("fork", error)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before,
        after_in_parent=PROCESS.parts.resume,
        after_in_child=_in_child,
    )
