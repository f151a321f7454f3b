"""The state of the process: one guard, and what is told of it.

Imported with httpguard, and therefore light.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final, Protocol

from .._model.failure import Failures
from .._model.fork import Parts
from .._model.streams import Streams
from .._reporting import Destinations, Members, Run

if TYPE_CHECKING:
    from .._clients import Patches
    from .._guard.guard import Guard
    from .._guard.parts import CountsObserver
    from .._metrics.measures import Observer
    from .._metrics.opentelemetry import OpenTelemetry
    from .._metrics.prometheus import Collector
    from .._model.settings import Settings
    from .._reporting.json_lines import JsonLines


def failed(where: str, error: Exception) -> None:
    """Something failed outside of the guard, if there is one: count it and say so."""
    if PROCESS.guard is not None:
        PROCESS.guard.step_aside(where, error)
    else:
        from .._model.errors import hand_back

        hand_back(error)
        PROCESS.failures.say(where, error)


class Pages(Protocol):
    """What serves the page that the settings ask for."""

    def serve_as(self, settings: Settings | None) -> None:
        """Serve it, or close it; None: uninstalled. It never raises."""


class Process:
    def __init__(self) -> None:
        self.guard: Guard | None = None
        # A test session's, below what the program under test installs.
        self.host: Guard | None = None
        # How many `no_leaks` scopes are entered that had to install.
        self.visitors = 0
        # Whether the end of the process is a scope that leaves nothing open.
        self.is_scope = False
        # Told the counts after each sweep and at the end.
        self.counts_observer: CountsObserver | None = None
        # The sink that writes the setting `log`.
        self.log: JsonLines | None = None
        self.lock = threading.RLock()
        # Whether there ever was a guard: before, there is no engine to call.
        self.begun = False
        # What is said: to whom, in which run, and what of ours has failed.
        self.streams = Streams()
        self.destinations = Destinations(self.streams)
        self.observers: Members[Observer] = Members()
        self.run = Run()
        self.failures = Failures(self.streams)
        # What monitoring systems were given.
        self.collector: Collector | None = None
        self.instrumentations: list[OpenTelemetry] = []
        self.patches: Patches | None = None
        # What `httpguard attach` has put on; None: the program did it all itself.
        self.attached: object = None
        # Those who look at it by that, kept while no thread of theirs runs.
        self.visits: list[object] = []
        # Told of every fork.
        self.parts = Parts(failed)
        # Serves the page that the settings ask for; set as httpguard is imported.
        self.page: Pages | None = None
        # Host and port of our own pages: requests to them get no lease.
        self.addresses: set[tuple[str, int | None]] = set()


PROCESS: Final = Process()


def current() -> Guard | None:
    """The guard, None if not installed: to be handed to lower layers."""
    return PROCESS.guard


def is_installed() -> bool:
    """Whether there is a guard besides a test session's."""
    return PROCESS.guard is not None and PROCESS.guard is not PROCESS.host


def in_session() -> bool:
    """Whether a test session guards the process."""
    return PROCESS.host is not None


def observe(observer: Observer, name: str) -> None:
    """Tell a monitoring system, by a name of it, of this guard and those to come."""
    PROCESS.observers.add(observer, name)
    PROCESS.parts.add(observer)
    guard = PROCESS.guard
    if guard is not None:
        guard.keep_times()
        guard.notify()
