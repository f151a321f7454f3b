"""The guard, as the wrappers of clients see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from .._leases.registry import LeaseObserver, Registry

if TYPE_CHECKING:
    from types import FrameType

    from .._leases.client import Client
    from .._leases.sessions import SessionRef
    from .._pools.pool import PoolRef
    from .._pools.waits import Share, Waiter
    from .._stacks.raw import RawStack


class Guard(LeaseObserver, Protocol):
    """The guard, as the wrappers see it. Nothing but `LeakError` ever rises."""

    registry: Registry
    judges_sessions: bool
    """Whether sessions are looked at."""
    reclaims: bool
    """Whether lost slots are given back."""

    def before_request(self) -> None:
        """A guarded call begins; may raise `LeakError`."""

    def step_aside(self, where: str, error: Exception) -> None:
        """A wrapper failed: it is said once."""

    def attend(self) -> None:
        """Something happened that the watcher should look at."""

    def begin_wait(
        self,
        pool: PoolRef,
        frame: FrameType,
        stack: RawStack | None = None,
        share: Share | None = None,
    ) -> Waiter | None:
        """A request is about to wait for a connection, or for a stream of one."""

    def end_wait(self, waiter: Waiter | None) -> None:
        """It waits no more."""

    def opened(self) -> None:
        """A request is about to open a connection."""

    def explain(
        self, pool: PoolRef, error: BaseException, share: Share | None = None
    ) -> None:
        """It got none: say to the program why."""

    def made(
        self, session: Any, client: Client, frame: FrameType, *, lonely: bool = False
    ) -> SessionRef | None:
        """The program made a session."""

    def own(self, session: SessionRef, pool: PoolRef) -> None:
        """A session made a pool."""


class Waiting:
    """Surrounds the taking of a connection, with no frame in a traceback.

    Without a waiter the request does not have to wait, or we failed. `empty` is the
    client's error for having waited in vain.
    """

    __slots__ = ("_empty", "_guard", "_pool", "_waiter")

    def __init__(
        self,
        guard: Guard,
        pool: PoolRef,
        waiter: Waiter | None,
        empty: type[Exception] | tuple[()] = (),
    ) -> None:
        self._guard = guard
        self._pool = pool
        self._waiter = waiter
        self._empty = empty

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, self._empty):
            self._guard.explain(self._pool, error)
        self._guard.end_wait(self._waiter)
