"""A finding: one leaked response or session, with the facts when it was judged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._model.leak import LeakKind
from .._model.redaction import printable

if TYPE_CHECKING:
    from .._model.scope import Scope
    from .._stacks.raw import RawStack
    from .client import Client
    from .lease import Lease
    from .session import SessionRef
    from .threads import Runner


class Finding:
    """What a report needs of a leak; the lease may go.

    Args:
        kind: How it leaked.
        leaked: The lease or the session.
        now: The time of the judgement, in seconds of the guard's clock.
    """

    __slots__ = (
        "age",
        "alive",
        "block",
        "bytes_read",
        "client",
        "context",
        "held_by",
        "idle",
        "kind",
        "length",
        "lost_by",
        "lost_in",
        "method",
        "pool",
        "raised",
        "runner",
        "scope",
        "sockets",
        "stack",
        "status",
        "thread",
        "url",
    )

    kind: LeakKind
    client: Client
    stack: RawStack
    scope: Scope | None
    # What opened it, and the name of the thread.
    runner: Runner
    thread: str
    # What refers to the response, where that was searched for and found.
    held_by: str | None
    # A LeakError has carried it: it is raised once.
    raised: bool
    # Of the request; a session has none of these.
    method: str
    status: int
    length: int | None
    bytes_read: int
    pool: str
    # Whether the pool blocks.
    block: bool
    # Code and offset that lost the response, where that is not the site; and what
    # that code is.
    lost_in: RawStack
    lost_by: str
    # Seconds without progress, or without a request.
    idle: float
    # Of a session: those of its line that keep sockets, and how many sockets.
    alive: int
    sockets: int

    def __init__(self, kind: LeakKind, leaked: Lease | SessionRef, now: float) -> None:
        self.kind = kind
        self.client = leaked.client
        self.stack = leaked.stack or ()
        self.scope = leaked.scope
        self.runner = leaked.runner
        self.thread = leaked.thread
        self.url = leaked.absolute_url
        self.age = now - leaked.opened
        self.context: dict[str, Any] = leaked.context or {}
        self.held_by = None
        self.block = False
        self.lost_in = ()
        self.lost_by = ""
        self.raised = False

    @classmethod
    def of_response(cls, kind: LeakKind, lease: Lease, now: float) -> Finding:
        """A response that leaked. Arguments as of the class."""
        found = cls(kind, lease, now)
        found.method = lease.method
        found.status = lease.status
        found.block = bool(lease.pool.block)
        if kind is LeakKind.DROPPED:
            found.lost_in, found.lost_by = lease.lost_in, lease.lost_by
        found.length = lease.announced
        found.pool = printable(lease.pool.name)
        found.bytes_read = lease.bytes_read
        found.idle = now - lease.active
        found.alive = found.sockets = 0
        return found

    @classmethod
    def of_session(cls, kind: LeakKind, session: SessionRef, now: float) -> Finding:
        """A session that leaked. Arguments as of the class."""
        found = cls(kind, session, now)
        found.method = ""
        found.status = found.bytes_read = 0
        found.pool = printable(session.name)
        found.length = None
        found.idle = min((now - pool.active for pool in session.pools), default=0.0)
        found.alive, found.sockets = session.alive, session.sockets
        return found
