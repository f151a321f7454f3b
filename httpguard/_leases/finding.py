"""A finding: one leaked response or session, with the facts when it was judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .._model.leak import LeakKind

if TYPE_CHECKING:
    from .._model.scope import Scope
    from .._stacks.raw import RawStack
    from .client import Client
    from .lease import Lease
    from .session import SessionRef
    from .threads import Runner


@dataclass(slots=True, eq=False)
class Finding:
    """What a report needs of a leak; the lease may go. Times are seconds.

    Args:
        kind: How it leaked.
        runner: What opened it; `thread` is the name of the thread.
        age: At the judgement.
        idle: Without progress, or without a request, at the judgement.
        block: Whether the pool blocks.
        lost_in: Code and offset that lost the response, where that is not the site.
        lost_by: What that code is.
        alive: Of a session: those of its line that keep sockets.
        sockets: Of a session: how many sockets these keep.
        held_by: What refers to it, where that was searched for and found.
        raised: A LeakError has carried it: it is raised once.
    """

    kind: LeakKind
    client: Client
    stack: RawStack
    scope: Scope | None
    runner: Runner
    thread: str
    url: str
    age: float
    context: dict[str, Any]
    pool: str
    idle: float
    # Of the request; a session has none of these.
    method: str = ""
    status: int = 0
    length: int | None = None
    bytes_read: int = 0
    block: bool = False
    lost_in: RawStack = ()
    lost_by: str = ""
    alive: int = 0
    sockets: int = 0
    held_by: str | None = None
    raised: bool = False

    @classmethod
    def of_response(cls, kind: LeakKind, lease: Lease, now: float) -> Finding:
        found = cls._of(kind, lease, lease.pool.name, now, lease.active)
        found.method = lease.method
        found.status = lease.status
        found.length = lease.announced
        found.bytes_read = lease.bytes_read
        found.block = bool(lease.pool.block)
        if kind is LeakKind.DROPPED:
            found.lost_in, found.lost_by = lease.lost_in, lease.lost_by
        return found

    @classmethod
    def of_session(cls, kind: LeakKind, session: SessionRef, now: float) -> Finding:
        active = max((pool.active for pool in session.pools), default=now)
        found = cls._of(kind, session, session.name, now, active)
        found.alive, found.sockets = session.alive, session.sockets
        return found

    @classmethod
    def _of(
        cls,
        kind: LeakKind,
        leaked: Lease | SessionRef,
        pool: str,
        now: float,
        active: float,
    ) -> Finding:
        return cls(
            kind=kind,
            client=leaked.client,
            stack=leaked.stack or (),
            scope=leaked.scope,
            runner=leaked.runner,
            thread=leaked.thread,
            url=leaked.absolute_url,
            age=now - leaked.opened,
            context=leaked.context or {},
            pool=pool,
            idle=now - active,
        )
