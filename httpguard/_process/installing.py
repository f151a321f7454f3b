"""The start of the guard and its end.

The engine is imported as the first guard is made, whole: nothing that a sweep, a
finalizer, a fork or the exit runs is imported there, but for what the first response
and the first report bring (see `forks`).
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
import time
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from .._model.errors import ConfigError
from .exits import finish, finish_with_worker, once_a_worker_begins
from .process import PROCESS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .._clients import Patches
    from .._guard.guard import Guard
    from .._model.settings import Settings
    from .._reporting import Destinations
    from .._reporting.json_lines import JsonLines

# It ends with a fatal error where a daemon thread is left, as the watcher is, and
# has no hooks for forks.
_SUBINTERPRETER: Final = (
    "httpguard supports the main interpreter only, and this is a subinterpreter. "
    "Under mod_wsgi, set WSGIApplicationGroup %{GLOBAL}; elsewhere set "
    "HTTPGUARD_ENABLED=0, or do not call install() here"
)
# What is one step under the lock is several without: counts would be wrong, and
# innocent code could be accused.
_NO_LOCK: Final = (
    "httpguard relies on the global interpreter lock, and this interpreter runs "
    "without it. Start it with -X gil=1 or PYTHON_GIL=1; else set HTTPGUARD_ENABLED=0, "
    "or do not call install()"
)
_LOGGER: Final = logging.getLogger("httpguard")


def load_settings(arguments: Mapping[str, Any]) -> Settings:
    """Settings as given to `install`, else of the environment, else defaults.

    Raises `ConfigError` where a value is not accepted.
    """
    # Under the lock, for which a fork waits: see `forks`. `_snapshot` is for
    # `check`, which may be called anywhere, and disabled has nothing but that.
    with PROCESS.lock:
        from .._model import settings as _config
        from .._model import snapshot as _snapshot  # noqa: F401
    return _config.load_settings(arguments, os.environ)


def start(settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
    """Install, or give the installed guard new settings; `enabled` is not looked at.

    Raises `ConfigError` on a subinterpreter, or one without the global lock.
    """
    with PROCESS.lock:
        PROCESS.visitors = 0
        guard, host = PROCESS.guard, PROCESS.host
        if guard is not None and guard is not host:
            _attach_log(settings)
            guard.configure(settings)
            if host is not None:
                guard.share(host)
            # Another library may have taken ours off, with its own below.
            put_patches_on(guard)
        else:
            guard = _new_guard(settings, clock, host)
            PROCESS.run.begin()
            _attach_log(settings)
            guard.counts_observer = PROCESS.counts_observer
            PROCESS.guard = guard
            atexit.register(finish)
            finish_with_worker()
            once_a_worker_begins()
        if settings.follow_executors:
            patches().follow_executors()
        if PROCESS.page is not None:
            PROCESS.page.serve_as(settings)
        # A process is counted though it never opens a response.
        guard.notify()


def _new_guard(
    settings: Settings, clock: Callable[[], float], host: Guard | None
) -> Guard:
    """A guard that the patches tell: the only one, or one beside a session's."""
    guard = make_guard(settings, PROCESS.destinations, clock, beside=host)
    PROCESS.begun = True
    try:
        put_patches_on(guard)
    except BaseException:
        if host is None:
            patches().take_off()
        else:
            patches().tell(host)
        raise
    return guard


def make_guard(
    settings: Settings,
    destinations: Destinations | None,
    clock: Callable[[], float],
    beside: Guard | None,
) -> Guard:
    """A guard that forks concern; nobody tells it anything yet. Raises as `start`."""
    _look_at_the_interpreter()
    from .._guard.guard import Guard
    from .._guard.outbox import Outbox
    from .._reporting.context import bound_now
    from .._reporting.logs import preload

    preload()
    guard = Guard(
        settings,
        Outbox(destinations, PROCESS.observers, PROCESS.failures),
        clock,
        addresses=PROCESS.addresses,
        digest=bound_now,
        beside=beside,
    )
    # In this order: a child forgets the leases, and then what was made of them. A
    # guard beside another one has the same registry.
    if beside is None:
        PROCESS.parts.add(guard.registry)
    PROCESS.parts.add(guard)
    return guard


def _look_at_the_interpreter() -> None:
    """Refuse it, or say once in a process what is not found on it."""
    if not is_main():
        raise ConfigError(_SUBINTERPRETER)
    if not has_the_lock():
        raise ConfigError(_NO_LOCK)
    missed = shortfall()
    if missed and not PROCESS.begun:
        _LOGGER.warning(missed)


def patches() -> Patches:
    """What is patched; the clients are imported with the first guard."""
    if PROCESS.patches is None:
        from .._clients import Patches

        PROCESS.patches = Patches()
        PROCESS.parts.add(PROCESS.patches)
    return PROCESS.patches


def put_patches_on(guard: Guard) -> None:
    """Patch the clients, and have them tell this guard."""
    from .workers import BILLIARD, MULTIPROCESSING, patch_billiard, patch_workers

    ours = patches()
    ours.tell(guard)
    ours.put_on(guard.settings.vendored)
    ours.hook("workers", MULTIPROCESSING, patch_workers)
    ours.hook("workers", BILLIARD, patch_billiard)


def stop() -> None:
    wind_up(*take_off())


def take_off() -> tuple[Guard | None, JsonLines | None]:
    """Take every patch off; the guard that was on, and its log."""
    with PROCESS.lock:
        if not PROCESS.begun:
            return None, None
        host = PROCESS.host
        guard, PROCESS.guard = PROCESS.guard, host
        if host is None:
            patches().take_off()
        else:
            host.configure(host.settings)
            patches().tell(host)
        atexit.unregister(finish)
        if PROCESS.page is not None:
            PROCESS.page.serve_as(None)
        log, PROCESS.log = PROCESS.log, None
    return None if guard is host else guard, log


def wind_up(guard: Guard | None, log: JsonLines | None) -> None:
    """Report what is known by now. Without our lock: a log handler may take its own."""
    try:
        if guard is not None:
            guard.watch()
    finally:
        if guard is not None:
            # For good: a request that is under way in another thread still tells it.
            guard.watcher.set_interval(0)
        _close_log(log)


def enter_temporary() -> bool:
    """A scope begins: install for its time, if nobody has.

    False: nobody watches, as the environment has said. Raises `ConfigError` where a
    setting of that is not accepted.
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
        left = take_off()
    wind_up(*left)


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
    if log is not None:
        PROCESS.destinations.remove(log)


# CPython 3.13 and later; 3.10 to 3.12.
_MODULES: Final = ("_interpreters", "_xxsubinterpreters")
_MAIN: Final = 0


def is_main() -> bool:
    """Whether it is the main interpreter; True where Python cannot tell."""
    for name in _MODULES:
        try:
            current = import_module(name).get_current()
        except ImportError:
            continue
        # 3.13 and later add where it came from.
        return int(current[0] if isinstance(current, tuple) else current) == _MAIN
    return True


def has_the_lock() -> bool:
    """Whether one thread at a time runs Python code, as in most builds."""
    enabled = getattr(sys, "_is_gil_enabled", None)
    return enabled is None or bool(enabled())


def shortfall() -> str:
    """What is not found on this interpreter, as the log says it; empty on CPython."""
    if sys.implementation.name == "cpython":
        return ""
    return (
        f"on {sys.implementation.name} httpguard finds a dropped response once the "
        "collector has run, and not where a file object around it is dropped with it; "
        "a held one only while no thread reads from a socket; "
        "no session of requests"
    )
