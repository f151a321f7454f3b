"""Events to report, and how they go out: not while a thread forks."""

from __future__ import annotations

import threading
import time
from collections import deque
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

from .._model.errors import hand_back
from .._model.threads import SIGNALS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._metrics.measures import Observer, Source
    from .._model.event import Event
    from .._model.failure import Failures
    from .._reporting import Destinations, Members

# Set while our own report runs: a log handler that makes requests of its own
# must not start the next one.
_REPORTING: Final[ContextVar[bool]] = ContextVar("httpguard_reporting", default=False)


# A fork waits so many seconds for reports under way, and a report for a fork.
_PATIENCE: Final = 0.5
_SOON: Final = 0.001
# Kept, since tests of programs put others in the place of `time`'s.
_sleep: Final = time.sleep
_clock: Final = time.monotonic


class Outbox:
    """Events to report, and the place where our own failures end.

    Args:
        destinations: Where events go; None: nowhere. Our failures are said still.
        observers: Told after each sweep.
        failures: Says what failed.
    """

    def __init__(
        self,
        destinations: Destinations | None,
        observers: Members[Observer],
        failures: Failures,
    ) -> None:
        self._destinations = destinations
        # Whether nobody takes an event, so that none needs to be made.
        self.silent = destinations is None
        self.observers = observers
        self._failures = failures
        self.clear()

    def clear(self) -> None:
        """Begin anew, as a forked child does."""
        self.errors = 0
        # Threads, by their numbers: those that report, and those that fork.
        self._reporting: set[int] = set()
        self._forking: set[int] = set()
        # What the next `flush` reports.
        self.events: deque[Event] = deque()

    @property
    def busy(self) -> bool:
        """Whether this thread or task is in the middle of a report of ours."""
        return _REPORTING.get()

    def flush(self) -> None:
        """Report everything, outside of any lock of ours."""
        if not self.events or self._destinations is None or _REPORTING.get():
            return
        token, here = _REPORTING.set(True), threading.get_ident()
        try:
            with SIGNALS.get():
                while self.events:
                    # For each: others may go on to find more.
                    self._begin(here)
                    try:
                        event = self.events.popleft()
                    except IndexError:  # Another thread took the last one.
                        break
                    self._destinations.send(event, self.step_aside)
                    self._reporting.discard(here)
        finally:
            self._reporting.discard(here)
            _REPORTING.reset(token)

    def _begin(self, here: int) -> None:
        """List a thread as one that reports, when none forks, or it takes too long."""
        deadline = _clock() + _PATIENCE
        while True:
            # First: whoever forks sees it, or is seen. Who waits is waited for by none.
            self._reporting.add(here)
            if not self._forking - {here} or _clock() >= deadline:
                return
            self._reporting.discard(here)
            _sleep(_SOON)

    def pause(self) -> None:
        """Before a fork: let reports come to their end, in whichever thread.

        A child would wait for ever for a stream that a log handler has locked.
        """
        here = threading.get_ident()
        self._forking.add(here)
        deadline = _clock() + _PATIENCE
        while self._reporting - {here} and _clock() < deadline:
            _sleep(_SOON)

    def resume(self) -> None:
        """After it, in the parent."""
        self._forking.discard(threading.get_ident())

    def notify(self, source: Source, ended: Sequence[float]) -> None:
        """Tell the monitoring systems; see `Observer`. Lease times are seconds."""
        if ended:
            self.observers.tell(lambda one: one.leases_ended(ended), self.step_aside)
        self.observers.tell(lambda one: one.swept(source), self.step_aside)

    def step_aside(self, where: str, error: Exception) -> None:
        """Something of ours failed: say so once, and leave the program alone.

        Raises:
            Exception: It is none of ours, but the program's.
        """
        hand_back(error)
        self.errors += 1
        self._failures.say(where, error)
