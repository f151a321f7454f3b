"""Run a program as if it had been started by whoever started us."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, Final, NoReturn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .target import Target

# CPython ignores these; a program that is started shall not inherit that.
_IGNORED_BY_PYTHON: Final = ("SIGPIPE", "SIGXFSZ")
# What stops and continues the two of us alike, what tells of a fault of our own,
# and what cannot be caught.
_LEFT_ALONE: Final = (
    *("SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGCONT", "SIGKILL", "SIGSTOP"),
    *("SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGTRAP", "SIGABRT", "SIGSYS"),
)
_FROM_KEYBOARD: Final = ("SIGINT", "SIGQUIT", "SIGWINCH")


def run_child(target: Target, environment: Mapping[str, str]) -> int:
    """Run a program to its end; signals that reach us are passed on to it.

    It has our standard streams and our process group, so that a terminal's keys
    (Ctrl-C, Ctrl-Z) reach it as they would without us, and are not passed on. Returns
    its exit code; negative: the number of the signal that ended it. Raises `OSError`
    where it could not be started.
    """
    if not hasattr(signal, "sigwait") or not hasattr(os, "posix_spawn"):
        return _run_simply(target, environment)
    if signal.getsignal(signal.SIGCHLD) == signal.SIG_IGN:
        # Inherited: nobody could wait for a child.
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signals = set(map(int, signal.valid_signals())) - _known(_LEFT_ALONE)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        child = os.posix_spawn(
            target.path,
            target.arguments,
            environment,
            setsigmask=before,
            setsigdef=_known(_IGNORED_BY_PYTHON),
        )
        code = _wait(child, signals)
        # A last Ctrl-C that was meant for the program.
        while hasattr(signal, "sigtimedwait") and signal.sigtimedwait(signals, 0):
            pass
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return code


def become(target: Target, environment: Mapping[str, str]) -> NoReturn:
    for number in _known(_IGNORED_BY_PYTHON):
        signal.signal(number, signal.SIG_DFL)
    os.execve(target.path, target.arguments, environment)  # noqa: S606  # No shell is wanted.


def end_like(code: int) -> NoReturn:
    """Leave as a program has left, by what `run_child` returned."""
    if code < 0 and os.name == "posix":
        import resource

        # The program has left a core if it was to; ours tells nothing.
        _, hard = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
        sys.stdout.flush()
        sys.stderr.flush()
        if -code not in _known(("SIGKILL", "SIGSTOP")):
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
        code = 128 - code  # Not reached, unless the signal is held back.
    sys.exit(code)


def _wait(child: int, signals: set[int]) -> int:
    while True:
        number, elsewhere = _next_signal(child, signals)
        if number == signal.SIGCHLD:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                return os.waitstatus_to_exitcode(status)
        elif not elsewhere:
            # Until we have waited for it its number is nobody else's.
            os.kill(child, number)


def _next_signal(child: int, signals: set[int]) -> tuple[int, bool]:
    """The next signal, and whether the child has had it or is not to have it.

    The kernel sends a terminal's signals to every process of the group. A hang-up
    goes to the leader of the session alone, which would be the program.
    """
    if hasattr(signal, "sigwaitinfo"):
        info = signal.sigwaitinfo(signals)
        leads = info.si_signo == signal.SIGHUP and os.getsid(0) == os.getpid()
        by_kernel = info.si_code > 0 and not leads
        return info.si_signo, by_kernel or info.si_pid == child
    number = int(signal.sigwait(signals))
    return number, number in _known(_FROM_KEYBOARD) and _in_foreground()


def _in_foreground() -> bool:
    """Whether a terminal's keys reach this process group."""
    try:
        return os.tcgetpgrp(sys.__stderr__.fileno()) == os.getpgrp()  # type: ignore[union-attr]
    except (OSError, AttributeError, ValueError):
        return False


def _known(names: tuple[str, ...]) -> set[int]:
    return {int(getattr(signal, name)) for name in names if hasattr(signal, name)}


def _run_simply(target: Target, environment: Mapping[str, str]) -> int:
    """Where there are no signals to speak of: Ctrl-C reaches both of us."""
    import subprocess

    with subprocess.Popen(  # noqa: S603  # What the user asked for.
        target.arguments, executable=target.path, env=dict(environment)
    ) as process:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:  # noqa: PERF203
                continue
