"""A test session's guard, below what the program under test installs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from .installing import make_guard, put_patches_on, take_off, wind_up
from .process import PROCESS

if TYPE_CHECKING:
    from .._guard.guard import Guard
    from .._model.settings import Settings


def enter_session(settings: Settings) -> Guard:
    """A test session begins: guard the process below the program under test.

    What the program itself installs and uninstalls from here on is a guard of its
    own, with its own settings and findings, on the same registry. Returns the session's
    guard, which reports nothing. Raises `ConfigError` on an interpreter that cannot be
    guarded.
    """
    with PROCESS.lock:
        if PROCESS.host is None:
            present = PROCESS.guard
            PROCESS.host = make_guard(settings, None, time.monotonic, present)
            PROCESS.begun = True
            if present is None:
                PROCESS.guard = PROCESS.host
                put_patches_on(PROCESS.host)
            else:
                present.share(PROCESS.host)
        return PROCESS.host


def leave_session() -> None:
    """The session ends; what the program has installed and not taken off stays."""
    with PROCESS.lock:
        host, PROCESS.host = PROCESS.host, None
        if host is None:
            return
        if PROCESS.guard is not host:
            if PROCESS.guard is not None:
                PROCESS.guard.share(None)
            return
        left = take_off()
    wind_up(*left)
