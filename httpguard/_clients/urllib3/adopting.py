"""What of urllib3 was there before httpguard came: responses, pools and managers."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from ..gate import GATE
from ..patching import is_wrapped
from .mocks import holds_real_connection
from .pools import POOLS

if TYPE_CHECKING:
    from ..patching import Adopters
    from .client import Urllib3


def adopters(client: Urllib3) -> Adopters:
    module = sys.modules.get(f"{client.name}.connectionpool")
    pool = getattr(module, "HTTPConnectionPool", None)
    if pool is None or not is_wrapped(pool._put_conn):
        return {}
    return {
        pool: _adopt_pool,
        sys.modules[f"{client.name}.response"].HTTPResponse: partial(
            adopt_response, client=client
        ),
        sys.modules[f"{client.name}.poolmanager"].PoolManager: partial(
            _adopt_manager, client=client
        ),
    }


def adopt_response(
    response: Any, client: Urllib3, method: Any = None, url: Any = None
) -> None:
    """A response of urllib3; method and URL as given, or as it has them."""
    if not holds_real_connection(response) or response._pool is None:
        return
    below = response._original_response
    left = response.length_remaining
    GATE.adopt(
        client,
        response,
        response._connection,
        GATE.pool(response._pool, POOLS),
        method=method or getattr(below, "_method", None) or "",
        url=url or response._request_url or "",
        status=response.status,
        length=None if left is None else left + response._fp_bytes_read,
        taken=response._connection,
    )


def pools_of(manager: Any) -> list[Any]:
    # Its own container locks; of a copy of what it has, none is asked for.
    container = getattr(getattr(manager, "pools", None), "_container", {})
    return list(container.values())


def _adopt_pool(pool: Any) -> None:
    if getattr(pool, "pool", None) is not None:
        GATE.pool(pool, POOLS)


def _adopt_manager(manager: Any, client: Urllib3) -> None:
    pools = [(pool, POOLS) for pool in pools_of(manager)]
    # It may be an adapter's of requests, and the session's then.
    GATE.adopt_session(manager, client, pools, claims=False)
