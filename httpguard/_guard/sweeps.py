"""Sweeps: one thread at a time judges, and nothing is logged under the lock."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .._leases.finding import Finding
    from .._leases.registry import Registry

# Nobody waits for ever for another thread's sweep. That one may wait itself: a
# finalizer that the collector runs in the middle of it may ask for a lock (a log
# handler's, most often) which the thread that waits here holds.
PATIENCE: Final = 10.0


class Sweeps:
    """Runs what judges, and hands on what it finds.

    Args:
        registry: Has the lock, and noted failures where nothing may be logged.
        found: Takes each finding, under the lock.
        after: Called when the judging is over, under the lock.
        failed: Says what failed.
    """

    def __init__(
        self,
        registry: Registry,
        found: Callable[[Finding], None],
        after: Callable[[], None],
        failed: Callable[[str, Exception], None],
    ) -> None:
        self._registry = registry
        self._sweeping = False
        self._found = found
        self._after = after
        self._failed = failed

    def run(
        self, judge: Callable[[], Iterable[Finding]], *, patience: float | None = None
    ) -> None:
        """Judge, one thread at a time.

        A log handler may wait for a thread that waits for the lock: that is why
        nothing is logged here.

        Args:
            judge: What to run under the lock.
            patience: Seconds to wait for the lock; then nothing is judged.

        Raises:
            TimeoutError: No patience was given, and the usual one was in vain.
        """
        faults = self._registry.faults
        while faults:
            with suppress(IndexError):  # Another thread took the last one.
                self._failed(*faults.popleft())
        lock = self._registry.judging
        if not lock.acquire(timeout=PATIENCE if patience is None else patience):
            if patience is None:
                msg = f"another thread has been in a sweep for {PATIENCE:g} s"
                raise TimeoutError(msg)
            return
        try:
            if self._sweeping:
                return
            self._sweeping = True
            try:
                for finding in judge():
                    self._found(finding)
                self._after()
            finally:
                self._sweeping = False
        finally:
            lock.release()
