"""A connection pool as the guard knows it: who is out, who is idle, and figures."""

from __future__ import annotations

import threading
import weakref
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from .._model.tally import Tally
from .kind import name_of
from .slot import GIVEN_UP, Losses, Slot

if TYPE_CHECKING:
    from .kind import PoolKind

    _Pool = weakref.ref[Any]
else:
    _Pool = weakref.ref


class Connections(_Pool):
    """A weak reference to a connection pool, which knows its connections by their id.

    Which of them wait in the pool's own queue is read there when it is asked for.
    """

    __slots__ = ("ask", "gone", "graves", "slots")

    def begin(self, pool: Any, kind: PoolKind) -> None:
        self.ask = kind
        self.slots: dict[int, Slot] = {}
        # Those that were collected.
        self.graves: deque[Slot] = deque()
        # Once: each slot keeps it, and as a method of the deque it takes 72 bytes.
        self.gone = self.graves.append
        for connection in kind.queued(pool):
            self.know(connection)

    def queued(self) -> list[Any]:
        """The connections that wait in it: none in one that is closed or gone."""
        pool = self()
        return [] if pool is None else self.ask.queued(pool)

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

    def know(self, connection: Any, *, taken: bool = False) -> Slot:
        """The slot of a connection, made if need be; it is open where it was taken."""
        slot = self.slot_of(connection)
        if slot is None:
            if self.graves:
                self.bury()
            slot = Slot(connection, self.gone)
            slot.key = id(connection)
            slot.open = taken or self.ask.is_open(connection)
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
        return any(one is slot() for one in self.queued())


class PoolRef(Connections):
    """A weak reference to a connection pool, with what is said of it in reports.

    The facts are copied, so that a lease never keeps a pool, and with it the
    pool's idle sockets, alive. Requests write the figures without a lock: each
    step is one operation of a dict, a deque or a `Tally`.
    """

    __slots__ = (
        "active",
        "block",
        "connected",
        "discarded",
        "host",
        "key",
        "losses",
        "maxsize",
        "name",
        "note",
        "owner",
        "peak",
        "port",
        "reclaimed",
        "scheme",
        "seen",
        "taken",
        "waits",
        "window",
    )

    def meet(self, pool: Any, kind: PoolKind, now: float) -> None:
        """Note what there is to know, before anybody else sees the reference.

        Not in the constructor: that of a weak reference takes two arguments.
        """
        self.key = id(pool)
        facts = kind.facts(pool)
        self.scheme = facts.scheme
        # What a test puts in their place is no name.
        self.host = facts.host if isinstance(facts.host, str) else "unknown"
        self.port = facts.port if isinstance(facts.port, int) else None
        self.name = name_of(self.scheme, self.host, self.port)
        self.block = facts.block
        self.maxsize = facts.maxsize
        # When it was last used, as far as that was seen: a connection was made, came
        # back or was read. And the figure by which a sweep knows.
        self.active = now
        self.seen = 0
        # Slots that leaks have taken; how many were given back.
        self.losses = Losses()
        self.reclaimed = 0
        self.begin(pool, kind)
        self.peak = 0
        self.taken = Tally()
        self.connected = Tally()
        self.discarded = Tally()
        self.waits = Waits()
        # When the program was last told why it is empty, and in which words.
        self.note = (0.0, "")
        # When the minute began over which discards are judged, and the figures then.
        # What came before the first look belongs to the first minute.
        self.window = (now, 0, 0)
        # Who made it, if that is to be judged.
        self.owner: Any = None

    @property
    def in_use(self) -> int:
        """The connections that are out, without those that leaks have lost.

        Takes as long as the pool is large, however many are out.
        """
        return self.count()[0]

    @property
    def idle(self) -> int:
        """The open connections that wait for the next request.

        Of a collected pool, those that went with it.
        """
        if self() is None:
            slots = list(self.slots.values())
            return sum(slot.open and slot() is None for slot in slots)
        return self.count()[1]

    def count(self) -> tuple[int, int]:
        """Those that are in use, and those that are idle, of a pool that is there."""
        self.bury()
        queued = self.queued()
        count = len(self.slots) - sum(id(one) in self.slots for one in queued)
        if self.block:  # Else nothing is lost, and there may be many.
            count -= sum(slot.lost for slot in list(self.slots.values()))
        return max(count, 0), sum(map(self.ask.is_open, queued))

    @property
    def reused(self) -> int:
        return max(self.taken.value - self.connected.value, 0)

    def took(self, connection: Any, *, fresh: bool, now: float) -> None:
        """A request has taken a connection.

        A fresh one has no socket yet: new, or closed since, by the server most often.
        """
        taken = self.taken.add() + 1
        slot = self.know(connection, taken=True)
        if not fresh:
            return
        slot.open = True
        self.seen, self.active = taken, now
        self.connected.add()
        # Connections that are open are taken first, so that more can be in use at
        # once only where one is new. Two threads at once: one sees the higher figure.
        if len(self.slots) > self.peak:
            self.peak = max(self.peak, self.in_use)

    def comes_back(self, connection: Any) -> bool:
        """A connection is about to be put back into the pool's queue.

        False: there is no room. The pool may have been given another one instead.
        """
        slot = self.slot_of(connection)
        if slot is None:
            return True
        if slot.turn == GIVEN_UP:
            self.forget(slot)
            return False
        slot.open = self.ask.is_open(connection)
        slot.lost = False
        if self.block:
            slot.turn += 1
        return True

    def discards(self, connection: Any) -> bool:
        """Whether a connection that came back open was closed since it was full."""
        self.forget(self.slot_of(connection))
        pool = self()
        if pool is None or self.ask.is_closed(pool):
            return False  # A closed pool keeps nothing.
        self.discarded.add()
        return True

    def closes(self) -> None:
        """The program closes the pool, and with it the connections that are idle."""
        for connection in self.queued():
            self.forget(self.slot_of(connection))


class Waits:
    """The waits that have ended. Times are seconds."""

    __slots__ = ("_ended", "_lock", "count", "longest", "total")

    def __init__(self) -> None:
        self.count = 0
        self.total = self.longest = 0.0
        self._ended: deque[float] = deque()
        self._lock = threading.Lock()

    def add(self, seconds: float) -> None:
        """Count a wait. Nobody waits for another thread that counts its own."""
        self._ended.append(seconds)
        while self._ended and self._lock.acquire(blocking=False):
            try:
                self._count()
            finally:
                self._lock.release()

    def _count(self) -> None:
        while self._ended:
            seconds = self._ended.popleft()
            self.count += 1
            self.total += seconds
            self.longest = max(self.longest, seconds)
