"""How a connection of httpcore comes back to its pool: by its stream's ``close``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..._pools.slot import GIVEN_UP
from ..gate import GATE

if TYPE_CHECKING:
    from ..patching import Method


def stream_close(wrapped: Method) -> Method:
    """A connection comes back, in whichever way. Finalizers may come here."""

    def close(self: Any) -> None:
        if self._closed:
            return
        if id(self) in GATE.registry.leases:
            _ends(self)
        try:
            wrapped(self)
        finally:
            _came_back(self)

    return close


def stream_aclose(wrapped: Method) -> Method:

    async def aclose(self: Any) -> None:
        if self._closed:
            return
        if id(self) in GATE.registry.leases:
            _ends(self)
        try:
            await wrapped(self)
        finally:
            _came_back(self)

    return aclose


def _ends(stream: Any) -> None:
    """A connection is about to come back: the lease under it ended well."""
    registry = GATE.registry
    lease = registry.leases.pop(id(stream), None)
    try:
        # A dead one too: nothing but a finalizer, or a generator that the collector
        # ends, has the stream of a response that is gone.
        if lease is not None:
            registry.end(lease)
    except Exception as error:
        registry.give_up(lease, "httpcore", error)


def _came_back(stream: Any) -> None:
    """It is back, or closed."""
    registry = GATE.registry
    try:
        known = registry.pools.known.get(id(stream._pool))
        connection = stream._pool_request.connection
        slot = None if known is None else known.slots.get(id(connection))
        found = None if slot is None else slot()
        if known is None or slot is None or found is None or found is not connection:
            return
        known.active = registry.clock()
        is_closed: bool = found.is_closed()
        if is_closed or slot.lost or slot.turn == GIVEN_UP:
            known.comes_back(connection)
        elif known.block:
            slot.turn += 1  # As that does, for most.
        if is_closed:
            known.forget(slot)
    except Exception as error:
        registry.give_up(None, "httpcore", error)
