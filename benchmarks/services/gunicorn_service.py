"""gunicorn, whose workers are replaced after so many requests, and by reloads."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import re
import signal
import threading
import time
from typing import TYPE_CHECKING, ClassVar, Final

from .running import Service

if TYPE_CHECKING:
    from collections.abc import Sequence

_WORKERS: Final = 2
# Times that each worker's place is taken by a new one.
_GENERATIONS: Final = 6
# A short life is of so many parts.
_FEWEST: Final = 5
# Shares of the work at which all workers are replaced.
_RELOADS: Final = (0.3, 0.6, 0.8)
# With fewer parts there is one of these only.
_MANY: Final = 100
# Seconds between two signals to the master: a worker that has not begun loses them.
_APART: Final = 5.0
_CLIENTS: Final = 16
_LISTENING: Final = "Listening at: http://127.0.0.1:"


class Gunicorn(Service):
    """A gunicorn, and the threads that ask it."""

    options: ClassVar[tuple[str, ...]]

    def command(self) -> Sequence[str]:
        """Two workers."""
        most = max(_FEWEST, self.parts // (_WORKERS * _GENERATIONS))
        return (
            *("-m", "gunicorn", "benchmarks.services.gunicorn_app:app"),
            *("-c", "python:benchmarks.services.gunicorn_hooks"),
            *("-b", "127.0.0.1:0", "-w", str(_WORKERS), *self.options),
            *("--max-requests", str(most), "--max-requests-jitter", str(most // 4)),
            *("--timeout", "120", "--graceful-timeout", "30"),
        )

    def start(self) -> None:
        """Start it, and those who ask it."""
        super().start()
        said = self.wait_for(_LISTENING)
        found = re.search(re.escape(_LISTENING) + r"(\d+)", said)
        self._port = int(found[1]) if found else 0
        self._numbers = itertools.count()
        self._over = threading.Event()
        self._reloads = list(_RELOADS if self.parts >= _MANY else _RELOADS[:1])
        self._next = 0.0
        self._clients = [
            threading.Thread(target=self._ask, daemon=True)
            for _ in range(max(2, min(_CLIENTS, self.parts // 4)))
        ]
        for client in self._clients:
            client.start()

    def drive(self, share: float) -> None:
        """Reload it when it is time."""
        now = time.monotonic()
        if self._reloads and share >= self._reloads[0] and now >= self._next:
            self._next = now + _APART
            del self._reloads[0]
            self.process.send_signal(signal.SIGHUP)

    def rest(self) -> None:
        """Ask no more, and wait for the last answers."""
        self._over.set()
        for client in self._clients:
            client.join()
        time.sleep(max(0.0, self._next - time.monotonic()))

    def _ask(self) -> None:
        """One client: part by part, by a connection that workers close as they go."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=120)
        while not self._over.is_set():
            number = next(self._numbers)
            try:
                connection.request("GET", f"/{number}")
                connection.getresponse().read()
            except (OSError, http.client.HTTPException):
                connection.close()
                self._over.wait(0.05)
        with contextlib.suppress(OSError):
            connection.close()


class GunicornGevent(Gunicorn):
    """Of greenlets."""

    packages = ("gunicorn", "gevent", "requests", "urllib3")
    options = ("-k", "gevent", "--worker-connections", "100")


class GunicornThreads(Gunicorn):
    """Of threads."""

    packages = ("gunicorn", "requests", "urllib3")
    options = ("-k", "gthread", "--threads", "8")
