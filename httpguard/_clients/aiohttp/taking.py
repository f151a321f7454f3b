"""How a request of aiohttp takes a connection of its connector, and waits for one."""

from __future__ import annotations

import sys
import weakref
from typing import TYPE_CHECKING, Any

from ..._pools.kind import name_of
from ..._pools.waits import Share
from ..gate import GATE
from ..losing import note_retries
from .calls import call_above
from .connectors import Connector

if TYPE_CHECKING:
    from ..._pools.pool import PoolRef
    from ..patching import Method, Patcher
    from .calls import Call


def patch(patcher: Patcher) -> None:
    from aiohttp.connector import BaseConnector, Connection

    patcher.wrap(Connection, "__init__", _init)
    wait = "_wait_for_available_connection"
    # aiohttp 3.9 waits in `connect` itself.
    patcher.wrap(
        BaseConnector, wait if wait in vars(BaseConnector) else "connect", _wait
    )


def _init(wrapped: Method) -> Method:
    """A request has taken a connection. 0.5 us for one that was there."""

    def __init__(self: Any, connector: Any, key: Any, protocol: Any, loop: Any) -> None:  # noqa: N807
        wrapped(self, connector, key, protocol, loop)
        try:
            known = GATE.registry.pools.known.get(id(connector))
            # Its connections are no other connector's.
            slot = None if known is None else known.slots.get(id(protocol))
            if known is not None and slot is not None and slot() is protocol:
                # All that there is to do for most. Not in one: CPython looks up a
                # method that lies in a slot anew each time.
                count = known.taken.add
                count()
            elif GATE.guard is not None:
                _meet(connector, key)
                GATE.took(connector, protocol, fresh=True)
        except Exception as error:
            GATE.fault("aiohttp", error)

    return __init__


def _meet(connector: Any, key: Any) -> PoolRef | None:
    """Know a connector, from here on if need be; None: it is a test's stand-in."""
    known = GATE.registry.pools.known.get(id(connector))
    if known is not None and known() is connector:
        return known
    if not hasattr(type(connector), "_release"):
        return None
    call = call_above(sys._getframe(2))
    owner = call.session if call is not None else None
    # One that the program made for several sessions is no session's.
    if owner is not None and not owner._connector_owner:
        owner = None
    return GATE.pool(connector, Connector(key), owner)


def _wait(wrapped: Method) -> Method:

    async def wait(self: Any, first: Any, *args: Any, **options: Any) -> Any:
        guard, waiter = GATE.guard, None
        known: PoolRef | None = None
        call: Call | None = None
        if guard is not None:
            try:
                known = _meet(self, _key(first))
                if known is not None and self._available_connections(_key(first)) <= 0:
                    frame = sys._getframe()
                    call = call_above(frame)
                    stack = None if call is None else GATE.task_stack(frame, call.site)
                    share = _share(self, first)
                    note_retries(GATE.registry, None, frame)
                    waiter = guard.begin_wait(known, frame, stack, share)
            except Exception as error:
                GATE.fault("aiohttp", error)
        try:
            return await wrapped(self, first, *args, **options)
        except BaseException:
            if call is not None and waiter is not None:
                call.starved = waiter
            raise
        finally:
            if guard is not None:
                guard.end_wait(waiter)

    return wait


def _key(first: Any) -> Any:
    """The key of a host: itself, or of aiohttp 3.9 that of the request."""
    return getattr(first, "connection_key", first)


def _share(connector: Any, first: Any) -> Share | None:
    """What is used up; None: all that the connector has, for whichever host."""
    if connector._limit and len(connector._acquired) >= connector._limit:
        return None
    key, reference = _key(first), weakref.ref(connector)

    def has(connection: object) -> bool:
        connector = reference()
        return connector is not None and connection in connector._acquired_per_host.get(
            key, ()
        )

    name = name_of("https" if key.is_ssl else "http", key.host, key.port)
    return Share(name, connector._limit_per_host, has)
