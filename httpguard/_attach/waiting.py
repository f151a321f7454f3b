"""Where the main thread of a process is, seen from outside: why it does not come."""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from typing import Any, Final

from .._stacks.ownership import is_application

_TRIES: Final = 5


def main_thread_of(pid: int) -> str:
    """Where the main thread of a process is; empty: not to be known.

    By the module of CPython that its own debuggers use, which is no promise of it, and
    of a process of the same version.
    """
    try:
        frames = _look(pid)
        if not frames:
            return ""
        own = next((f for f in frames if is_application(f.filename, ())), frames[0])
        line = getattr(own, "location", own).lineno
        place = f"{own.filename}:{line} in {own.funcname}"
        if own is frames[0]:
            return place
        return f"{place}, in {frames[0].funcname} of {frames[0].filename}"
    except Exception:  # Another build, or it went on meanwhile.
        return ""


def _look(pid: int) -> list[Any]:
    """The frames, if not at the first try then at one of the next: they may move."""
    _remote_debugging: Any = import_module("_remote_debugging")
    for _ in range(_TRIES):
        with suppress(RuntimeError, OSError):
            unwinder = _remote_debugging.RemoteUnwinder(pid, all_threads=True)
            frames = _frames(unwinder.get_stack_trace(), pid)
            if frames:
                return frames
    return []


def _frames(found: Any, pid: int) -> list[Any]:
    """The frames of the main thread: CPython 3.15 tells them by interpreter."""
    threads: list[Any] = []
    for one in found:
        threads += getattr(one, "threads", [one])
    return next((list(one.frame_info) for one in threads if one.thread_id == pid), [])
