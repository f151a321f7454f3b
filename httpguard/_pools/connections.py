"""The connections of a pool, as far as they were seen."""

from __future__ import annotations

import weakref
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from .slot import Slot

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

    def know(self, connection: Any) -> Slot:
        """The slot of a connection, made if need be."""
        slot = self.slot_of(connection)
        if slot is None:
            if self.graves:
                self.bury()
            slot = Slot(connection, self.gone)
            slot.key = id(connection)
            slot.open = self.ask.is_open(connection)
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
