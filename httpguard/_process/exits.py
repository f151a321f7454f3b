"""The end of the process, and of a worker of multiprocessing."""

from __future__ import annotations

import sys
import weakref
from typing import TYPE_CHECKING, Final

from .process import PROCESS

if TYPE_CHECKING:
    from .._guard.parts import CountsObserver

# multiprocessing runs finalizers by priority, the highest first.
_LAST: Final = -1000


def observe_end(counts_observer: CountsObserver | None) -> None:
    """Make the end of this process a scope, and have its counts told.

    What is then still open is a leak, as `httpguard run` has it. The observer is told
    the counts after each sweep and at the end; what it raises is logged once and stops
    nothing.
    """
    # The first `weakref.finalize` of a process registers all of them with atexit. Here
    # it does so before our own handler, which then runs before them: urllib3's pools
    # close their sockets by one each.
    weakref.finalize(PROCESS, int)
    with PROCESS.lock:
        PROCESS.is_scope = True
        PROCESS.counts_observer = counts_observer
        if PROCESS.guard is not None:
            PROCESS.guard.counts_observer = counts_observer


def finish() -> None:
    """Run at exit; what the interpreter's tear-down collects is not judged."""
    guard, PROCESS.guard = PROCESS.guard, None
    if guard is not None:
        try:
            guard.finish(is_scope=PROCESS.is_scope)
            if PROCESS.patches is not None:
                PROCESS.patches.tell(None)
        except Exception as error:
            guard.step_aside("exit", error)


def finish_with_worker(*_: object) -> None:
    """In a worker of multiprocessing, which leaves without atexit, run all the same."""
    util = sys.modules.get("multiprocessing.util")
    process = sys.modules.get("multiprocessing.process")
    if util is not None and process is not None and process.parent_process():
        util.Finalize(None, finish, exitpriority=_LAST)


def once_a_worker_begins() -> None:
    """Have multiprocessing call that when a worker has made itself ready.

    It clears the finalizers that it inherits from its parent, and those of a
    ``__main__`` that a worker of a fork server imports.
    """
    util = sys.modules.get("multiprocessing.util")
    if util is not None:
        util.register_after_fork(PROCESS, finish_with_worker)
