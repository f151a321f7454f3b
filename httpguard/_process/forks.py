"""Forks: one loop over the parts of the process's state."""

from __future__ import annotations

import os
import threading
from types import FunctionType
from typing import TYPE_CHECKING, Final

from .exits import once_a_worker_begins
from .process import PROCESS, failed

if TYPE_CHECKING:
    from collections.abc import Callable

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


def _call() -> None:
    for do in doing:  # type: ignore[name-defined]  # noqa: F821  # See `_switch`.
        do()


def _switch(do: Callable[[], None]) -> Callable[[], None]:
    """What Python is given to call, which it never forgets.

    A function whose module is a list: emptied, it keeps nothing of ours alive.
    """
    switch: Callable[[], None] = FunctionType(_call.__code__, {"doing": [do]})
    return switch


_SWITCHES: Final = tuple(
    map(_switch, (_before, PROCESS.parts.resume, _in_child)),
)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_SWITCHES[0],
        after_in_parent=_SWITCHES[1],
        after_in_child=_SWITCHES[2],
    )


def let_go() -> None:
    """This copy of httpguard goes: what Python still calls does nothing any more."""
    for switch in _SWITCHES:
        switch.__globals__["doing"].clear()
