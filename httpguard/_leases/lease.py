"""A lease: one response between being handed out and giving its connection back.

And what is found of one, or of a session, that leaked.
"""

from __future__ import annotations

import sys
import weakref
from typing import TYPE_CHECKING, Any, Final

from .._model.leak import LeakKind
from .._stacks.sites import NOWHERE

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._model.leak import Frame
    from .._model.scope import Scope
    from .._pools.pool import PoolRef
    from .._pools.slot import Slot
    from .._stacks.raw import Place, RawStack
    from .client import Client
    from .sessions import SessionRef
    from .threads import Runner

    _ResponseRef = weakref.ref[Any]
else:
    _ResponseRef = weakref.ref

ANNOUNCED: Final = 1
"""The finalizer of a wrapper is about to close the response."""
FINALIZED: Final = 2
"""A finalizer, its own or a wrapper's, has closed it."""


class Lease(_ResponseRef):
    """A weak reference to a response that holds a connection.

    It is the weak reference itself, not an object beside one: 250 bytes less
    for each open response. Times are seconds of the guard's clock.
    """

    # What every lease has, in slots. What few ever need has a default in the class,
    # so that it need not be written for each.
    __slots__ = (
        "__dict__",
        "active",
        "bytes_read",
        "client",
        "context",
        "ended",
        "key",
        "kind",
        "length",
        "method",
        "opened",
        "pool",
        "reading",
        "runner",
        "scope",
        "slot",
        "stack",
        "status",
        "thread",
        "url",
    )

    # When it was opened, when progress was last seen, and when the program
    # closed it (None: not yet).
    opened: float
    active: float
    closed: float | None = None
    # It was opened before httpguard came, at a time and in a line that nobody knows;
    # what was found to refer to its response then.
    adopted: bool = False
    held_by: str | None = None
    # Its connection came back, or nobody waits for it: whoever still has the lease,
    # a sweep or the deque of the dead, leaves it alone.
    ended: bool
    # id() of the connection, its key in the registry.
    key: int
    # A lease is judged once; the kind of leak it was found to be, None if it
    # was excused.
    judged: bool = False
    # Of a leak: the line that opened it.
    site: Frame = NOWHERE
    # A look from another thread than its loop's has found no reader: the next one
    # has to agree, since tasks go on between what such a look sees.
    doubted: bool = False
    kind: LeakKind | None
    # When a look found that nobody refers to its response but the client, until the
    # next one agrees. Then it counts as collected, although it is not.
    lonely: float | None = None
    forgotten: bool = False
    # It was collected, and its loop has it again to close it.
    revived: bool = False
    # What had come in of its body at the last look, where more may by itself.
    arrived: int | None = None
    # 0, or one of the two above: what a finalizer closes, the program did not.
    finalizing: int = 0
    # Code and offset of whoever has it before the application, and will have lost it
    # if it is dropped: a hook, a retry or an adapter.
    lost_in: Place = ()
    lost_by: str = ""
    # Bytes on the wire, as of the last look; those of reads that the client does
    # not count.
    bytes_read: int
    uncounted: int = 0
    # What the kernel said of its socket at the last look of a sweep at an idle one.
    taken: int | None = None
    # What its client had taken in then, and the program had not.
    unread: tuple[object, ...] | None = None
    length: int | None
    status: int
    # The URL is absolute or a path of the pool.
    method: str
    url: str
    client: Client
    pool: PoolRef
    # The connection; None where it was taken before `install`. Of a pool that blocks,
    # its turn too, to tell later whether that slot is still out, and whether it is
    # counted as lost.
    slot: Slot | None
    turn: int = 0
    lost: bool = False
    # The client reads the body before the application gets the response.
    reading: bool
    # What opened it, and the name of the thread.
    runner: Runner
    thread: str
    # None: not sampled, counted only.
    stack: RawStack | None
    scope: Scope | None
    # Tells what was bound to the log context at the opening, None where nothing was.
    context: Callable[[], dict[str, Any]] | None

    @property
    def announced(self) -> int | None:
        """The length that the server announced, None where that cannot be true.

        It may be a number of thousands of digits.
        """
        length = self.length
        return length if length is None or length <= sys.maxsize else None

    @property
    def absolute_url(self) -> str:
        """The URL with scheme and host, not redacted."""
        url = self.url
        return self.pool.name + url if url.startswith("/") or not url else url

    def read_so_far(self, response: Any) -> int:
        return self.client.bytes_read(response) + self.uncounted

    def progressed(self, response: Any, now: float) -> bool:
        """Whether bytes were read since the last look: that restarts its idle clock."""
        bytes_read = self.client.bytes_read(response) + self.uncounted
        if bytes_read == self.bytes_read:
            return False
        self.bytes_read = bytes_read
        self.active = self.pool.active = now
        if self.unread is not None:
            self.taken = self.unread = None
        return True

    def is_of(self, pool: PoolRef | None) -> bool:
        """Whether a connection that has the id of a dead lease's is that one.

        Another one may have been taken since from the pool, under a slot of its own, or
        from another pool. None: that was collected too.
        """
        known = pool is None or pool is self.pool
        return known and self.slot is not None and self.has_key()

    def has_key(self) -> bool:
        """Whether no other connection of its pool has the id of its own."""
        known = self.pool.slots.get(self.key)
        return known is None or known is self.slot


class Finding:
    """What a report needs of a leak; the lease may go. Times are seconds.

    No dataclass: to make it one takes 0.5 ms of each start (CPython 3.11).

    Args:
        kind: Of the leak.
        leaked: The lease or the session.
        pool: What it went to, by name.
        now: The moment of the judgement.
        active: When progress, or a request of the session, was seen last.
    """

    # Of a request; a session has none of these.
    method = ""
    status = 0
    length: int | None = None
    bytes_read = 0
    block = False
    # Code and offset that lost the response, where that is not the site, and what
    # that code is.
    lost_in: Place = ()
    lost_by = ""
    # Of a session: those of its line that keep sockets, and how many.
    alive = sockets = 0
    # What refers to it, where that was searched for and found.
    held_by: str | None = None
    # A LeakError has carried it: it is raised once.
    raised = False

    def __init__(
        self,
        kind: LeakKind,
        leaked: Lease | SessionRef,
        pool: str,
        now: float,
        active: float,
    ) -> None:
        self.kind = kind
        self.client = leaked.client
        self.stack: RawStack = leaked.stack or ()
        self.site = leaked.site
        self.scope = leaked.scope
        # What opened it.
        self.runner = leaked.runner
        self.thread = leaked.thread
        self.url = leaked.absolute_url
        self.age = now - leaked.opened
        self.idle = now - active
        self.context = {} if leaked.context is None else leaked.context()
        self.pool = pool

    @classmethod
    def of_response(cls, kind: LeakKind, lease: Lease, now: float) -> Finding:
        found = cls(kind, lease, lease.pool.name, now, lease.active)
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
        found = cls(kind, session, session.name, now, active)
        found.alive, found.sockets = session.alive, session.sockets
        return found


def lease_of(response: object) -> Lease | None:
    """The lease of a response that has not ended, or None."""
    for ref in weakref.getweakrefs(response):
        if type(ref) is Lease and not ref.ended:
            return ref
    return None
