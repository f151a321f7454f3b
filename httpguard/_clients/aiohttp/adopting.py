"""What of aiohttp was there before httpguard came: responses, connectors, sessions."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

from ..gate import GATE
from ..patching import is_wrapped
from .calls import announced
from .client import AIOHTTP
from .connectors import Connector

if TYPE_CHECKING:
    from ..._pools.pool import PoolRef
    from ..patching import Adopters

_SWITCHING_PROTOCOLS: Final = 101


def adopters() -> Adopters:
    module = sys.modules.get("aiohttp")
    if module is None or not is_wrapped(module.ClientSession.close):
        return {}
    return {
        module.ClientResponse: _adopt_response,
        module.BaseConnector: _meet,
        module.ClientSession: _adopt_session,
    }


def _meet(connector: Any, key: Any = None) -> PoolRef | None:
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
        or response.status in {None, _SWITCHING_PROTOCOLS}
        or response._headers is None
        or protocol.upgraded
    ):
        return
    GATE.adopt(
        AIOHTTP,
        response,
        protocol,
        _meet(connection._connector, connection._key),
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
    known = _meet(connector)
    pools = [] if known is None else [(connector, known.ask)]
    GATE.adopt_session(session, AIOHTTP, pools)
