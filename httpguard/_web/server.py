"""A small HTTP server: one thread, one selector, read-only, strict limits.

The standard library's WSGI server takes a thread and 0.8 ms of CPU time for each
request, and ``http.server`` with connections that are kept 0.3 ms and a thread for
each browser; a hundred browsers on the page would be felt by the program. Here a
request costs less than 0.1 ms (``benchmarks/serve.py``), and a client that is slow
costs nothing but its place. Nor do those servers stop at once, as a fork asks for,
or rest where no descriptor is left.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from .._model.threads import OwnThread
from .connection import Connection, Patience

if TYPE_CHECKING:
    from .application import WSGIApplication
    from .source import Program

THREAD_NAME: Final = "httpguard-page"
MOST_CONNECTIONS: Final = 256
_BACKLOG: Final = 128
# Connections taken at one turn, so that those that are there get theirs.
_MOST_AT_ONCE: Final = 32
# Where no connection can be accepted (no descriptor left), try again after this.
_RETRY: Final = 0.5
_LOOK_FOR_SLOW: Final = 0.5
_PATIENCE: Final = 0.5


class Server:
    """Serves an application at a listening socket, which is its own from here on.

    `own` are host and port as the program's own clients may name them.
    """

    def __init__(
        self,
        listener: socket.socket,
        application: WSGIApplication,
        program: Program,
        *,
        patience: Patience | None = None,
        most: int = MOST_CONNECTIONS,
        own: set[tuple[str, int | None]] | None = None,
    ) -> None:
        self._application = application
        self._program = program
        self._patience = patience or Patience()
        self._most = most
        # Kept: tests of programs put another in the place of `time`'s.
        self._clock = time.monotonic
        self._own = own or set()
        self._listener = listener
        listener.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._wake_reader.setblocking(False)
        self._selector.register(listener, selectors.EVENT_READ)
        self._selector.register(self._wake_reader, selectors.EVENT_READ)
        self._connections: set[Connection] = set()
        self._accept_again: float | None = None
        self._slow_look = 0.0
        self._thread: threading.Thread | None = None
        # Replaced for each thread, so that one that is late cannot come back.
        self._ends: list[bool] = [False]
        self.closed = False
        program.parts.add(self)
        program.addresses.update(self._own)

    def start(self) -> None:
        self._ends = ends = [False]
        self._thread = OwnThread(target=self._run, args=(ends,), name=THREAD_NAME)
        self._thread.start()

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self.pause()
            self._close_all()

    def pause(self) -> None:
        """End the thread; the sockets stay."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._ends[0] = True
        with contextlib.suppress(OSError):
            self._wake_writer.send(b"x")
        if thread is not threading.current_thread():
            thread.join(_PATIENCE)

    def resume(self) -> None:
        # Another thread that forks may have had it go on.
        if not self.closed and self._thread is None:
            self.start()

    def forget(self) -> None:
        """In a forked child: close its copies of the sockets, and serve no more."""
        if not self.closed:
            self.closed = True
            self._thread = None
            self._close_all()

    def _close_all(self) -> None:
        # The selector first: `close` is no system call on what is watched, so that
        # the parent of a child, whose selector it is too, goes on watching.
        self._selector.close()
        for connection in self._connections:
            connection.sock.close()
        self._connections.clear()
        for sock in (self._listener, self._wake_reader, self._wake_writer):
            sock.close()
        self._program.addresses.difference_update(self._own)

    def _run(self, ends: list[bool]) -> None:
        while not ends[0]:
            try:
                self._turn()
            except Exception as error:  # noqa: PERF203  # One turn may fail.
                if ends[0] or self.closed:
                    return
                self._program.failed("web server", error)
                time.sleep(_RETRY)

    def _turn(self) -> None:
        wait = self._application.view.history.sample()
        if self._connections or self._accept_again is not None:
            wait = min(wait, _LOOK_FOR_SLOW)
        events = self._selector.select(wait)
        now = self._clock()
        for key, mask in events:
            if key.fileobj is self._listener:
                self._accept(now)
            elif key.fileobj is self._wake_reader:
                with contextlib.suppress(OSError):
                    self._wake_reader.recv(64)
            else:
                self._serve(key.data, mask, now)
        if now - self._slow_look >= _LOOK_FOR_SLOW:
            self._slow_look = now
            for each in [each for each in self._connections if each.deadline < now]:
                self._drop(each)
        if self._accept_again is not None and now >= self._accept_again:
            self._accept_again = None
            self._selector.register(self._listener, selectors.EVENT_READ)

    def _accept(self, now: float) -> None:
        """Take new connections; where there are too many, the idlest one goes."""
        for _ in range(_MOST_AT_ONCE):
            try:
                sock, _ = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionError):
                return
            except OSError:
                # No descriptor is left: the listener would stay readable.
                self._selector.unregister(self._listener)
                self._accept_again = now + _RETRY
                return
            if len(self._connections) >= self._most and not self._make_room():
                sock.close()
                continue
            sock.setblocking(False)
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = Connection(sock, self._application, self._patience, now)
            self._connections.add(connection)
            self._selector.register(sock, selectors.EVENT_READ, connection)

    def _make_room(self) -> bool:
        """Drop the connection that has been idle for longest; False: none is."""
        idle = [each for each in self._connections if each.idle]
        if idle:
            self._drop(min(idle, key=lambda each: each.deadline))
        return bool(idle)

    def _serve(self, connection: Connection, mask: int, now: float) -> None:
        if connection not in self._connections:
            return  # Dropped earlier at this turn.
        try:
            stays = connection.proceed(now)
        except Exception as error:
            self._program.failed("web server", error)
            stays = False
        # While it has an answer to take nothing more is read from it.
        wanted = selectors.EVENT_WRITE if connection.outgoing else selectors.EVENT_READ
        if not stays:
            self._drop(connection)
        elif wanted != mask:
            self._selector.modify(connection.sock, wanted, connection)

    def _drop(self, connection: Connection) -> None:
        self._connections.discard(connection)
        with contextlib.suppress(KeyError, ValueError, OSError):
            self._selector.unregister(connection.sock)
        connection.sock.close()


def listen(host: str, port: int) -> socket.socket:
    """A listening socket at an address, or at a name's first address."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    options: dict[str, Any] = {"family": found[0], "backlog": _BACKLOG}
    return socket.create_server(found[4], **options)
