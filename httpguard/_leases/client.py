"""What the engine asks of an HTTP client.

A client is one file or folder of `_clients`. The engine asks nothing of a response, a
connection or a pool except through it.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    import socket
    import weakref
    from collections.abc import Callable

    from .._model.leak import Frame, LeakKind
    from .._pools.pool import PoolRef
    from .._pools.slot import Slot

    Reference = weakref.ref[Any]


class Ending(enum.Enum):
    """How far a response is on its way to giving its connection back."""

    OPEN = "open"
    RELEASED = "released"
    """It has given its connection back."""
    CLOSED = "closed"
    """It is closed, and may still have its connection."""
    CUT = "cut"
    """The program closed the connection or its socket, and not the response."""


class Lent(Protocol):
    """A lease, as far as a client is asked about it."""

    pool: PoolRef
    slot: Slot | None


class Facts(NamedTuple):
    """What a hint depends on, of the latest leak at a site.

    Args:
        length: As the server announced it; None: unknown, as of a chunked body.
        block: Whether its pool blocks.
        package: The library that the application's line called; empty: the client.
        function: The function of that library.
        culprit: Where it was lost by code between that line and the client.
        lost_by: ``hook``, ``retry``, ``adapter`` or ``middleware``; empty without a
            culprit.
        status: Of the response; 0: of a session.
        between: A library between two frames of the client, as one that has a session
            of its own class; empty: none.
    """

    kind: LeakKind
    method: str
    bytes_read: int
    length: int | None
    block: bool
    package: str
    function: str
    culprit: Frame | None
    lost_by: str
    held_by: str | None
    status: int = 0
    between: str = ""


class Client(Protocol):
    """An HTTP client. The methods run no program code, do not block, and do not raise.

    They are called in sweeps, in any thread. Those that are written out here are of a
    client that only threads use, and that keeps no forgotten response alive.
    """

    name: str
    """As `Leak.client` has it."""
    is_async: bool = False
    """Whether coroutines read its responses, and not threads."""
    takes_in: int = 0
    """Bytes of a body that it reads unasked: a shorter one ends unread. 0: none."""
    lives_on: Callable[[Lent], bool] | None = None
    """Whether somebody has what a response that is gone was read from; None: never."""

    def state(self, response: Any) -> Ending:
        """How far a response is on its way."""

    def bytes_read(self, response: Any) -> int:
        """The bytes that were read of its body: grows with every read.

        Reads that the client does not count are told by `Gate.read`.
        """

    def unread(self, response: Any) -> tuple[object, ...]:
        """What it has taken in and the program has not: others after each read."""
        return ()

    def socket(self, response: Any) -> socket.socket | None:
        """The socket that it is read from; None: none of Python's own."""

    def readers(self, response: Any) -> list[object]:
        """The response and what it reads from, down to the socket.

        Whoever runs a method of one of these reads the response.
        """

    def is_awaited(self, response: Any) -> bool | None:
        """Whether a task is suspended in a read of it.

        None: the response does not tell; the tasks are looked through for that.
        """
        return False

    def is_forgotten(self, reference: Reference) -> bool:
        """Whether nothing but the client's own parts refers to a response any more.

        Asked of each open response that made no progress, at every sweep: count
        references (`references`), walk no heap. A weak reference, since the asker's
        would count. False too where the client keeps no forgotten response alive.
        """
        return False

    def close(self, response: Any, note: str) -> bool:
        """Close a response that nobody reads, so that a later read says why.

        False: it can not be closed from this thread.
        """

    def is_lent(self, one: object, lease: Lent) -> bool:
        """Whether it may be what a lease has for its key, and not another of that id.

        Args:
            one: Of any kind that can be closed.
            lease: Of this client.
        """
        return True

    def release(self, response: Any) -> bool | None:
        """Give the connection of a closed response back: where closing does not.

        False: another thread has its pool; to be asked again.
        """
        return None  # Without it this were abstract.

    def hint(self, facts: Facts) -> str:
        """How to fix a leak, in the words of this client."""
