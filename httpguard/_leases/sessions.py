"""Sessions: those that are alive, and what they own."""

from __future__ import annotations

import threading
import weakref
from collections import Counter, deque
from typing import TYPE_CHECKING, Any

from .._model.scope import is_within

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextvars import Context

    from .._model.leak import LeakKind
    from .._model.scope import Scope
    from .._pools.pool import PoolRef
    from .._stacks.capture import RawStack

    _SessionRef = weakref.ref[Any]
else:
    _SessionRef = weakref.ref

Place = tuple[Any, ...]
"""Code object and instruction offset of the line that made a session."""


class SessionRef(_SessionRef):
    """A weak reference to a session of requests or a pool manager of urllib3.

    Has what a finding reads of a `Lease` too: one leaks like a response does.
    """

    __slots__ = (
        "active",
        "alive",
        "announced",
        "bytes_read",
        "client",
        "context",
        "direct",
        "ended",
        "judged",
        "key",
        "kind",
        "lost",
        "method",
        "opened",
        "place",
        "pool",
        "pools",
        "scope",
        "sockets",
        "stack",
        "status",
        "thread",
        "url",
    )

    # id() of the session.
    key: int
    # requests or urllib3.
    client: str
    # When it was made, and when a pool was last made for it.
    opened: float
    active: float
    place: Place
    # Whether the application itself made it, not a library for the application.
    direct: bool
    # As of a lease: judged once, found to be, closed after all.
    judged: bool
    kind: LeakKind | None
    ended: bool
    lost: bool
    thread: str
    stack: RawStack | None
    scope: Scope | None
    context: Context | dict[str, Any] | None
    # The pools it has, and the first it had.
    pools: list[PoolRef]
    pool: PoolRef
    # As of the judgement: sessions of its line that were alive, and their sockets.
    alive: int
    sockets: int
    # A session has none of these.
    method: str
    url: str
    status: int
    bytes_read: int
    announced: int | None

    @property
    def absolute_url(self) -> str:
        """Where it went first."""
        return self.pool.name


class Sessions:
    """Every session that is alive."""

    def __init__(self) -> None:
        """Start empty."""
        self.known: dict[int, SessionRef] = {}
        # Collected: to be forgotten.
        self.dead: deque[SessionRef] = deque()
        # Judged while alive, and closed after all: to be said.
        self.resolved: deque[SessionRef] = deque()
        # Those that own pools, by the line that made them. Written once for a new
        # pool and once for a closed session, under a lock; reentrant, since a
        # finalizer that closes a session can run in the middle of it.
        self.users: Counter[Place] = Counter()
        self._lock = threading.RLock()

    def add(self, session: Any) -> SessionRef:
        """Know a session; its maker fills in the fields."""
        ref = SessionRef(session, self.dead.append)
        ref.key = id(session)
        ref.pools = []
        ref.judged = ref.ended = ref.lost = False
        ref.kind = None
        ref.method = ref.url = ""
        ref.status = ref.bytes_read = 0
        ref.announced = None
        ref.alive = ref.sockets = 0
        self.known[ref.key] = ref
        return ref

    def get(self, session: Any) -> SessionRef | None:
        """A session that is known, or None."""
        ref = self.known.get(id(session))
        return ref if ref is not None and ref() is session else None

    def own(self, ref: SessionRef, pool: PoolRef, now: float) -> int:
        """A session has made a pool.

        Returns:
            How many sessions of its line own pools now.
        """
        ref.active = now
        with self._lock:
            if not ref.pools:
                ref.pool = pool
                self.users[ref.place] += 1
            ref.pools.append(pool)
            pool.owner = ref
            return self.users[ref.place]

    def disown(self, pool: PoolRef) -> None:
        """A pool was cleared away by the program."""
        with self._lock:
            ref, pool.owner = pool.owner, None
            if ref is None or pool not in ref.pools:
                return
            ref.pools.remove(pool)
            if ref.pools:
                return
            self._leave(ref)
        if ref.kind is not None and not ref.ended:
            ref.ended = True
            self.resolved.append(ref)

    def bury(self) -> None:
        """Forget those that were collected, their idle connections with them."""
        while self.dead:
            try:
                ref = self.dead.popleft()
            except IndexError:  # Another thread took the last one.
                return
            if self.known.get(ref.key) is ref:
                self.known.pop(ref.key, None)
            with self._lock:
                for pool in ref.pools:
                    pool.owner = None
                if ref.pools:
                    self._leave(ref)
                    ref.pools = []

    def crowds(
        self, limit: int, scope: Scope | None = None
    ) -> Iterator[tuple[list[SessionRef], list[SessionRef]]]:
        """The sessions of each line that has too many in use, and those too many.

        In use: a request was made through it, and it was not closed since. One to
        each thread that lives is what many programs need, however many these are.

        Args:
            limit: So many are no crowd.
            scope: In which they were made; None: in none that is on.
        """
        for place, count in list(self.users.items()):
            if count > limit:
                crowd = [
                    ref
                    for ref in list(self.known.values())
                    if ref.pools
                    and ref.place == place
                    and ref() is not None
                    and _belongs(ref, scope)
                ]
                crowd.sort(key=lambda ref: ref.opened)
                firsts = {ref.thread: ref for ref in reversed(crowd)}
                living = [firsts.pop(name) for name in _thread_names() & {*firsts}]
                others = [ref for ref in crowd if ref not in living]
                spared = max(limit - len(living), 0)
                if others[spared:]:
                    yield crowd, others[spared:]

    def _leave(self, ref: SessionRef) -> None:
        """It owns no pool any more."""
        self.users[ref.place] -= 1
        if self.users[ref.place] <= 0:
            del self.users[ref.place]


def _thread_names() -> set[str]:
    """As in `SessionRef.thread`. No lock, which a finalizer may meet."""
    threads = list(threading._active.values())  # type: ignore[attr-defined]
    return {thread.name for thread in threads}


def _belongs(ref: SessionRef, scope: Scope | None) -> bool:
    """Whether a session is judged with a scope; with None, with no scope's end."""
    if scope is None:
        return ref.scope is None or ref.scope.promise is None
    return is_within(ref.scope, scope)


def sockets_of(ref: SessionRef) -> int:
    """The connections that a live session keeps: idle ones and those in use."""
    return sum(pool.idle + pool.in_use for pool in list(ref.pools))
