"""The outbox: reports wait here until no lock of ours is held."""

from __future__ import annotations

from collections import deque
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final, TypeVar

from .._model.interrupts import hand_back

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .._metrics.observers import Observer, Source
    from .._model.event import Event
    from .._model.failure import Failures
    from .._reporting import Destinations, Members

T = TypeVar("T")

# Set while our own report runs: a log handler that makes requests of its own
# must not start the next one.
_REPORTING: Final[ContextVar[bool]] = ContextVar("httpguard_reporting", default=False)


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
        self._events: deque[Event] = deque()

    @property
    def busy(self) -> bool:
        """Whether this thread or task is in the middle of a report of ours."""
        return _REPORTING.get()

    def post(self, event: Event) -> None:
        """Keep an event for the next `flush`."""
        if not self.silent:
            self._events.append(event)

    def flush(self) -> None:
        """Report everything, outside of any lock of ours."""
        if not self._events or self._destinations is None or _REPORTING.get():
            return
        token = _REPORTING.set(True)
        try:
            while self._events:
                try:
                    event = self._events.popleft()
                except IndexError:  # Another thread took the last one.
                    break
                for name, send in self._destinations:
                    self._try(name, send, event)
        finally:
            _REPORTING.reset(token)

    def notify(self, source: Source, ended: Sequence[float]) -> None:
        """Tell the monitoring systems; see `Observer`. Lease times are seconds."""
        for name, observer in self.observers:
            if ended:
                self._try(name, observer.leases_ended, ended)
            self._try(name, observer.swept, source)

    def step_aside(self, where: str, error: Exception) -> None:
        """Something of ours failed: say so once, and leave the program alone.

        Raises:
            Exception: It is none of ours, but the program's.
        """
        hand_back(error)
        self.errors += 1
        self._failures.say(where, error)

    def _try(self, name: str, tell: Callable[[T], None], what: T) -> None:
        """What one of them raises stops none of the others."""
        try:
            tell(what)
        except Exception as error:
            self.step_aside(name, error)
