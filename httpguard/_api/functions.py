"""The public functions: thin, typed, and safe to call at any time."""

from __future__ import annotations

from typing import Any

from .._model.errors import LeakError, hide_own
from .._process import installing as _installing
from .._process import process as _process
from . import public  # For typing.get_type_hints.


def uninstall() -> None:
    """Stop guarding: every patched attribute is the very object it was before.

    Does nothing if httpguard is not installed. Leaks that are known by then are
    reported first.
    """
    try:
        _installing.stop()
    except Exception as error:
        _process.failed("uninstall", error)


def check() -> public.Snapshot:
    """Sweep now instead of waiting for the watcher.

    Returns:
        What is open and what leaked; empty if httpguard is not installed.

    Raises:
        LeakError: In strict mode, more than ``max_leaks`` leaks were found and
            some of them were not raised before.
    """
    guard = _process.PROCESS.guard
    try:
        return public.Snapshot() if guard is None else guard.check()
    except LeakError as error:
        hide_own(error)
        raise


def snapshot() -> public.Snapshot:
    """What is open, what leaked, and the counters. Reports and raises nothing.

    What was collected by now is judged and counted; its reports come with the next
    sweep or guarded call.

    Returns:
        The state now; empty if httpguard is not installed.
    """
    guard = _process.PROCESS.guard
    return public.Snapshot() if guard is None else guard.snapshot()


def touch(response: Any) -> bool:
    """Say that an idle response is still needed: its idle clock starts again.

    Args:
        response: Of requests or urllib3.

    Returns:
        Whether it is open and guarded.
    """
    guard = _process.PROCESS.guard
    return False if guard is None else guard.touch(response)
