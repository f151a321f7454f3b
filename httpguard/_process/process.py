"""The one guard of the process: its start and stop, forks, and the exit.

Imported with httpguard, and therefore light. The engine is imported as the first
guard is made, whole: nothing that a sweep, a finalizer, a fork or the exit runs is
imported there, but for what the first response and the first report bring (see
`_before_fork`).
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Final, Protocol

from .._model.errors import ConfigError
from .._model.failure import Failures
from .._model.fork import Parts
from .._reporting import Destinations, Members, Run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .._clients import Patches
    from .._guard.guard import Follower, Guard
    from .._guard.outbox import Outbox
    from .._metrics.observers import Observer
    from .._metrics.opentelemetry import OpenTelemetry
    from .._metrics.prometheus import Collector
    from .._model.settings import Settings
    from .._reporting.json_lines import JsonLines

# It ends with a fatal error where a daemon thread is left, as the watcher is, and
# has no hooks for forks.
_SUBINTERPRETER: Final = (
    "httpguard supports the main interpreter only, and this is a subinterpreter. "
    "Under mod_wsgi, set WSGIApplicationGroup %{GLOBAL}; elsewhere set "
    "HTTPGUARD_ENABLED=0, or do not call install() here"
)
# A fork waits so many seconds at most for an `install` in another thread.
_PATIENCE: Final = 1.0
# multiprocessing runs finalizers by priority, the highest first.
_LAST: Final = -1000


def failed(where: str, error: Exception) -> None:
    """Something failed outside of the guard, if there is one: count it and say so."""
    if PROCESS.guard is not None:
        PROCESS.guard.step_aside(where, error)
    else:
        PROCESS.failures.say(where, error)


class Pages(Protocol):
    """What serves the page that the settings ask for."""

    def follow(self, settings: Settings | None) -> None:
        """Serve it, or close it. It never raises.

        Args:
            settings: None: uninstalled.
        """


class Process:
    """All state of the process."""

    def __init__(self) -> None:
        self.guard: Guard | None = None
        # A test session's, below what the program under test installs.
        self.host: Guard | None = None
        # How many `no_leaks` scopes are entered that had to install.
        self.visitors = 0
        # Whether the end of the process is a scope that leaves nothing open.
        self.is_scope = False
        # Told the table of leaks after each sweep.
        self.follower: Follower | None = None
        # The sink that writes the setting `log`.
        self.log: JsonLines | None = None
        self.lock = threading.RLock()
        # Whether there ever was a guard: before, there is no engine to call.
        self.begun = False
        # What is said: to whom, in which run, and what of ours has failed.
        self.destinations = Destinations()
        self.observers: Members[Observer] = Members()
        self.run = Run()
        self.failures = Failures()
        # What monitoring systems were given.
        self.collector: Collector | None = None
        self.instrumentations: list[OpenTelemetry] = []
        self.patches: Patches | None = None
        # Told of every fork.
        self.parts = Parts(failed)
        # Serves the page that the settings ask for; set as httpguard is imported.
        self.page: Pages | None = None
        # Host and port of our own pages: requests to them get no lease.
        self.addresses: set[tuple[str, int | None]] = set()


PROCESS: Final = Process()


def current() -> Guard | None:
    """The guard, None if not installed."""
    return PROCESS.guard


def load_settings(arguments: Mapping[str, Any]) -> Settings:
    """Settings from keyword arguments, else the environment, else defaults.

    Args:
        arguments: The keyword arguments of `install` that were given.

    Raises:
        ConfigError: A value is not accepted.
    """
    # Under the lock, for which a fork waits: see `_before_fork`. `_snapshot` is for
    # `check`, which may be called anywhere, and disabled has nothing but that.
    with PROCESS.lock:
        from .._model import settings as _config
        from .._model import snapshot as _snapshot  # noqa: F401
    return _config.load_settings(arguments, os.environ)


def start(settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
    """Install, or give the installed guard new settings.

    Args:
        settings: What to do; `enabled` is not looked at.
        clock: Seconds, monotonic.

    Raises:
        ConfigError: This is a subinterpreter.
    """
    with PROCESS.lock:
        from .interpreter import is_main

        PROCESS.visitors = 0
        guard, host = PROCESS.guard, PROCESS.host
        if guard is not None and guard is not host:
            _attach_log(settings)
            guard.configure(settings)
            if host is not None:
                guard.share(host)
            # Another library may have taken ours off, with its own below.
            _put_patches_on(guard)
        else:
            if not is_main():
                raise ConfigError(_SUBINTERPRETER)
            guard = _new_guard(settings, clock, host)
            PROCESS.run.begin()
            _attach_log(settings)
            guard.follower = PROCESS.follower
            PROCESS.guard = guard
            atexit.register(_finish)
            _finish_with_worker()
            _once_a_worker_begins()
        if settings.follow_executors:
            _patches().follow_executors()
        if PROCESS.page is not None:
            PROCESS.page.follow(settings)
        # A process is counted though it never opens a response.
        guard.notify()


def _new_guard(
    settings: Settings, clock: Callable[[], float], host: Guard | None
) -> Guard:
    """A guard that the patches tell: the only one, or one beside a session's."""
    guard = _make_guard(settings, PROCESS.destinations, clock, beside=host)
    PROCESS.begun = True
    try:
        _put_patches_on(guard)
    except BaseException:
        if host is None:
            _patches().take_off()
        else:
            _patches().tell(host)
        raise
    return guard


def _make_guard(
    settings: Settings,
    destinations: Destinations | None,
    clock: Callable[[], float],
    beside: Guard | None,
) -> Guard:
    from .._guard.guard import Guard
    from .._reporting.context import bound_now

    return Guard(
        settings,
        _outbox(destinations),
        clock,
        addresses=PROCESS.addresses,
        digest=bound_now,
        beside=beside,
    )


def _patches() -> Patches:
    """What is patched; the clients are imported with the first guard."""
    if PROCESS.patches is None:
        from .._clients import Patches

        PROCESS.patches = Patches()
    return PROCESS.patches


def _put_patches_on(guard: Guard) -> None:
    patches = _patches()
    patches.tell(guard)
    patches.put_on()


def _outbox(destinations: Destinations | None) -> Outbox:
    from .._guard.outbox import Outbox
    from .._reporting.logs import preload

    preload()
    return Outbox(destinations, PROCESS.observers, PROCESS.failures)


def stop() -> None:
    """Take every patch off and forget the guard."""
    _wind_up(*_take_off())


def _take_off() -> tuple[Guard | None, JsonLines | None]:
    """Take every patch off; the guard that was on, and its log."""
    with PROCESS.lock:
        if not PROCESS.begun:
            return None, None
        host = PROCESS.host
        guard, PROCESS.guard = PROCESS.guard, host
        if host is None:
            _patches().take_off()
        else:
            host.configure(host.settings)
            _patches().tell(host)
        atexit.unregister(_finish)
        if PROCESS.page is not None:
            PROCESS.page.follow(None)
        log, PROCESS.log = PROCESS.log, None
    return None if guard is host else guard, log


def _wind_up(guard: Guard | None, log: JsonLines | None) -> None:
    """Report what is known by now. Without our lock: a log handler may take its own."""
    if guard is not None:
        guard.watch()
        guard.parts.watcher.stop()
    _close_log(log)


def follow(follower: Follower | None) -> None:
    """Make the end of this process a scope, and have its counts followed.

    What is then still open is a leak, as `httpguard run` has it.

    Args:
        follower: Told the table of leaks after each sweep. What it raises is
            logged once and stops nothing.
    """
    with PROCESS.lock:
        PROCESS.is_scope = True
        PROCESS.follower = follower
        if PROCESS.guard is not None:
            PROCESS.guard.follower = follower


def enter_session(settings: Settings) -> Guard:
    """A test session begins: guard the process below the program under test.

    What the program itself installs and uninstalls from here on is a guard of its
    own, with its own settings and findings, on the same registry.

    Args:
        settings: Of the session.

    Returns:
        The session's guard, which reports nothing.
    """
    with PROCESS.lock:
        if PROCESS.host is None:
            PROCESS.begun = True
            present = PROCESS.guard
            PROCESS.host = _make_guard(settings, None, time.monotonic, present)
            if present is None:
                PROCESS.guard = PROCESS.host
                _put_patches_on(PROCESS.host)
            else:
                present.share(PROCESS.host)
        return PROCESS.host


def is_installed() -> bool:
    """Whether there is a guard besides a test session's."""
    return PROCESS.guard is not None and PROCESS.guard is not PROCESS.host


def in_session() -> bool:
    """Whether a test session guards the process."""
    return PROCESS.host is not None


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
        left = _take_off()
    _wind_up(*left)


def observe(observer: Observer, name: str) -> None:
    """Let a monitoring system follow this guard and those to come.

    Args:
        observer: Told after each sweep.
        name: Under which its failure is said.
    """
    PROCESS.observers.add(observer, name)
    PROCESS.parts.add(observer)
    guard = PROCESS.guard
    if guard is not None:
        guard.keep_times()
        guard.notify()


def enter_temporary() -> bool:
    """A scope begins: install for its time, if nobody has.

    Returns:
        Whether somebody watches: the environment may say that nobody shall.

    Raises:
        ConfigError: A setting of the environment is not accepted.
    """
    if PROCESS.guard is not None and not PROCESS.visitors:
        return True
    with PROCESS.lock:
        visitors = PROCESS.visitors
        if PROCESS.guard is None:
            settings = load_settings({"check_interval": 0, "serve": None})
            if not settings.enabled:
                return False
            start(settings)
        elif not visitors:
            return True
        PROCESS.visitors = visitors + 1
    return True


def leave_temporary() -> None:
    """A scope ends: the last one that had to install uninstalls."""
    if not PROCESS.visitors:
        return
    with PROCESS.lock:
        if not PROCESS.visitors:
            return
        PROCESS.visitors -= 1
        if PROCESS.visitors:
            return
        left = _take_off()
    _wind_up(*left)


def _attach_log(settings: Settings) -> None:
    """Write JSON lines where the settings say so, from now on."""
    before, PROCESS.log = PROCESS.log, None
    if settings.log is not None:
        from .._reporting.json_lines import JsonLines

        limits = settings.log_max_bytes, settings.log_keep
        log = JsonLines(settings.log, *limits, PROCESS.run)
        # First: what another thread reports meanwhile is rather said twice.
        PROCESS.destinations.add(log, log.name)
        PROCESS.log = log
    _close_log(before)


def _close_log(log: JsonLines | None) -> None:
    """Write no more lines to this one."""
    if log is not None:
        PROCESS.destinations.remove(log)


def _finish() -> None:
    """Run at exit; what the interpreter's tear-down collects is not judged."""
    guard, PROCESS.guard = PROCESS.guard, None
    if guard is not None:
        try:
            guard.finish(is_scope=PROCESS.is_scope)
            _patches().tell(None)
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
        util.register_after_fork(PROCESS, _finish_with_worker)


def _before_fork() -> None:
    """Run in the parent, before.

    A module that another thread is importing at this moment stays locked for ever
    in the child. What reports import when they need it is therefore loaded first,
    and an `install` that imports the engine in another thread comes to its end.
    """
    PROCESS.parts.pause()
    try:
        if PROCESS.guard is None and PROCESS.lock.acquire(timeout=_PATIENCE):
            PROCESS.lock.release()
        guard = PROCESS.guard
        if guard is None:
            return
        if guard.registry.opened.value or threading.active_count() > 1:
            from .._reporting.logs import preload
            from .._stacks.ownership import preload_origins

            preload_origins()
            preload()
        if sys.version_info >= (3, 12):
            guard.pause()
    except Exception as error:
        failed("fork", error)


def _after_fork_in_parent() -> None:
    """Run in the parent, after."""
    PROCESS.parts.resume()
    try:
        if PROCESS.guard is not None:
            PROCESS.guard.resume()
    except Exception as error:
        failed("fork", error)


def _after_fork_in_child() -> None:
    """Run in the child, where another thread's lock would stay locked."""
    PROCESS.lock = threading.RLock()
    PROCESS.parts.forget()
    try:
        if PROCESS.guard is None:
            return
        PROCESS.guard.forget()
        if PROCESS.host is not None and PROCESS.host is not PROCESS.guard:
            PROCESS.host.forget(cleared=True)
        _once_a_worker_begins()
    except Exception as error:
        failed("fork", error)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=_after_fork_in_parent,
        after_in_child=_after_fork_in_child,
    )
