"""The one guard of the process: its start and stop, forks, and the exit."""

from __future__ import annotations

import atexit
import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Final

from . import patches, reporting
from ._config import Settings, load_settings
from ._errors import ConfigError
from ._guard import Guard
from ._interpreter import is_main
from ._origin import preload_origins
from ._outbox import say_failed

if TYPE_CHECKING:
    from collections.abc import Callable


# It ends with a fatal error where a daemon thread is left, as the watcher is, and
# has no hooks for forks.
_SUBINTERPRETER: Final = (
    "httpguard supports the main interpreter only, and this is a subinterpreter. "
    "Under mod_wsgi, set WSGIApplicationGroup %{GLOBAL}; elsewhere set "
    "HTTPGUARD_ENABLED=0, or do not call install() here"
)
# multiprocessing runs finalizers by priority, the highest first.
_LAST: Final = -1000


class _Process:
    """What is installed now."""

    def __init__(self) -> None:
        """Nothing is."""
        self.guard: Guard | None = None
        # How many `no_leaks` scopes are entered that had to install.
        self.visitors = 0
        self.lock = threading.RLock()


_process: Final = _Process()


def failed(where: str, error: Exception) -> None:
    """Something failed outside of the guard, if there is one: count it and say so."""
    if _process.guard is not None:
        _process.guard.step_aside(where, error)
    else:
        say_failed(where, error)


def current() -> Guard | None:
    """The guard, None if not installed."""
    return _process.guard


def start(settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
    """Install, or give the installed guard new settings.

    Args:
        settings: What to do; `enabled` is not looked at.
        clock: Seconds, monotonic.

    Raises:
        ConfigError: This is a subinterpreter.
    """
    with _process.lock:
        _process.visitors = 0
        guard = _process.guard
        if guard is not None:
            guard.configure(settings)
            # Another library may have taken ours off, with its own below.
            patches.apply(guard)
        else:
            if not is_main():
                raise ConfigError(_SUBINTERPRETER)
            guard = Guard(settings, clock)
            try:
                patches.apply(guard)
            except BaseException:
                patches.remove()
                raise
            _process.guard = guard
            atexit.register(_finish)
            _finish_with_worker()
            _once_a_worker_begins()
        if settings.follow_executors:
            patches.follow_executors()


def stop() -> None:
    """Take every patch off and forget the guard."""
    with _process.lock:
        guard, _process.guard = _process.guard, None
        patches.remove()
        atexit.unregister(_finish)
    if guard is not None:
        guard.watch()
        guard.watcher.stop()


def enter_temporary() -> None:
    """A scope begins: install for its time, if nobody has.

    Raises:
        ConfigError: A setting of the environment is not accepted.
    """
    if _process.guard is not None and not _process.visitors:
        return
    with _process.lock:
        visitors = _process.visitors
        if _process.guard is None:
            settings = load_settings({"check_interval": 0}, os.environ)
            if not settings.enabled:
                return
            start(settings)
        elif not visitors:
            return
        _process.visitors = visitors + 1


def leave_temporary() -> None:
    """A scope ends: the last one that had to install uninstalls."""
    if not _process.visitors:
        return
    with _process.lock:
        if not _process.visitors:
            return
        _process.visitors -= 1
        if not _process.visitors:
            stop()


def _finish() -> None:
    """Run at exit; what the interpreter's tear-down collects is not judged."""
    guard, _process.guard = _process.guard, None
    if guard is not None:
        try:
            guard.finish()
            patches.disconnect()
        except Exception as error:
            guard.step_aside("exit", error)


def _finish_with_worker(*_: object) -> None:
    """In a worker of multiprocessing, which leaves without atexit, run all the same."""
    util = sys.modules.get("multiprocessing.util")
    process = sys.modules.get("multiprocessing.process")
    if util is not None and process is not None and process.parent_process():
        util.Finalize(None, _finish, exitpriority=_LAST)


def _once_a_worker_begins() -> None:
    """Have multiprocessing call that when a worker has made itself ready.

    It clears the finalizers that it inherits from its parent, and those of a
    ``__main__`` that a worker of a fork server imports.
    """
    util = sys.modules.get("multiprocessing.util")
    if util is not None:
        util.register_after_fork(_process, _finish_with_worker)


def _before_fork() -> None:
    """Run in the parent, before.

    A module that another thread is importing at this moment stays locked for ever
    in the child. What reports import when they need it is therefore loaded first.
    """
    guard = _process.guard
    if guard is None:
        return
    try:
        if guard.registry.opened.value or threading.active_count() > 1:
            preload_origins()
            reporting.preload()
        if sys.version_info >= (3, 12):
            guard.watcher.pause()
    except Exception as error:
        failed("fork", error)


def _after_fork_in_parent() -> None:
    """Run in the parent, after."""
    try:
        if _process.guard is not None:
            _process.guard.watcher.resume()
    except Exception as error:
        failed("fork", error)


def _after_fork_in_child() -> None:
    """Run in the child, where another thread's lock would stay locked."""
    _process.lock = threading.RLock()
    try:
        if _process.guard is None:
            return
        _process.guard.after_fork_in_child()
        _once_a_worker_begins()
    except Exception as error:
        failed("fork", error)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=_after_fork_in_parent,
        after_in_child=_after_fork_in_child,
    )
