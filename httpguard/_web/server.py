"""A small HTTP server: one thread, one selector, read-only, strict limits.

The standard library's server takes a thread for each client and half a millisecond
for each request; a hundred browsers on the page would be felt by the program. Here a
request costs some tens of microseconds (``benchmarks/serve.py``), and a client that
is slow costs nothing but its place.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from . import fork
from .application import step_aside
from .connection import Connection, Patience

if TYPE_CHECKING:
    from .application import Application

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
    """Serves an application at a listening socket.

    Args:
        listener: Bound and listening; it is the server's from here on.
        application: What answers.
        patience: How slow a client may be.
        most: The most connections at once.
    """

    def __init__(
        self,
        listener: socket.socket,
        application: Application,
        patience: Patience | None = None,
        most: int = MOST_CONNECTIONS,
    ) -> None:
        """Serve nothing yet."""
        self._application = application
        self._patience = patience or Patience()
        self._most = most
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
        fork.register(self)

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self._connections)

    def start(self) -> None:
        """Serve from a daemon thread."""
        self._ends = ends = [False]
        self._thread = threading.Thread(
            target=self._run, args=(ends,), name=THREAD_NAME, daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop serving, and close every socket."""
        if self.closed:
            return
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
        """Go on after `pause`."""
        if not self.closed:
            self.start()

    def forget(self) -> None:
        """In a forked child: close its copies of the sockets, and serve no more."""
        if self.closed:
            return
        self.closed = True
        self._thread = None
        self._application.view.after_fork_in_child()
        self._close_all()

    def _close_all(self) -> None:
        """Close every socket. The selector first: a child's is the parent's too."""
        # `close` is no system call on what is watched: the parent goes on watching.
        self._selector.close()
        for connection in self._connections:
            connection.sock.close()
        self._connections.clear()
        for sock in (self._listener, self._wake_reader, self._wake_writer):
            sock.close()

    def _run(self, ends: list[bool]) -> None:
        """The thread's work."""
        while not ends[0]:
            try:
                self._turn()
            except Exception as error:  # noqa: PERF203  # One turn may fail.
                if ends[0] or self.closed:
                    return
                step_aside("web server", error)
                time.sleep(_RETRY)

    def _turn(self) -> None:
        """Wait for something to do, and do it."""
        wait = self._application.view.history.sample()
        if self._connections or self._accept_again is not None:
            wait = min(wait, _LOOK_FOR_SLOW)
        events = self._selector.select(wait)
        now = time.monotonic()
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
            self._drop_slow(now)
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
            connection = Connection(sock, self._application.answer, self._patience, now)
            self._connections.add(connection)
            self._selector.register(sock, selectors.EVENT_READ, connection)

    def _make_room(self) -> bool:
        """Drop the connection that has been idle for longest; False: none is."""
        idle = [each for each in self._connections if each.idle]
        if not idle:
            return False
        self._drop(min(idle, key=lambda each: each.deadline))
        return True

    def _serve(self, connection: Connection, mask: int, now: float) -> None:
        """A client can be read from or written to."""
        if connection not in self._connections:
            return  # Dropped earlier at this turn.
        try:
            if mask & selectors.EVENT_WRITE:
                stays = connection.write(now)
            else:
                stays = connection.read(now)
        except Exception as error:
            step_aside("web server", error)
            stays = False
        if not stays:
            self._drop(connection)
            return
        # While it has an answer to take nothing more is read from it.
        wanted = selectors.EVENT_WRITE if connection.writing else selectors.EVENT_READ
        if wanted != (mask & (selectors.EVENT_READ | selectors.EVENT_WRITE)):
            self._selector.modify(connection.sock, wanted, connection)

    def _drop_slow(self, now: float) -> None:
        """Hang up on those that took too long."""
        for connection in [each for each in self._connections if each.deadline < now]:
            self._drop(connection)

    def _drop(self, connection: Connection) -> None:
        """Hang up."""
        self._connections.discard(connection)
        with contextlib.suppress(KeyError, ValueError, OSError):
            self._selector.unregister(connection.sock)
        connection.sock.close()


def listen(host: str, port: int) -> socket.socket:
    """A listening socket.

    Args:
        host: A name or an address; a name's first address is taken.
        port: 0: a free one.

    Raises:
        OSError: It cannot be had.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    family, address = found[0], found[4]
    options: dict[str, Any] = {"family": family, "backlog": _BACKLOG}
    return socket.create_server(address, **options)
