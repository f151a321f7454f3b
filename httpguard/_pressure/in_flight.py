"""Requests under way on a pool: the look that only a starved pool pays for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._leases.lease import lease_of
from .._stacks.capture import capture
from .._stacks.running import innermost_frames
from .._stacks.variables import first_argument

if TYPE_CHECKING:
    from types import FrameType

    from .._leases.registry import Registry
    from .._pools.pool import PoolRef
    from .._pools.waits import Share
    from .._stacks.ownership import Origins
    from .._stacks.raw import RawStack


def in_flight(
    known: PoolRef, registry: Registry, share: Share | None = None
) -> list[RawStack]:
    """Where requests are being made that hold a connection and have no lease.

    They send, wait for the answer, or requests reads the body for them. Costs about
    20 us a thread, and under gevent a walk over all objects.

    Returns:
        The stack of each.
    """
    pool = known()
    if pool is None:
        return []
    found = [
        stack
        for connection, stack in known.ask.under_way(pool)
        if share is None or share.covers(connection)
    ]
    del pool
    # Whoever takes a connection has none yet.
    taking = {
        (id(waiter.stack[0]), waiter.stack[1])
        for waiter in list(registry.waiters.values())
    }
    tops = innermost_frames(here=False)
    while tops:
        frame = _request(tops.pop(), known, registry.origins, taking)
        if frame is not None:
            found.append(capture(frame, registry.depth, registry.origins))
        del frame
    return found


def _request(
    frame: FrameType | None,
    known: PoolRef,
    origins: Origins,
    taking: set[tuple[int, Any]],
) -> FrameType | None:
    """The innermost frame of a stack that works with a connection of the pool."""
    pool = known()
    while frame is not None:
        code = frame.f_code
        if (id(code), frame.f_lasti) in taking:
            return None
        if origins.http_package(code.co_filename) is not None:
            owner = first_argument(frame)
            if known.ask.is_request(pool, owner, code.co_name) and not lease_of(owner):
                return frame
        frame = frame.f_back
    return None
