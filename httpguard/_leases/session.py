"""A session: whatever makes pools, such as a Session of requests or a pool manager."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .._model.leak import Frame, LeakKind
    from .._model.scope import Scope
    from .._pools.pool import PoolRef
    from .._stacks.raw import RawStack
    from .client import Client
    from .threads import Runner

    _SessionRef = weakref.ref[Any]
else:
    _SessionRef = weakref.ref

Line = tuple[Any, ...]
"""Code object and instruction offset of the line that made a session."""


class SessionRef(_SessionRef):
    """A weak reference to a session. Times are seconds of the guard's clock.

    It is kept for as long as a pool of the session is alive: what still refers to a
    pool keeps its sockets open, though the session is closed or gone.
    """

    __slots__ = (
        "adopted",
        "alive",
        "client",
        "closed",
        "context",
        "ended",
        "judged",
        "key",
        "kind",
        "line",
        "lonely",
        "name",
        "opened",
        "pools",
        "runner",
        "scope",
        "site",
        "sockets",
        "stack",
        "thread",
        "user",
    )

    # id() of the session.
    key: int
    client: Client
    opened: float
    line: Line
    # The program has closed it, and made no pool of it since.
    closed: bool
    # Judged once, found to be a leak, and ended well after all.
    judged: bool
    kind: LeakKind | None
    ended: bool
    # Of a leak: the line that made it.
    site: Frame
    # What made it, and the name of the thread; what made its latest pool, by the first
    # request to a host.
    runner: Runner
    thread: str
    user: Runner
    stack: RawStack
    scope: Scope | None
    # What was bound to the log context when it was made, None where nothing was.
    context: dict[str, Any] | None
    # The pools it has made that are alive, and the name of the first one.
    pools: list[PoolRef]
    name: str
    # As of the judgement: the sessions of its line that keep sockets, and how many.
    alive: int
    sockets: int
    # It is one request's own, as of `requests.get`: no advice would help.
    lonely: bool
    # It was made before httpguard came, in a line that nobody knows: it is not judged.
    adopted: bool

    def idle_for(self, now: float) -> float:
        """How long no request has used it, in seconds: see `PoolRef.idle_for`."""
        # Each pool is asked: a sweep has to see when it was used.
        times = [pool.idle_for(now) for pool in list(self.pools)]
        return min(times, default=0.0)

    @property
    def absolute_url(self) -> str:
        """Where it went first."""
        return self.name
