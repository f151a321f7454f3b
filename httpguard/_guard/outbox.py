"""The outbox: reports wait here until no lock of ours is held."""

from __future__ import annotations

from collections import deque
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

from .. import _reporting as reporting
from .._model.failure import say_failed

if TYPE_CHECKING:
    from collections.abc import Callable

# Set while our own report runs: a log handler that makes requests of its own
# must not start the next one.
_REPORTING: Final[ContextVar[bool]] = ContextVar("httpguard_reporting", default=False)


class Outbox:
    """Events to report, and the place where our own failures end.

    Args:
        silent: Report no event. Our own failures are still said.
    """

    def __init__(self, *, silent: bool = False) -> None:
        """Start empty."""
        self._silent = silent
        self.errors = 0
        self._events: deque[reporting.Event] = deque()

    @property
    def busy(self) -> bool:
        """Whether this thread or task is in the middle of a report of ours."""
        return _REPORTING.get()

    def post(self, event: reporting.Event) -> None:
        """Keep an event for the next `flush`."""
        if not self._silent:
            self._events.append(event)

    def flush(self) -> None:
        """Report everything, outside of any lock of ours."""
        if not self._events or _REPORTING.get():
            return
        token = _REPORTING.set(True)
        try:
            while self._events:
                try:
                    event = self._events.popleft()
                except IndexError:  # Another thread took the last one.
                    break
                self._report(event)
        finally:
            _REPORTING.reset(token)

    def notify(self, source: reporting.Source, ended: list[float]) -> None:
        """Tell the monitoring systems that follow the guard; see `Observer`.

        Args:
            source: The guard.
            ended: How long leases that ended well took, in seconds.
        """
        for observer in reporting.observers():
            self._tell(observer, source, ended)

    def step_aside(self, where: str, error: Exception) -> None:
        """Something of ours failed: say so once, and leave the program alone.

        Args:
            where: The part that failed.
            error: How.
        """
        self.errors += 1
        say_failed(where, error)

    def _tell(
        self,
        observer: reporting.Observer,
        source: reporting.Source,
        ended: list[float],
    ) -> None:
        """Tell one observer; what it raises stops none of the others."""
        try:
            if ended:
                observer.leases_ended(ended)
            observer.swept(source)
        except Exception as error:
            self.step_aside(type(observer).__name__, error)

    def _report(self, event: reporting.Event) -> None:
        """Report one event to every destination."""
        for send in reporting.destinations():
            self._send(send, event)

    def _send(
        self, send: Callable[[reporting.Event], None], event: reporting.Event
    ) -> None:
        """Report one event; a broken destination costs that one only."""
        try:
            send(event)
        except Exception as error:
            self.step_aside(getattr(send, "__name__", type(send).__name__), error)
