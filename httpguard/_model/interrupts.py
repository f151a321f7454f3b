"""Errors of the program's that come up while our code runs."""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING, Any

from .errors import OWN_DIRECTORY

if TYPE_CHECKING:
    from types import CodeType


def hand_back(error: Exception) -> None:
    """Raise an error again that is none of ours, wherever one of ours is caught.

    A signal handler raises wherever its thread happens to be: so do the time limits of
    celery and RQ, and those that programs make of SIGALRM. To catch such an error
    would be to run on after the time is over.
    """
    if _is_the_programs(error):
        raise error


def _is_the_programs(error: Exception) -> bool:
    """Whether a signal handler or another thread has thrown it into our code."""
    codes = set()
    entry, last = error.__traceback__, ""
    while entry is not None:
        codes.add(entry.tb_frame.f_code)
        last = entry.tb_frame.f_code.co_filename
        entry = entry.tb_next
    if not codes:
        return False
    if last.startswith(OWN_DIRECTORY):
        # By `PyThreadState_SetAsyncExc`: our own lines raise no such thing.
        package = type(error).__module__.partition(".")[0]
        return package not in sys.stdlib_module_names and package != "httpguard"
    signal = sys.modules.get("signal")
    return signal is not None and any(
        _code(signal.getsignal(number)) in codes for number in signal.valid_signals()
    )


def _code(handler: Any) -> CodeType | None:
    """The code that runs when a signal comes, if it is Python's."""
    while isinstance(handler, functools.partial):
        handler = handler.func
    handler = getattr(handler, "__func__", handler)
    if not hasattr(handler, "__code__"):
        handler = vars(type(handler)).get("__call__")
    return getattr(handler, "__code__", None)
