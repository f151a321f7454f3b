"""Fills the history of a page that is mounted in another server."""

from __future__ import annotations

import threading
import time
import weakref
from typing import TYPE_CHECKING, Final

from . import fork

if TYPE_CHECKING:
    from .application import Application

THREAD_NAME: Final = "httpguard-history"
_PATIENCE: Final = 0.5


class Sampler:
    """A daemon thread from the first request on, while the application lives.

    Not from the start: a server that forks its workers has none to lose.

    Args:
        application: Whose history to fill; kept by a weak reference.
    """

    def __init__(self, application: Application) -> None:
        """Start nothing yet."""
        self._application = weakref.ref(application)
        self._lock = threading.Lock()
        self._stop: threading.Event | None = None
        self._thread: threading.Thread | None = None
        self.running = False
        fork.register(self)

    def start(self) -> None:
        """Start unless it runs."""
        with self._lock:
            if self.running:
                return
            self._stop = threading.Event()
            self._thread = threading.Thread(
                target=_run,
                args=(self._application, self._stop),
                name=THREAD_NAME,
                daemon=True,
            )
            self._thread.start()
            self.running = True

    def pause(self) -> None:
        """End the thread before a fork; a later request starts it again."""
        self._end(_PATIENCE)

    def resume(self) -> None:
        """Go on after a fork, in the parent."""
        if self._stop is not None:
            self.start()

    def forget(self) -> None:
        """Start anew in a forked child, where the thread does not exist."""
        self._lock = threading.Lock()
        self._stop = self._thread = None
        self.running = False
        application = self._application()
        if application is not None:
            application.view.after_fork_in_child()

    def _end(self, patience: float) -> None:
        """Let the thread end."""
        with self._lock:
            if self.running and self._stop is not None and self._thread is not None:
                self._stop.set()
                self._thread.join(patience)
            self.running = False


def _run(
    application: weakref.ReferenceType[Application], stop: threading.Event
) -> None:
    """The thread's work."""
    while True:
        present = application()
        if present is None:
            return
        begin = time.monotonic()
        wait = present.view.history.sample()
        del present
        if stop.wait(max(wait - (time.monotonic() - begin), 0.01)):
            return
