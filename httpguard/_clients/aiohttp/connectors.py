"""aiohttp's connectors: who has a connection, who waits, what comes back.

And its sessions: where they are made, and that they are closed; and what of all this
was there before httpguard came.
"""

from __future__ import annotations

import sys
import weakref
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from ..._pools.kind import PoolFacts, PoolKind
from ..._pools.slot import GIVEN_UP
from ..gate import GATE
from ..importlib_bootstrap import made
from ..patching import is_wrapped
from ..sessions import aclosing, closing
from .calls import SWITCHING_PROTOCOLS, announced, under_way
from .client import AIOHTTP, ask

if TYPE_CHECKING:
    from types import CodeType, FrameType

    from ..._leases.registry import Registry
    from ..._pools.pool import PoolRef
    from ..._pools.slot import Slot
    from ..._stacks.raw import RawStack
    from ..patching import Adopters, Method, Patcher

# Seconds until a response that somebody has in hands is looked at again: a look of ours
# has it for a moment, whoever has got it by way of aiohttp's own parts for long.
_AGAIN: Final = 0.1
_MOST: Final = 60.0


class Connector(PoolKind):
    """One connector, which serves all hosts.

    It bears the name of the first host. It keeps what is dropped, and its requests are
    tasks, which are on no thread's stack.
    """

    def __init__(self, key: Any) -> None:
        # Tests have connectors of their own, and keys that are none.
        self._scheme = "https" if getattr(key, "is_ssl", False) else "http"
        self._host: str = getattr(key, "host", None) or "unknown"
        self._port: int | None = getattr(key, "port", None)

    def facts(self, pool: Any) -> PoolFacts:
        most = pool._limit or pool._limit_per_host
        return PoolFacts(
            scheme=self._scheme,
            host=self._host,
            port=self._port,
            block=bool(most),
            maxsize=most,
        )

    def queued(self, pool: Any) -> list[Any]:
        try:
            return [one for ready in list(pool._conns.values()) for one, _ in ready]
        except RuntimeError:  # Another thread took one meanwhile.
            return []

    def is_open(self, connection: Any) -> bool:
        return connection.transport is not None

    def is_closed(self, pool: Any) -> bool:
        return bool(pool._closed)

    def is_empty(self, pool: Any) -> bool:
        limit = pool._limit
        return bool((limit and len(pool._acquired) >= limit) or any(pool._waiters))

    def is_wait(self, pool: Any, owner: object, name: str) -> bool:
        return owner is pool and name == "_wait_for_available_connection"

    def under_way(self, pool: Any) -> list[tuple[object, RawStack]]:
        """Those that have sent their request, or are about to."""
        return under_way(pool)

    def refill(self, pool: Any, slot: Slot) -> bool | None:
        """The loop closes what nobody has any more."""
        protocol = slot()
        if protocol is None or protocol not in list(pool._acquired):
            return False
        response = _response_of(protocol)
        return response is not None and ask(
            pool._loop, partial(_free, response, pool._loop)
        )


def _response_of(protocol: Any) -> weakref.ref[Any] | None:
    """The response that a protocol keeps alive."""
    for callback in list(getattr(protocol._payload, "_eof_callbacks", ())):
        owner = getattr(callback, "__self__", None)
        if hasattr(owner, "_connection"):
            return weakref.ref(owner)
    return None


def _free(reference: weakref.ref[Any], loop: Any, again: float = _AGAIN) -> None:
    """In the loop: close a response that nobody has; look `again` if somebody does."""
    if AIOHTTP.is_forgotten(reference):
        reference().close()  # type: ignore[union-attr]  # somebody keeps it
    elif getattr(reference(), "_connection", None) is not None:
        later = partial(_free, reference, loop, min(2 * again, _MOST))
        loop.call_later(again, ask, loop, later)


def patch(patcher: Patcher) -> None:
    """Patch what gives a connection back, and what begins and ends a session."""
    from aiohttp import ClientSession
    from aiohttp.client_reqrep import ClientResponse
    from aiohttp.connector import BaseConnector, Connection

    collected = Connection.__del__.__code__
    finalizer = ClientResponse.__del__.__code__
    patcher.wrap(
        BaseConnector,
        "_release",
        partial(_release, collected=collected, finalizer=finalizer),
    )
    patcher.wrap(BaseConnector, "_close", partial(closing, tell=GATE.pool_closed))
    patcher.wrap(ClientSession, "__init__", made("ClientSession", _note))
    patcher.wrap(ClientSession, "close", aclosing)


def _release(wrapped: Method, *, collected: CodeType, finalizer: CodeType) -> Method:
    """A connection is put back into its connector, or closed. Finalizers too.

    `collected` is the code of a connection that is collected, which nobody has given
    back, `finalizer` that of a response.
    """

    def _release(
        self: Any, key: Any, protocol: Any, *, should_close: Any = False
    ) -> None:
        registry, number = GATE.registry, id(protocol)
        if number in registry.leases:
            frame = sys._getframe(1)
            if frame.f_code is not collected:
                # By `Connection.release` or `close`.
                caller = frame.f_back
                by_finalizer = caller is not None and caller.f_code is finalizer
                _ends(registry, protocol, by_finalizer=by_finalizer)
        wrapped(self, key, protocol, should_close=should_close)
        try:
            is_closed = protocol.transport is None
            known = registry.pools.known.get(id(self))
            slot = None if known is None else known.slots.get(number)
            if known is None or slot is None or slot() is not protocol:
                return
            known.active = registry.clock()
            if is_closed or slot.lost or slot.turn == GIVEN_UP:
                known.comes_back(protocol)
            elif known.block:
                slot.turn += 1  # All that there is to do for most; 0.5 us less.
            if is_closed:
                known.forget(slot)
        except Exception as error:
            registry.give_up(None, "aiohttp", error)

    return _release


def _ends(registry: Registry, protocol: Any, *, by_finalizer: bool) -> None:
    """A connection is about to come back: the lease under it ended well.

    Finalizers may come here. What one of aiohttp's closes, the program has dropped;
    that harms nobody where the connection had failed already, by which the body lets
    go of its response.
    """
    lease = registry.leases.get(id(protocol))
    if lease is None:
        return
    try:
        response = lease()
        # A dead one is in the deque and is judged there.
        if response is None or lease.ended:
            return
        if not by_finalizer or response.content._exception is not None:
            registry.release(lease)
    except Exception as error:
        registry.give_up(lease, "aiohttp", error)


def _note(session: Any, frame: FrameType) -> None:
    """A session is made: remember where. `aiohttp.request` closes its own."""
    if frame.f_globals.get("__name__") != "aiohttp.client":
        GATE.session(session, AIOHTTP, frame)


def adopters() -> Adopters:
    module = sys.modules.get("aiohttp")
    if module is None or not is_wrapped(module.ClientSession.close):
        return {}
    return {
        module.ClientResponse: _adopt_response,
        module.BaseConnector: _adopt,
        module.ClientSession: _adopt_session,
    }


def _adopt(connector: Any, key: Any = None) -> PoolRef | None:
    """Know a connector, by the name of some host that it is connected to.

    Not every connector notes whose the connections are that it has lent: `key` is of
    such a host, where one is known.
    """
    known = GATE.registry.pools.get(connector)
    keys = [*connector._acquired_per_host, *connector._conns]
    if key is not None:
        keys.insert(0, key)
    if known is None and keys and not connector._closed:
        known = GATE.pool(connector, Connector(keys[0]))
    return known


def _adopt_response(response: Any) -> None:
    """As one that is opened; not while its head has not come."""
    connection = response._connection
    protocol = getattr(connection, "_protocol", None)
    if (
        protocol is None
        or response.status in {None, SWITCHING_PROTOCOLS}
        or response._headers is None
        or protocol.upgraded
    ):
        return
    GATE.adopt(
        AIOHTTP,
        response,
        protocol,
        _adopt(connection._connector, connection._key),
        method=response.method,
        url=str(response._url),
        status=response.status,
        length=announced(response),
        taken=protocol,
    )
    if response._session is not None:
        _adopt_session(response._session)


def _adopt_session(session: Any) -> None:
    connector = vars(session).get("_connector")
    if connector is None or not session._connector_owner:
        return
    known = _adopt(connector)
    pools = [] if known is None else [(connector, known.ask)]
    GATE.adopt_session(session, AIOHTTP, pools)
