"""Fixtures: a real local server, and a guard with a clock that tests move."""

from __future__ import annotations

import gc
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

import httpguard
from httpguard import Snapshot
from httpguard._model.failure import Failures
from httpguard._process import installing as _installing
from httpguard._process import process as _process
from tests.program import no_watchers
from tests.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from httpguard._model.event import Event

# sentry-sdk imports eventlet where that is installed, which imports dnspython, which
# imports httpx2, and that one trio: over eventlet's sockets, where trio fails.
os.environ.setdefault("EVENTLET_NO_GREENDNS", "yes")

# As in a shell's background: programs that are tried would inherit it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


class GuardControl:
    """Installs the guard with an injected clock and asks it."""

    def __init__(self) -> None:
        """Not installed yet; time stands at 1000 s."""
        self.now = 1000.0

    def install(self, **settings: Any) -> None:
        """As `httpguard.install` with this clock, which no watcher thread looks at.

        Whoever asks for a watcher gets it; all else is as it is shipped.
        """
        settings.setdefault("check_interval", 0)
        _installing.start(httpguard.Settings(**settings), lambda: self.now)

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds

    def check(self) -> Snapshot:
        """Sweep."""
        return httpguard.check()


@pytest.fixture(autouse=True)
def no_thread_outlives_its_guard() -> Iterator[None]:
    """Once it is uninstalled, no watcher goes on, whichever test left it."""
    yield
    if _process.current() is None:
        assert no_watchers()


@pytest.fixture(scope="module")
def small_heap() -> Iterator[None]:
    """What was there before is left out of collections, which then take no time."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def guard() -> Iterator[GuardControl]:
    """A guard that the test installs; taken off afterwards."""
    httpguard.uninstall()
    # What failed in another test is said again.
    _process.PROCESS.failures = Failures()
    yield GuardControl()
    httpguard.uninstall()


@pytest.fixture
def events() -> Iterator[list[Event]]:
    """What is reported."""
    seen: list[Event] = []
    _process.PROCESS.destinations.add(seen.append, "test")
    yield seen
    _process.PROCESS.destinations.remove(seen.append)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The local HTTP server."""
    with Server() as running:
        yield running
