"""What of httpx was there before httpguard came: responses, pools and clients."""

from __future__ import annotations

import sys
import weakref
from functools import partial
from typing import TYPE_CHECKING, Any

from ..gate import GATE
from .pools import _OWNER, POOLS, lend, meet
from .responses import announced, ends_are_seen, stream_of

if TYPE_CHECKING:
    from ..patching import Adopters
    from .client import Httpx


def adopters(sync: Httpx, other: Httpx) -> Adopters:
    """See `Package`."""
    module, core = sys.modules.get(sync.name), sys.modules.get(sync.core)
    if (module is None or module.__name__ != sync.name) or (
        core is None or core.__name__ != sync.core
    ):
        return {}
    adopt_response = partial(_adopt_response, sync=sync, other=other)
    return {
        module.Response: adopt_response,
        module.Client: partial(_adopt_client, client=sync),
        module.AsyncClient: partial(_adopt_client, client=other),
        core.ConnectionPool: _adopt_pool,
        core.AsyncConnectionPool: _adopt_pool,
    }


def _adopt_pool(pool: Any) -> None:
    """One that has had no request has no name yet: it is met with its first."""
    if _is_used(pool):
        meet(pool)


def _is_used(pool: Any) -> bool:
    return bool(pool._requests or pool._connections)


def _adopt_response(response: Any, sync: Httpx, other: Httpx) -> None:
    """As one that is opened, but for what is not known any more."""
    stream = None if response.is_closed else stream_of(response)
    if stream is None or not ends_are_seen(stream):
        return
    pool, request = stream._pool, response._request
    shared = response.extensions.get("http_version") == b"HTTP/2"
    GATE.adopt(
        other if hasattr(type(stream), "aclose") else sync,
        response,
        lend(stream),
        meet(pool),
        method=getattr(request, "method", ""),
        url=getattr(request, "url", ""),
        status=response.status_code,
        length=announced(response),
        taken=None if shared else stream._pool_request.connection,
    )


def _adopt_client(session: Any, client: Httpx) -> None:
    space = vars(session)
    mounted = (space.get("_transport"), *space.get("_mounts", {}).values())
    pools = [pool for one in mounted if (pool := getattr(one, "_pool", None))]
    for pool in pools:
        setattr(pool, _OWNER, weakref.ref(session))
    GATE.adopt_session(session, client, [(p, POOLS) for p in pools if _is_used(p)])
