"""What the threads of the program do, over and over."""

from __future__ import annotations

import io
import itertools
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable  # noqa: TC003  # Of module variables.
from typing import TYPE_CHECKING, Any, Final

import requests
import structlog
import urllib3

import httpguard
from httpguard import LeakError
from httpguard._process import process as _process

if TYPE_CHECKING:
    from httpguard._guard.guard import Guard
    from tests.server import Address

_LOG: Final = logging.getLogger("stress")
_PATH: Final = "/bytes/200"
# So many containers are made under each lock: some collections, at any threshold.
_CONTAINERS: Final = 50
# Seconds that those who only take locks leave to the others.
_PAUSE: Final = 0.002


STEPPED_ASIDE: Final[list[str]] = []
"""What httpguard logged of its own failures."""


class Busy(logging.Handler):
    """A log handler that allocates under its lock."""

    def emit(self, record: logging.LogRecord) -> None:
        """Make containers, and garbage; keep what says that httpguard failed."""
        if record.levelno >= logging.ERROR:
            STEPPED_ASIDE.append(self.format(record))
        allocate()


def allocate() -> None:
    """Let the collector run here."""
    garbage: list[Any] = [[number] for number in range(_CONTAINERS)]
    garbage.append(garbage)


HANDLER: Final = Busy()
# What httpguard and logging take, looked up when it is needed.
LOCKS: Final[dict[str, Callable[[], Any]]] = {
    "guard": lambda: _guard().registry.judging,
    "process": lambda: _process.PROCESS.lock,
    "logging": lambda: logging._lock,  # type: ignore[attr-defined]
    "handler": lambda: HANDLER.lock,
}
DIED_UNDER: Final[Counter[str]] = Counter()
"""How many cycles were collected by a thread that held the lock."""


def _guard() -> Guard:
    """The guard, which is installed."""
    guard = _process.current()
    assert guard is not None
    return guard


class Cycle:
    """A cycle that only the collector unties; its finalizer logs, as many do."""

    def __init__(self, thing: object) -> None:
        """Refer to the thing, and to itself."""
        self.thing = thing
        self.myself = self

    def __del__(self) -> None:
        """Take the locks of logging, wherever this is."""
        for name, lock in LOCKS.items():
            DIED_UNDER[name] += lock()._is_owned()
        _LOG.warning("gone: %s", type(self.thing).__name__)


class Threads:
    """The threads, and what they have counted.

    Args:
        server: Whom they ask.
    """

    def __init__(self, server: Address) -> None:
        """Nothing runs yet."""
        self.server = server
        self.stop = threading.Event()
        # The rounds of each thread, by its name: they have to grow.
        self.rounds: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()
        self.failures: list[BaseException] = []
        works: list[Callable[[], Callable[[], None]]] = [
            *[self._requests_in_cycles] * 2,
            *[self._pools_in_cycles] * 2,
            self._wrapped_in_cycles,
            self._honest,
            self._scopes,
            self._checks,
            self._installs,
            self._stdlib_logs,
            self._structlog_logs,
            *[self._under(lock) for lock in LOCKS],
        ]
        self.threads = [
            threading.Thread(
                target=self._run,
                args=(work,),
                name=f"{number} {work.__name__.strip('_').replace('_', ' ')}",
                daemon=True,
            )
            for number, work in enumerate(works)
        ]

    def start(self) -> None:
        """Start them all."""
        for thread in self.threads:
            thread.start()

    def join(self, seconds: float) -> list[threading.Thread]:
        """Let them end; those that have not.

        Args:
            seconds: Given to each of them.
        """
        self.stop.set()
        for thread in self.threads:
            thread.join(seconds)
        return [thread for thread in self.threads if thread.is_alive()]

    def _run(self, work: Callable[[], Callable[[], None]]) -> None:
        """One thread."""
        name = threading.current_thread().name
        try:
            turn = work()
            while not self.stop.is_set():
                turn()
                self.rounds[name] += 1
        except BaseException as error:
            self.failures.append(error)
            raise

    # Clients.

    def _requests_in_cycles(self) -> Callable[[], None]:
        """Drop streamed responses of requests in cycles."""
        session = requests.Session()
        url = self.server.url(_PATH)
        name = threading.current_thread().name

        def turn() -> None:
            response = session.get(url, stream=True)
            self.dropped[name] += 1
            Cycle(response)

        return turn

    def _pools_in_cycles(self) -> Callable[[], None]:
        """Drop responses of urllib3 in cycles, now and then with their pool."""
        pools = [self._pool()]
        name = threading.current_thread().name

        def turn() -> None:
            response = self._open(pools[0])
            response.read(10)
            self.dropped[name] += 1
            if self.dropped[name] % 10:
                Cycle(response)
            else:
                Cycle([response, pools.pop()])
                pools.append(self._pool())

        return turn

    def _wrapped_in_cycles(self) -> Callable[[], None]:
        """Drop file objects around responses in cycles."""
        pool = self._pool()
        name = threading.current_thread().name

        def turn() -> None:
            wrapper = io.BufferedReader(self._open(pool))
            self.dropped[name] += 1
            Cycle(wrapper)

        return turn

    def _honest(self) -> Callable[[], None]:
        """Read, close and release, as one should."""
        pool = self._pool()
        session = requests.Session()

        def turn() -> None:
            self._open(pool).release_conn()
            self._open(pool).close()
            with session.get(self.server.url(_PATH), stream=True) as response:
                assert len(response.content) == 200
            session.get(self.server.url(_PATH))

        return turn

    def _pool(self) -> urllib3.HTTPConnectionPool:
        """A pool of this thread's own."""
        return urllib3.HTTPConnectionPool(self.server.host, self.server.port)

    def _open(self, pool: urllib3.HTTPConnectionPool) -> urllib3.HTTPResponse:
        """A response that is not read."""
        response: Any = pool.request("GET", _PATH, preload_content=False)
        return response  # type: ignore[no-any-return]

    # Users of the guard.

    def _scopes(self) -> Callable[[], None]:
        """Leave scopes that leak and scopes that do not."""
        pool = self._pool()
        name = threading.current_thread().name

        def turn() -> None:
            with httpguard.no_leaks():
                self._open(pool).release_conn()
            with httpguard.allow("stress"):
                self._open(pool).close()
            try:
                with httpguard.no_leaks():
                    self.dropped[name] += 1
                    Cycle(self._open(pool))
            except LeakError as error:
                assert len(error.leaks) == 1  # noqa: PT017  # Not a test.
            else:
                raise AssertionError("a leak was not raised")

        return turn

    def _checks(self) -> Callable[[], None]:
        """Sweep, and look."""

        def turn() -> None:
            httpguard.check()
            allocate()
            httpguard.snapshot().to_dict()

        return turn

    def _installs(self) -> Callable[[], None]:
        """Replace the settings: the lock of the process, the watcher's start."""
        depths = itertools.cycle([1, 8, 32])

        def turn() -> None:
            depth = next(depths)
            httpguard.install(stack_depth=depth, check_interval=0.001 * depth)
            time.sleep(_PAUSE)

        return turn

    # Users of logs.

    def _stdlib_logs(self) -> Callable[[], None]:
        """Log by the standard library, and make loggers."""
        numbers = itertools.count()

        def turn() -> None:
            logging.getLogger(f"stress.{next(numbers) % 100}").warning("hello")
            time.sleep(_PAUSE)

        return turn

    def _structlog_logs(self) -> Callable[[], None]:
        """Log by structlog, with something bound."""
        structlog.configure(
            processors=[structlog.stdlib.render_to_log_kwargs],
            logger_factory=structlog.stdlib.LoggerFactory(),
        )
        pool = self._pool()
        name = threading.current_thread().name
        logger = structlog.get_logger("stress")

        def turn() -> None:
            with structlog.contextvars.bound_contextvars(round=self.rounds[name]):
                self.dropped[name] += 1
                Cycle(self._open(pool))
                logger.warning("hello")

        return turn

    # Holders of locks.

    def _under(self, name: str) -> Callable[[], Callable[[], None]]:
        """Allocate while a lock is held."""
        lock = LOCKS[name]

        def work() -> Callable[[], None]:
            def turn() -> None:
                with lock():
                    allocate()
                time.sleep(_PAUSE)

            return turn

        work.__name__ = f"under the {name} lock"
        return work
