"""A connection pool as the guard knows it: who is out, who is idle, and figures."""

from __future__ import annotations

import weakref
from collections import Counter, deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from .._leases.lease import Tally

if TYPE_CHECKING:
    from collections.abc import Callable

    from urllib3.connectionpool import HTTPConnectionPool

    from .._leases.lease import Lease
    from .._leases.sessions import SessionRef
    from .._model.leak import Frame, LeakKind
    from .._stacks.capture import RawStack

    _PoolRef = weakref.ref[HTTPConnectionPool]
    _ConnectionRef = weakref.ref[Any]
else:
    _PoolRef = _ConnectionRef = weakref.ref

DEFAULT_PORTS: Final = {"http": 80, "https": 443}
# Programs can leak at lines without end.
_MOST_LOSSES: Final = 100

GIVEN_UP: Final = -1


class Slot(_ConnectionRef):
    """A weak reference to a connection of a pool.

    Made once for each connection, not for each request.
    """

    __slots__ = ("key", "lost", "open", "turn")

    # id() of the connection.
    key: int
    # Whether it had a socket when it was last seen.
    open: bool
    # Raised as the connection comes back to a pool that blocks: who knows the turn in
    # which it left can tell whether it has come back since. `GIVEN_UP` where the pool
    # got another one instead.
    turn: int
    # Its slot of a pool that blocks is counted as lost.
    lost: bool


class PoolRef(_PoolRef):
    """A weak reference to a connection pool, with what is said of it in reports.

    The facts are copied, so that a lease never keeps a pool, and with it the
    pool's idle sockets, alive. Requests write the figures without a lock: each
    step is one operation of a dict, a deque or a `Tally`. What the pool's own queue
    tells is read there when it is asked for.

    Args:
        pool: The pool.
        bury: Takes the reference when the pool is collected.
    """

    __slots__ = (
        "block",
        "connected",
        "discarded",
        "graves",
        "host",
        "key",
        "losses",
        "lost",
        "maxsize",
        "met",
        "owner",
        "peak",
        "port",
        "reclaimed",
        "scheme",
        "slots",
        "starved",
        "taken",
        "wait_max",
        "wait_total",
        "waited",
        "waits",
        "window",
    )

    # When it was first seen, in seconds of the guard's clock.
    met: float

    def __init__(
        self, pool: HTTPConnectionPool, bury: Callable[[PoolRef], None]
    ) -> None:
        """Copy the facts."""
        super().__init__(pool, bury)  # type: ignore[call-arg]  # typeshed has only __new__
        self.key = id(pool)
        self.scheme: str = pool.scheme
        self.host: str = pool.host
        self.port: int | None = pool.port
        self.block: bool = bool(pool.block)
        # None once the pool is closed.
        self.maxsize: int = getattr(pool.pool, "maxsize", 0)
        # Slots that leaks have taken, by kind and site; those given back.
        self.lost = 0
        self.losses: Counter[tuple[LeakKind, Frame]] = Counter()
        self.reclaimed = 0
        # Its connections by id, and those that were collected.
        self.slots: dict[int, Slot] = {}
        self.graves: deque[Slot] = deque()
        for connection in self._queued(pool):
            self.know(connection)
        self.peak = 0
        self.taken = Tally()
        self.connected = Tally()
        self.discarded = Tally()
        # How long requests waited, in seconds: new ones, and what is counted.
        self.waits: deque[float] = deque()
        self.waited = 0
        self.wait_total = self.wait_max = 0.0
        # Whether it is being starved, as was said.
        self.starved = False
        # When the minute began over which discards are judged, and the figures then.
        self.window: tuple[float, int, int] | None = None
        # The session that made it, if that is to be judged.
        self.owner: SessionRef | None = None

    @property
    def name(self) -> str:
        """Scheme, host and port, the port left out where it is the scheme's."""
        host = f"[{self.host}]" if ":" in self.host.strip("[]") else self.host
        port = self.port
        if port is None or port == DEFAULT_PORTS.get(self.scheme):
            return f"{self.scheme}://{host}"
        return f"{self.scheme}://{host}:{port}"

    @property
    def in_use(self) -> int:
        """The connections that are out, without those that leaks have lost.

        Takes as long as the pool is large, however many are out.
        """
        self.bury()
        queued = self._queued(self())
        count = len(self.slots) - sum(id(one) in self.slots for one in queued)
        if self.block:  # Else nothing is lost, and there may be many.
            count -= sum(slot.lost for slot in list(self.slots.values()))
        return max(count, 0)

    @property
    def idle(self) -> int:
        """The open connections that wait for the next request.

        Of a collected pool, those that went with it.
        """
        pool = self()
        if pool is None:
            slots = list(self.slots.values())
            return sum(slot.open and slot() is None for slot in slots)
        return sum(is_open(connection) for connection in self._queued(pool))

    @property
    def reused(self) -> int:
        """Requests that found an open connection."""
        return max(self.taken.value - self.connected.value, 0)

    def bury(self) -> None:
        """Forget connections that were collected.

        Not those of a collected pool: what it owned at its end is its session's
        matter.
        """
        if self() is None:
            return
        while self.graves:
            with suppress(IndexError):  # Another thread took the last one.
                self.forget(self.graves.popleft())

    def know(self, connection: Any) -> Slot:
        """The slot of a connection, made if need be.

        Args:
            connection: Of this pool.
        """
        slot = self.slot_of(connection)
        if slot is None:
            slot = Slot(connection, self.graves.append)
            slot.key = id(connection)
            slot.open = is_open(connection)
            slot.turn = 0
            slot.lost = False
            self.slots[slot.key] = slot
        return slot

    def slot_of(self, connection: Any) -> Slot | None:
        """The slot of a connection, None where it was not seen before."""
        slot = self.slots.get(id(connection))
        return slot if slot is not None and slot() is connection else None

    def forget(self, slot: Slot | None) -> None:
        """A connection is gone, or nobody will use it any more."""
        if slot is not None and self.slots.get(slot.key) is slot:
            self.slots.pop(slot.key, None)

    def has(self, slot: Slot) -> bool:
        """Whether a connection waits in the pool."""
        return any(one is slot() for one in self._queued(self()))

    def connects(self, connection: Any) -> None:
        """A request has taken a connection that has no socket yet.

        Args:
            connection: New, or closed since: by the server, most often.
        """
        self.know(connection).open = True
        self.connected.add()
        # Connections that are open are taken first, so that more can be in use at
        # once only where one is new. Two threads at once: one sees the higher figure.
        if len(self.slots) > self.peak:
            self.peak = max(self.peak, self.in_use)

    def comes_back(self, slot: Slot, connection: Any) -> None:
        """A connection is about to be put back into the pool's queue.

        Not where the pool was given another one in its place.
        """
        if slot.turn == GIVEN_UP:
            self.forget(slot)
            return
        slot.open = is_open(connection)
        slot.lost = False
        if self.block:
            slot.turn += 1

    def discards(self, connection: Any) -> bool:
        """Whether a connection that came back was closed since the pool was full.

        Args:
            connection: Of this pool; it was open, and is closed.
        """
        self.forget(self.slot_of(connection))
        pool = self()
        if pool is None or pool.pool is None:
            return False  # A closed pool keeps nothing.
        self.discarded.add()
        return True

    def closes(self) -> None:
        """The program closes the pool, and with it the connections that are idle."""
        for connection in self._queued(self()):
            self.forget(self.slot_of(connection))

    def lose(self, lease: Lease, site: Frame) -> None:
        """Count a slot that a leak has taken, once.

        Args:
            lease: A leak.
            site: Where it was opened.
        """
        if not self.block or lease.kind is None or lease.lost:
            return
        lease.lost = True
        self.lost += 1
        if lease.slot is not None and is_out(lease):
            lease.slot.lost = True
        if len(self.losses) < _MOST_LOSSES or (lease.kind, site) in self.losses:
            self.losses[lease.kind, site] += 1

    def regain(self, lease: Lease | SessionRef, site: Frame) -> None:
        """A slot that was counted as lost has come back."""
        if not lease.lost or lease.kind is None:
            return
        lease.lost = False
        self.lost -= 1
        self.losses[lease.kind, site] -= 1
        # What is not above zero goes.
        self.losses = +self.losses

    @staticmethod
    def _queued(pool: HTTPConnectionPool | None) -> list[Any]:
        """The connections that wait in a pool: none in a closed one."""
        # `queue`: of the standard library's, urllib3's own and gevent's queues.
        queue = getattr(getattr(pool, "pool", None), "queue", ())
        return [connection for connection in list(queue) if connection is not None]

    def settle_waits(self) -> None:
        """Count the waits that have ended. One thread at a time."""
        while self.waits:
            seconds = self.waits.popleft()
            self.waited += 1
            self.wait_total += seconds
            self.wait_max = max(self.wait_max, seconds)


class Waiter:
    """A request that waits for a connection of a blocking pool.

    Args:
        pool: Whose connection.
        since: Seconds of the guard's clock.
        thread: The thread's name.
        stack: Where the request is made.
    """

    __slots__ = ("pool", "since", "stack", "thread")

    def __init__(
        self, pool: PoolRef, since: float, thread: str, stack: RawStack
    ) -> None:
        """Keep them."""
        self.pool = pool
        self.since = since
        self.thread = thread
        self.stack = stack


def is_out(lease: Lease) -> bool:
    """Whether the slot that a lease took is still missing in its pool.

    False where that is not known: the connection was taken before `install`.
    """
    return lease.slot is not None and lease.slot.turn == lease.turn


def is_open(connection: Any) -> bool:
    """Whether a connection has a socket."""
    return getattr(connection, "sock", None) is not None
