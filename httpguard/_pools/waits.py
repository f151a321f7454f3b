"""Requests that wait for a connection of a blocking pool."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._stacks.raw import RawStack
    from .pool import PoolRef


class Share(NamedTuple):
    """A part of a pool that is used up, where the pool is not.

    Args:
        name: Of the host whose requests may have no more, as of a pool.
        maxsize: So many connections at once.
        has: Whether a connection is one of these; None: any.
        streams: These are streams of one connection.
    """

    name: str
    maxsize: int
    has: Callable[[object], bool] | None = None
    streams: bool = False

    def covers(self, connection: object) -> bool:
        """Whether a connection of the pool is one of these."""
        return self.has is None or self.has(connection)


@dataclass(slots=True, eq=False)
class Waiter:
    """A request that waits for a connection of a blocking pool.

    Args:
        stack: Where the request is made.
        share: What is used up; None: the pool.
        longer: It has waited for longer than is known: httpguard came meanwhile.
    """

    pool: PoolRef
    since: float
    thread: str
    stack: RawStack
    share: Share | None = None
    longer: bool = False
