"""Threads of ours in a program that may wait until it is alone."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from typing import Any, Final

from .fork import is_native

try:
    import signal
except ImportError:  # A system without.
    signal = None  # type: ignore[assignment]

# What a thread does by itself, or all of them are told: these stay.
_FAULTS: Final = (
    "SIGSEGV",
    "SIGBUS",
    "SIGFPE",
    "SIGILL",
    "SIGABRT",
    "SIGTRAP",
    "SIGSYS",
)

_AS_THEY_ARE: Final[AbstractContextManager[None]] = nullcontext()
SIGNALS: Final = ContextVar("httpguard_signals", default=_AS_THEY_ARE)
"""``with SIGNALS.get():`` around code of the program that a thread of ours may run."""


class OwnThread(threading.Thread):
    """A daemon thread that nobody waits for without end.

    A program that joins every thread there is, or waits until
    ``threading.active_count()`` is 1, shall come to its end as it does without us. And
    a signal that it has blocked, to wait for it by ``sigwait``, shall not come here.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(daemon=True, **options)
        self._gone = False

    def join(self, timeout: float | None = None) -> None:
        """Wait for its end, but only for so long: it ends when the program does."""
        if timeout is not None:
            super().join(timeout)

    def hide(self) -> None:
        """Take it off the list of threads, if `threading` has one as we know it."""
        with _lock():
            if not self._gone and _listed().get(self.ident) is self:
                del _listed()[self.ident]

    def show(self) -> None:
        """Put it on the list, where logging looks for the name of its thread."""
        with _lock():
            _listed()[self.ident] = self

    def run(self) -> None:
        """As any thread. `threading` takes it off the list itself, at its end."""
        if is_native() and hasattr(signal, "pthread_sigmask"):  # Not on Windows.
            SIGNALS.set(_Given(_block_signals()))
        try:
            super().run()
        finally:
            with _lock():
                self._gone = True
                _listed()[self.ident] = self


def _block_signals() -> set[Any]:
    """The signals that were blocked before: from now on, nearly all are.

    Python runs handlers in the main thread, whichever the system has chosen.
    """
    faults = {getattr(signal, name, None) for name in _FAULTS}
    return signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals() - faults)


class _Given:
    """Within, a thread of ours has the signals that the program has given it.

    Processes and threads that a log handler starts have those of whoever starts them.
    """

    def __init__(self, blocked: set[Any]) -> None:
        self._blocked = blocked

    def __enter__(self) -> None:
        self._own = signal.pthread_sigmask(signal.SIG_SETMASK, self._blocked)

    def __exit__(self, *_: object) -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, self._own)


def _lock() -> Any:
    """What guards the list, also where gevent has replaced it."""
    return threading._active_limbo_lock  # type: ignore[attr-defined]


def _listed() -> dict[int | None, threading.Thread]:
    """The list: a thread by its number. Alike from CPython 3.10 to 3.15."""
    return threading._active  # type: ignore[attr-defined,no-any-return]
