"""What a client's wrappers may call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextlib import AbstractContextManager
    from types import FrameType

    from .._pools.kind import PoolKind
    from .._pools.pool import PoolRef
    from .._stacks.raw import RawStack
    from .client import Client
    from .lease import Lease


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
