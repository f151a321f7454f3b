"""A lease: one response between being handed out and giving its connection back."""

from __future__ import annotations

import itertools
import sys
import weakref
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from contextvars import Context

    from urllib3.response import HTTPResponse

    from .._model.leak import LeakKind
    from .._model.scope import Scope
    from .._pools.pool import PoolRef, Slot
    from .._stacks.capture import RawStack

    _ResponseRef = weakref.ref[HTTPResponse]
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
        "length",
        "method",
        "opened",
        "pool",
        "reading",
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
    # It gave its connection back, or needs not: whoever still has the lease, a
    # sweep or the deque, leaves it alone.
    ended: bool
    # id() of the connection, its key in the registry.
    key: int
    # A lease is judged once; the kind of leak it was found to be, None if it
    # was excused.
    judged: bool = False
    kind: LeakKind | None = None
    # 0, or one of the two above: what a finalizer closes, the program did not.
    finalizing: int = 0
    # Bytes on the wire, as of the last look; of these, by chunks, without framing.
    bytes_read: int
    chunked: int = 0
    # What the kernel said of its socket at the last look of a sweep at an idle one.
    taken: int | None = None
    length: int | None
    status: int
    # As the program gave them; the URL is absolute or a path of the pool.
    method: Any
    url: Any
    # "requests" where it is known; "" where the stack tells.
    client: str
    pool: PoolRef
    # The connection; None where it was taken before `install`. Of a pool that blocks,
    # its turn too, to tell later whether that slot is still out, and whether it is
    # counted as lost.
    slot: Slot | None
    turn: int = 0
    lost: bool = False
    # requests reads the body before the application gets the response.
    reading: bool
    thread: str
    # None: not sampled, counted only.
    stack: RawStack | None
    scope: Scope | None
    # The context variables of the moment; after a sweep, what reports need of them.
    context: Context | dict[str, Any] | None

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
        url = str(self.url)
        return self.pool.name + url if url.startswith("/") or not url else url


class Tally:
    """A counter that several threads raise without a lock and lose no count.

    ``itertools.count`` steps in one C call (about 30 ns); its repr is the one
    way to read it that every Python has (copying it went with 3.14).
    """

    __slots__ = ("_count", "add")

    def __init__(self) -> None:
        """Start at 0."""
        self._count = itertools.count()
        self.add = self._count.__next__

    @property
    def value(self) -> int:
        """How often `add` was called."""
        return int(repr(self._count)[len("count(") : -1])
