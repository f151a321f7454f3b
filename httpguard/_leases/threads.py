"""What runs at this moment: a thread, a greenlet or a task."""

from __future__ import annotations

import threading
import weakref
from sys import modules
from typing import Any

from .._model.fork import is_native
from .._stacks.running import frame_of
from .._stacks.tasks import current_task

Reference = weakref.ref[Any]
Strand = Reference | int
"""A thread or greenlet, weakly; the number of one that Python does not know."""
Runner = Strand | tuple[Reference, Strand]
"""A strand, or a task and the strand in which its loop runs."""


def running() -> tuple[Runner, str]:
    """The task, greenlet or thread that runs this, and the name of the thread.

    Their numbers are given to others as soon as they have ended. The weak reference to
    a thread is one that all of its responses share. Not by
    ``threading.current_thread()``: for a thread that Python did not start, that one
    makes a dummy which the program would see.
    """
    ident = threading.get_ident()
    thread = threading._active.get(ident)  # type: ignore[attr-defined]  # the table behind enumerate()
    if thread is not None:
        name = thread._name  # The property is twice as slow.
        strand: Strand = weakref.ref(thread)
    else:
        # Not a greenlet's `name` either: gevent assigns one as it is asked for.
        name = f"thread-{ident}"
        strand = _greenlet() or ident
    # As `current_task`, where there is none.
    events: Any = modules.get("asyncio.events")
    if (events is None or events._get_running_loop() is None) and "trio" not in modules:
        return strand, name
    task = current_task()
    return (strand if task is None else (weakref.ref(task), strand)), name


def runner() -> Runner:
    return running()[0]


def strand_of(known: Runner) -> Strand:
    """The thread or greenlet, where the loop of a task runs too."""
    return known[1] if isinstance(known, tuple) else known


def _greenlet() -> Reference | None:
    """The greenlet that runs this, where gevent or eventlet has patched threads."""
    greenlet = modules.get("greenlet")
    if greenlet is None or is_native():
        return None
    return weakref.ref(greenlet.getcurrent())


def is_alive(known: Runner) -> bool:
    """Whether it may still make a request."""
    if isinstance(known, tuple):
        return _is_under_way(known[0]) or is_alive(known[1])
    if isinstance(known, int):
        return True
    strand = known()
    if isinstance(strand, threading.Thread):
        # Without its lock.
        return threading._active.get(strand._ident) is strand  # type: ignore[attr-defined]
    return strand is not None


def is_of(known: Runner, now: Runner) -> bool:
    """Whether what runs now is the known one, or has run the task that has ended."""
    if known == now:
        return True
    return isinstance(known, tuple) and known[1] == now and not _is_under_way(known[0])


def _is_under_way(reference: Reference) -> bool:
    task = reference()
    if task is None:
        return False
    if hasattr(task, "done"):
        return not task.done()
    return frame_of(task.coro) is not None  # Of trio.
