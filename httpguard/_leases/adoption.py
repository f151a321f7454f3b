"""Leases of responses that were opened before httpguard came."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .._model.plain import as_text
from .._stacks.raw import stack_before
from .client import Ending
from .lease import Lease
from .threads import runner

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .._pools.pool import PoolRef
    from .client import Client
    from .registry import Registry

_UNKNOWN: Final = "unknown"


def adopt(
    registry: Registry,
    client: Client,
    response: Any,
    connection: object,
    pool: PoolRef,
    *,
    method: Any,
    url: Any,
    status: int,
    length: int | None,
    taken: object = None,
) -> Lease | None:
    """Open a lease for a response that has its connection already.

    Its line and its age are not known: both begin now. `taken` is what it has of the
    pool; None: others share that, or nobody waits for it. Other arguments: see `begin`.
    Returns None where it has one, or has ended.
    """
    if (pool.host, pool.port) in registry.addresses:
        return None
    state = client.state(response)
    if state in {Ending.RELEASED, Ending.CUT}:
        return None
    if state is Ending.CLOSED and not pool.block:
        return None  # Nothing waits for it to come back.
    lease = Lease(response, registry.bury)
    lease.key = id(connection)
    lease.adopted = True
    lease.scope = lease.context = None
    lease.stack = stack_before(pool.name)
    lease.opened = lease.active = registry.clock()
    lease.ended = lease.reading = False
    lease.kind = None
    lease.bytes_read = client.bytes_read(response)
    lease.length = length
    lease.status = status
    lease.method = method if type(method) is str else as_text(method)
    lease.url = url if type(url) is str else as_text(url)
    lease.client = client
    lease.runner, lease.thread = runner(), _UNKNOWN
    lease.pool = pool
    lease.slot = None if taken is None else pool.know(taken)
    lease.turn = 0 if lease.slot is None else lease.slot.turn
    if state is Ending.CLOSED:
        lease.closed = lease.opened
    known = registry.leases.setdefault(lease.key, lease)
    if known is not lease:
        if known() is not None or not known.adopted:
            return None  # Its own opening was seen.
        registry.leases[lease.key] = lease
    registry.opened.add()
    return lease


def adopt_session(
    registry: Registry,
    session: Any,
    client: Client,
    pools: Iterable[PoolRef],
    *,
    claims: bool,
) -> None:
    """Know a session that was made before. Arguments as of `Gate.adopt_session`."""
    ref = registry.sessions.get(session)
    if ref is None:
        ref = registry.sessions.add(
            session,
            client,
            stack_before(client.name),
            now=registry.clock(),
            context=None,
            lonely=True,
        )
        ref.thread = _UNKNOWN
    elif not ref.adopted:
        return
    registry.sessions.adopt(ref, list(pools), claims=claims)
