"""What of requests was there before httpguard came: responses and sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .gate import GATE
from .urllib3.adopting import adopt_response, pools_of
from .urllib3.pools import POOLS

if TYPE_CHECKING:
    from .urllib3.client import Urllib3


def adopt_answer(response: Any, client: Urllib3) -> None:
    """A response of requests, around one of urllib3 that may be adopted already.

    Args:
        response: It. Subclasses may have properties: its own variables are looked at.
    """
    space = vars(response)
    raw, request = space.get("raw"), space.get("request")
    method, url = getattr(request, "method", None), getattr(request, "url", None)
    lease = GATE.registry.leases.get(id(getattr(raw, "_connection", None)))
    if lease is None or lease() is not raw:
        adopt_response(raw, client, method, url)
    elif lease.adopted:
        lease.client = client
        lease.method, lease.url = str(method or lease.method), str(url or lease.url)


def adopt_session(session: Any, client: Urllib3) -> None:
    """A session, whose adapters have the pools."""
    pools = []
    for adapter in list(vars(session).get("adapters", {}).values()):
        space = getattr(adapter, "__dict__", {})
        managers = [space.get("poolmanager"), *space.get("proxy_manager", {}).values()]
        pools += [(pool, POOLS) for one in managers for pool in pools_of(one)]
    GATE.adopt_session(session, client, pools)
