"""The watcher: a daemon thread that sweeps while the program does other things."""

from __future__ import annotations

import contextlib
import math
import sys
import threading
import time
from contextvars import Context
from typing import TYPE_CHECKING, Any, Final

from .._model.fork import is_native
from .._model.threads import OwnThread

if TYPE_CHECKING:
    from collections.abc import Callable

THREAD_NAME: Final = "httpguard-watcher"
# A pause before a fork waits this long for a report under way, in seconds.
_PATIENCE: Final = 0.5
# Seconds after something is due at which it surely is.
_LATER: Final = 0.001
# Seconds. Who is woken up so late was stopped with its process, by a signal or with its
# container; or somebody kept the interpreter.
_STILL: Final = 1.0
# Seconds: long enough for the threads that wait for the interpreter to be woken up.
_REST: Final = 0.00002
_thread_time: Final = getattr(time, "thread_time", time.perf_counter)
# Kept, since tests of programs put others in the place of `time`'s.
_sleep: Final = time.sleep


class Watcher:
    """Calls a function every so often, from its own daemon thread.

    It is started by the first lease, not by `install`: a program that streams
    nothing gets no thread. Under gevent's monkey patching the thread is a
    greenlet, since ``threading`` is looked up when it starts.

    Args:
        sweep: Called in the thread. It must not raise.
        interval: Seconds between calls; 0: never any thread.
        next_look: In how many seconds there will be something to see, if that is
            known.
        stood_still: Told of seconds in which the process did not run.
        clock: Seconds, monotonic.
    """

    def __init__(
        self,
        sweep: Callable[[], None],
        interval: float,
        next_look: Callable[[], float | None] = lambda: None,
        stood_still: Callable[[float], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sweep = sweep
        self._next_look = next_look
        self._stood_still = stood_still
        # No variable of a module: freezegun looks for these.
        self.clock = clock
        # Called when `idle` has changed.
        self.changed: Callable[[], None] = lambda: None
        self.interval = interval
        self._stop: threading.Event | None = None
        self._thread: OwnThread | None = None
        self._stopped: OwnThread | None = None
        self._wanted = False
        # Whose turn it is: the thread's, unless it waits, or somebody's who forks.
        # Reentrant: a log handler may fork.
        self._turn = threading.RLock()
        # When it wakes up by itself, while it waits.
        self.wakes = math.inf
        self._idle = interval > 0

    @property
    def idle(self) -> bool:
        """Whether a lease opened now has to start it."""
        return self._idle

    @idle.setter
    def idle(self, idle: bool) -> None:
        self._idle = idle
        self.changed()

    def start(self) -> None:
        """Start the thread unless it runs, or the interpreter is going."""
        if not self.idle:
            return
        self.idle = False
        self._wanted = True
        stop = threading.Event()
        threads: list[OwnThread] = []
        thread = OwnThread(
            target=self._run, args=(stop, self.interval, threads), name=THREAD_NAME
        )
        threads.append(thread)
        # Two first leases at once: the second of the threads stops by itself.
        self._stop, self._thread = stop, thread
        try:
            # Not in a copy of this context, which would keep what it has.
            Context().run(thread.start)
            if is_native():
                thread.hide()
        except RuntimeError:  # "can't start new thread", at exit or out of memory.
            self.stop()

    def stop(self, patience: float = 0) -> None:
        """Let the thread end; wait so many seconds: it may be in a report."""
        self._wanted = False
        self._end(patience)

    def _end(self, patience: float) -> None:
        thread, self._thread = self._thread, None
        self._stopped = thread or self._stopped
        stop, self._stop = self._stop, None
        if stop is not None:
            stop.set()
        self.idle = self.interval > 0
        if patience and thread is not None and thread is not threading.current_thread():
            # Not started yet, by a third thread: it will stop by itself.
            with contextlib.suppress(RuntimeError):
                thread.join(patience)

    def wait_for_end(self, patience: float) -> bool:
        """Wait so many seconds for the thread that was told to end; whether it has."""
        thread = self._stopped
        if thread is None:
            return True
        thread.join(patience)
        return not thread.is_alive()

    def hurry(self) -> None:
        """Something new may be due soon: let the thread think again when to look."""
        stop = self._stop
        if stop is not None:
            stop.set()

    def look_back(self) -> None:
        """Note it where the thread should long be awake, and the process stood still.

        Whoever sweeps asks first: after a stop another thread may be the first to run.
        """
        now = self.clock()
        late = now - self.wakes
        if late > _STILL:
            self.wakes = now  # Once, whoever asks again before the thread runs.
            self._stood_still(late)

    def rest(self) -> None:
        """Let the program's threads go on, if this is the watcher's own.

        A thread that waits for the interpreter is given it after 5 ms, or when another
        one waits for something. Whoever called `check` waits for the answer; and to
        others of its greenlets a greenlet gives way only where nothing is locked.
        """
        thread = self._thread
        if thread is not None and is_native() and thread.ident == threading.get_ident():
            _sleep(_REST)

    def pause(self) -> None:
        """Before a fork: end the thread where CPython warns of it, else have it wait.

        To end and to start it takes the interpreter from the program's threads: 5 ms
        for each that computes.
        """
        if sys.version_info >= (3, 12):
            self._end(_PATIENCE)
        else:
            self._turn.acquire(timeout=_PATIENCE)

    def resume(self) -> None:
        """Have it go on after a fork, in the parent."""
        if sys.version_info < (3, 12):
            with contextlib.suppress(RuntimeError):  # It was not to be had.
                self._turn.release()
        elif self._wanted:
            self.start()

    def forget(self) -> None:
        """Start anew in a forked child, where the thread does not exist."""
        self._turn = threading.RLock()
        self._stop = self._thread = None
        self._wanted = False
        self.wakes = math.inf
        self.idle = self.interval > 0

    def set_interval(self, interval: float, patience: float = 0) -> None:
        """Sweep in another rhythm from the next lease on; 0 seconds: not at all."""
        if interval != self.interval:
            self.interval = interval
            self.stop(patience)

    def _run(
        self, stop: threading.Event, interval: float, threads: list[OwnThread]
    ) -> None:
        """The thread's work, until another `stop` is set, or to look again.

        `threads` has itself, which it cannot ask for while it is not listed.
        """
        thread = threads[0]
        due = self.clock() + interval
        # Another interval is no less an end: a stop may come as the thread begins.
        while stop is self._stop and interval == self.interval:
            with self._turn:
                pause = self._pause_until(due)
            hurried = _wait(stop, pause)
            with self._turn:
                self.look_back()
                self.wakes = math.inf
                # First: what is set from here on is for the next wait.
                stop.clear()
                if hurried or stop is not self._stop:
                    continue
                late = _sweep_as(thread, self._sweep, self.clock)
                if late > _STILL:
                    self._stood_still(late)
                due = self.clock() + interval

    def _pause_until(self, due: float) -> float:
        """Seconds to wait for a time, or for something to see before it."""
        now = self.clock()
        # Windows waits for 49 days at most.
        pause = min(max(due - now, 0), threading.TIMEOUT_MAX)
        soon = self._next_look()
        if soon is not None:
            pause = min(pause, soon + _LATER)
        self.wakes = now + pause
        return pause


def _sweep_as(
    thread: OwnThread, sweep: Callable[[], None], clock: Callable[[], float]
) -> float:
    """Sweep; the seconds in which that did nothing.

    A report names the thread, if the program's logs do.
    """
    began, worked = clock(), _thread_time()
    if is_native():
        thread.show()
    try:
        sweep()
    except SystemExit:
        # Of a handler of the program's logs, which ends who logs: this one goes on.
        pass
    finally:
        if is_native():
            thread.hide()
    return clock() - began - (_thread_time() - worked)


def _wait(stop: threading.Event, seconds: float) -> bool:
    """Wait for an event; whether it was set.

    Under gevent's monkey patching this runs in a greenlet, whose timer shall not keep
    the hub alive: where all others wait for ever, gevent says so by `LoopExit`.
    """
    gevent: Any = sys.modules.get("gevent")
    # By what runs: gevent may have patched `threading` after this thread began, or be
    # in the middle of its import.
    greenlet = getattr(gevent, "Greenlet", None)
    current = getattr(gevent, "getcurrent", None)
    if greenlet is None or current is None or not isinstance(current(), greenlet):
        return stop.wait(seconds)
    with gevent.Timeout(seconds, False, ref=False):
        stop.wait()
    return stop.is_set()
