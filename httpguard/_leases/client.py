"""What the engine asks of an HTTP client, and what a client's wrappers may call.

A client is one file or folder of `_clients`. The engine asks nothing of a response, a
connection or a pool except through it.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import socket
    import weakref
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager
    from types import FrameType

    from .._pools.kind import PoolKind
    from .._pools.pool import PoolRef
    from .._stacks.capture import RawStack
    from .facts import Facts
    from .lease import Lease
    from .patcher import Patcher as Patcher  # noqa: PLC0414  # Handed on.

    Reference = weakref.ref[Any]
    Adopters = dict[type, Callable[[Any], object]]


class Ending(enum.Enum):
    """How far a response is on its way to giving its connection back."""

    OPEN = "open"
    RELEASED = "released"
    """It has given its connection back."""
    CLOSED = "closed"
    """It is closed, and may still have its connection."""
    CUT = "cut"
    """The program closed the connection or its socket, and not the response."""


class Client(Protocol):
    """An HTTP client. The methods run no program code, do not block, and do not raise.

    They are called in sweeps, in any thread, but `patch`, which is called once.
    """

    name: str
    """As `Leak.client` has it."""
    imports: tuple[str, ...]
    """The modules after whose import `patch` is called."""
    packages: tuple[str, ...]
    """The packages whose frames are never the site."""
    is_async: bool
    """Whether coroutines read its responses, and not threads."""

    def patch(self, patcher: Patcher, leases: Leases) -> None:
        """Wrap what opens, reads, closes and releases responses.

        Args:
            patcher: Puts wrappers on, and takes them off at `uninstall`.
            leases: What the wrappers call.

        Raises:
            Exception: Whatever goes wrong: it is said once, and the client is left
                alone.
        """

    def adopters(self) -> Adopters:
        """What takes in what was there before httpguard came, by class.

        Asked, after `patch`, where httpguard has come into a program that runs. Each is
        called with whatever objects there are of its class or of one derived from it,
        in any state and in any thread, and tells `Leases.adopt`, `Leases.pool` and
        `Leases.adopt_session`.

        Returns:
            Nothing of what is not imported; nothing at all where a client can not tell.
        """
        return {}

    def state(self, response: Any) -> Ending:
        """How far a response is on its way."""

    def bytes_read(self, response: Any) -> int:
        """The bytes that were read of its body: grows with every read.

        Reads that the client does not count are told by `Leases.read`.
        """

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

    def is_forgotten(self, reference: Reference) -> bool:
        """Whether nothing but the client's own parts refers to a response any more.

        Asked of each open response that made no progress, at every sweep: count
        references (`references`), walk no heap.

        Args:
            reference: Weakly to the response, since the asker's would count.

        Returns:
            False too where the client keeps no forgotten response alive.
        """

    def close(self, response: Any, note: str) -> bool:
        """Close a response that nobody reads, so that a later read says why.

        Args:
            response: Open.
            note: For the error of a later read.

        Returns:
            False: it can not be closed from this thread.
        """

    def release(self, response: Any) -> None:
        """Give the connection of a closed response back to its pool."""

    def hint(self, facts: Facts) -> str:
        """How to fix a leak, in the words of this client."""


class Leases(Protocol):
    """What a client's wrappers may call. Nothing but `LeakError` ever rises.

    Without a guard all of it does nothing.
    """

    def before(self) -> None:
        """A request begins.

        Raises:
            LeakError: In strict mode, this thread has leaked.
        """

    def begin(
        self,
        client: Client,
        response: Any,
        connection: object,
        pool: PoolRef | None,
        *,
        method: Any,
        url: Any,
        status: int,
        length: int | None,
        frame: FrameType,
        reading: bool = False,
        stack: RawStack | None = None,
    ) -> None:
        """The application is given a response that holds a connection.

        Args:
            client: Whose response.
            response: Weak-referenceable.
            connection: Its identity is the key of the lease until that ends.
            pool: What `pool` returned.
            method: As the program gave it.
            url: Absolute, or a path of the pool.
            status: Of the answer.
            length: The bytes that the server announced; None: unknown.
            frame: The innermost frame to keep.
            reading: The client itself is about to read the body.
            stack: Of a task, in the place of the frame's.

        Raises:
            LeakError: In strict mode, it is one more than ``max_open``.
        """

    def adopt(
        self,
        client: Client,
        response: Any,
        connection: object,
        pool: PoolRef | None,
        *,
        method: Any,
        url: Any,
        status: int,
        length: int | None,
        taken: object = None,
    ) -> Lease | None:
        """A response holds a connection, and was opened before httpguard came.

        Other arguments as of `begin`.

        Args:
            client: Whose response.
            response: Weak-referenceable.
            connection: Its identity is the key of the lease.
            pool: What `pool` returned.
            method: As the program gave it, if that is known.
            url: Absolute, or a path of the pool.
            status: Of the answer.
            length: The bytes that the server announced; None: unknown.
            taken: What it has of the pool, which is missing there.

        Returns:
            None: it has a lease already, or has ended.
        """

    def adopt_session(
        self,
        session: Any,
        client: Client,
        pools: Iterable[tuple[object, PoolKind]],
        *,
        claims: bool = True,
    ) -> None:
        """A session was made before httpguard came.

        Args:
            session: Whatever makes pools.
            client: Whose session.
            pools: Those that it has made, and how each is asked.
            claims: They are its own, although others may have said so of theirs.
        """

    def end(self, pool: object, connection: object) -> bool:
        """A connection comes back to its pool: the lease under it ended well.

        To be called before another request can take it. Finalizers may.

        Returns:
            False: the pool was given another one in its place, and is full. To be
                closed, not kept.
        """

    def closed(self, connection: object, *, by_finalizer: bool) -> None:
        """The response of a connection is about to be closed. Finalizers may.

        Args:
            connection: Of the lease.
            by_finalizer: Not by the program: what a finalizer closes was dropped.
        """

    def read(self, connection: object, wire_bytes: int) -> None:
        """Bytes of a response were read that `Client.bytes_read` does not count."""

    def pool(
        self, pool: object, kind: PoolKind, session: object = None
    ) -> PoolRef | None:
        """What is known of a pool, from here on if need be; None: no guard.

        Args:
            pool: The pool.
            kind: How it is asked.
            session: Whose it is, where `session` was told of that one.
        """

    def took(self, pool: object, connection: object, *, fresh: bool) -> None:
        """A request has taken a connection of a pool that is known.

        Args:
            pool: The pool.
            connection: The connection.
            fresh: It has no socket yet.
        """

    def waiting(
        self,
        pool: object,
        frame: FrameType,
        empty: type[Exception],
        *,
        in_task: bool = False,
    ) -> AbstractContextManager[None]:
        """Around the taking of a connection, for which a request may wait.

        Args:
            pool: It is known.
            frame: The innermost frame to keep.
            empty: The client's error for having waited in vain: it gets a note that
                says who holds the connections.
            in_task: A task waits, and not its thread.
        """

    def session(self, session: Any, client: Client, frame: FrameType) -> None:
        """The program, or a library for it, made a session."""

    def owner_closed(self, owner: object) -> None:
        """The program is about to close a session or a pool."""

    def fault(self, where: str, error: Exception) -> None:
        """A wrapper failed inside: it is said once."""
