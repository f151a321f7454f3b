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
    reclaims: bool

    def before_request(self) -> None: ...

    def step_aside(self, where: str, error: Exception) -> None: ...

    def attend(self) -> None: ...

    def begin_wait(
        self,
        pool: PoolRef,
        frame: FrameType,
        stack: RawStack | None = None,
        share: Share | None = None,
    ) -> Waiter | None: ...

    def end_wait(self, waiter: Waiter | None) -> None: ...

    def opened(self) -> None: ...

    def explain(
        self, pool: PoolRef, error: BaseException, share: Share | None = None
    ) -> None: ...

    def made(
        self, session: Any, client: Client, frame: FrameType, *, lonely: bool = False
    ) -> SessionRef | None: ...

    def own(self, session: SessionRef, pool: PoolRef) -> None: ...


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
