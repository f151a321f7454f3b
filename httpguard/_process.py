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
from ._guard import Guard

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._guard import Follower
    from .reporting._json_lines import JsonLines

# multiprocessing runs finalizers by priority, the highest first.
_LAST: Final = -1000


class _Process:
    """What is installed now."""

    def __init__(self) -> None:
        """Nothing is."""
        self.guard: Guard | None = None
        # How many `no_leaks` scopes are entered that had to install.
        self.visitors = 0
        # Whether the end of the process is a scope that leaves nothing open.
        self.is_scope = False
        # Told the table of leaks after each sweep.
        self.follower: Follower | None = None
        # The sink that writes the setting `log`.
        self.log: JsonLines | None = None
        self.lock = threading.RLock()


_process: Final = _Process()


def current() -> Guard | None:
    """The guard, None if not installed."""
    return _process.guard


def start(settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
    """Install, or give the installed guard new settings.

    Args:
        settings: What to do; `enabled` is not looked at.
        clock: Seconds, monotonic.
    """
    with _process.lock:
        _process.visitors = 0
        _attach_log(settings)
        if _process.guard is not None:
            _process.guard.configure(settings)
            return
        reporting.begin_run()
        _process.guard = Guard(settings, clock)
        _process.guard.follower = _process.follower
        patches.apply(_process.guard)
        atexit.register(_finish)
        _finish_with_worker()


def stop() -> None:
    """Take every patch off and forget the guard."""
    with _process.lock:
        guard, _process.guard = _process.guard, None
        patches.remove()
        atexit.unregister(_finish)
    if guard is not None:
        guard.watch()
        guard.watcher.stop()
    _detach_log()


def follow(follower: Follower | None) -> None:
    """Make the end of this process a scope, and have its counts followed.

    What is then still open is a leak, as `httpguard run` has it.

    Args:
        follower: Told the table of leaks after each sweep. What it raises is
            logged once and stops nothing.
    """
    with _process.lock:
        _process.is_scope = True
        _process.follower = follower
        if _process.guard is not None:
            _process.guard.follower = follower


def enter_temporary() -> None:
    """A scope begins: install for its time, if nobody has.

    Raises:
        ConfigError: A setting of the environment is not accepted.
    """
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
    with _process.lock:
        if not _process.visitors:
            return
        _process.visitors -= 1
        if not _process.visitors:
            stop()


def _attach_log(settings: Settings) -> None:
    """Write JSON lines where the settings say so, from now on."""
    before, _process.log = _process.log, None
    if settings.log is not None:
        from .reporting._json_lines import JsonLines

        log = JsonLines(settings.log, settings.log_max_bytes, settings.log_keep)
        # First: what another thread reports meanwhile is rather said twice.
        reporting.attach(log)
        _process.log = log
    if before is not None:
        reporting.detach(before)


def _detach_log() -> None:
    """Write no more JSON lines."""
    log, _process.log = _process.log, None
    if log is not None:
        reporting.detach(log)


def _finish() -> None:
    """Run at exit; what the interpreter's tear-down collects is not judged."""
    guard, _process.guard = _process.guard, None
    if guard is not None:
        guard.finish(is_scope=_process.is_scope)
        patches.disconnect()


def _finish_with_worker(*_: object) -> None:
    """In a worker of multiprocessing, which leaves without atexit, run all the same.

    Such a worker clears the finalizers that it inherits as it begins, so that
    one forked while httpguard is installed calls this when it has.
    """
    util = sys.modules.get("multiprocessing.util")
    process = sys.modules.get("multiprocessing.process")
    if util is None or process is None:
        return
    if process.parent_process():
        util.Finalize(None, _finish, exitpriority=_LAST)
    elif getattr(process.current_process(), "_inheriting", False):
        # It imports its main module, before it is a worker. One that a fork
        # server has forked leaves without atexit, too.
        util.register_after_fork(_process, _finish_with_worker)


def _before_fork() -> None:
    """Run in the parent, before."""
    if _process.guard is not None and sys.version_info >= (3, 12):
        _process.guard.watcher.pause()


def _after_fork_in_parent() -> None:
    """Run in the parent, after."""
    if _process.guard is not None:
        _process.guard.watcher.resume()


def _after_fork_in_child() -> None:
    """Run in the child, where another thread's lock would stay locked."""
    _process.lock = threading.RLock()
    if _process.guard is None:
        return
    _process.guard.after_fork_in_child()
    util = sys.modules.get("multiprocessing.util")
    if util is not None:
        util.register_after_fork(_process, _finish_with_worker)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=_after_fork_in_parent,
        after_in_child=_after_fork_in_child,
    )
