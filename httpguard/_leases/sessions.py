"""Sessions: who made them, which pools are theirs, which were made for nothing.

A session is whatever makes pools, such as a Session of requests or a pool manager.
"""

from __future__ import annotations

import threading
import weakref
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from .._model.scope import current_scope
from .._model.tally import Rhythm, drain
from .._stacks.sites import NOWHERE, place_of
from .threads import runner, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .._model.leak import Frame, LeakKind
    from .._model.scope import Scope
    from .._pools.pool import PoolRef
    from .._stacks.ownership import Origins
    from .._stacks.raw import Place, RawStack
    from .client import Client
    from .threads import Runner

    _SessionRef = weakref.ref[Any]
else:
    _SessionRef = weakref.ref

# Fewer are no matter.
_FEW: Final = 10
# Programs that make code as they run can have lines without end, and ask hosts
# without end.
_MOST_LINES: Final = 1000
_MOST_HOSTS: Final = 100


class SessionRef(_SessionRef):
    """A weak reference to a session. Times are seconds of the guard's clock.

    It is kept for as long as a pool of the session is alive: what still refers to a
    pool keeps its sockets open, though the session is closed or gone.
    """

    __slots__ = (
        "adopted",
        "alive",
        "client",
        "closed",
        "context",
        "ended",
        "judged",
        "key",
        "kind",
        "line",
        "lonely",
        "name",
        "opened",
        "pools",
        "runner",
        "scope",
        "site",
        "sockets",
        "stack",
        "thread",
        "user",
    )

    # id() of the session.
    key: int
    client: Client
    opened: float
    # Where it was made.
    line: Place
    # The program has closed it, and made no pool of it since.
    closed: bool
    # Judged once, found to be a leak, and ended well after all.
    judged: bool
    kind: LeakKind | None
    ended: bool
    # Of a leak: the line that made it.
    site: Frame
    # What made it, and the name of the thread; what made its latest pool, by the first
    # request to a host.
    runner: Runner
    thread: str
    user: Runner
    stack: RawStack
    scope: Scope | None
    # Tells what was bound to the log context when it was made, None where nothing was.
    context: Callable[[], dict[str, Any]] | None
    # The pools it has made that are alive, and the name of the first one.
    pools: list[PoolRef]
    name: str
    # As of the judgement: the sessions of its line that keep sockets, and how many.
    alive: int
    sockets: int
    # It is one request's own, as of `requests.get`: no advice would help.
    lonely: bool
    # It was made before httpguard came, in a line that nobody knows: it is not judged.
    adopted: bool

    @property
    def absolute_url(self) -> str:
        """Where it went first."""
        return self.name


class Wasted:
    """The sessions of one line whose connections were never used again."""

    __slots__ = ("client", "connects", "hosts", "rhythm", "sessions", "stack")

    def __init__(self, stack: RawStack, client: str) -> None:
        self.stack = stack
        self.client = client
        self.sessions = 0
        self.connects = 0
        self.hosts: set[str] = set()
        self.rhythm = Rhythm()

    @property
    def saved(self) -> int:
        """The connects that one shared session would have saved, at least."""
        return max(self.connects - max(len(self.hosts), 1), 0)


class Churn:
    """Such lines. Changed under the lock of the sessions."""

    def __init__(self) -> None:
        self.lines: dict[Place, Wasted] = {}

    def note(self, ref: SessionRef, pool: PoolRef) -> None:
        if not pool.connected.value or pool.reused:
            return
        wasted = self.lines.get(ref.line)
        if wasted is None:
            if len(self.lines) >= _MOST_LINES:
                self.lines.clear()
            wasted = self.lines[ref.line] = Wasted(ref.stack, ref.client.name)
        wasted.connects += pool.connected.value
        if len(wasted.hosts) < _MOST_HOSTS:
            wasted.hosts.add(pool.name)
        if not ref.pools:
            wasted.sessions += 1

    def worth(self) -> list[Wasted]:
        """The lines that are worth a word, the most wasteful first."""
        found = [
            wasted
            for wasted in list(self.lines.values())
            if wasted.sessions >= _FEW and wasted.saved
        ]
        return sorted(found, key=lambda wasted: -wasted.saved)

    def due(self, now: float) -> Iterator[Wasted]:
        """The lines of which it is time to say so."""
        for wasted in self.worth():
            if wasted.rhythm.due(wasted.sessions // _FEW, now):
                yield wasted


class Sessions:
    """Every session that has a pool or may make one."""

    def __init__(self) -> None:
        self.known: dict[int, SessionRef] = {}
        # Collected, and to be forgotten.
        self.dead: deque[SessionRef] = deque()
        # Judged, and closed after all: to be said.
        self.resolved: deque[SessionRef] = deque()
        # Those that have pools, by the line that made them. Written once for a new
        # pool and once for a pool that is gone, under a lock; reentrant, since a
        # finalizer can run in the middle of it.
        self.lines: dict[Place, dict[int, SessionRef]] = {}
        self.churn = Churn()
        self._lock = threading.RLock()

    def add(
        self,
        session: Any,
        client: Client,
        stack: RawStack,
        *,
        now: float,
        context: Callable[[], dict[str, Any]] | None,
        lonely: bool = False,
    ) -> SessionRef:
        """Know a session. Arguments as of `Registry.add_session`."""
        if self.dead:
            self.forget_dead()
        ref = SessionRef(session, self.dead.append)
        ref.key = id(session)
        ref.client = client
        ref.stack = stack
        ref.scope = current_scope()
        ref.opened = now
        ref.runner, ref.thread = running()
        ref.user = ref.runner
        ref.context = context
        ref.lonely = lonely
        ref.adopted = False
        ref.line = ()
        ref.closed = ref.judged = ref.ended = False
        ref.kind = None
        ref.site = NOWHERE
        ref.pools = []
        ref.name = ""
        ref.alive = ref.sockets = 0
        self.known[ref.key] = ref
        return ref

    def get(self, session: Any) -> SessionRef | None:
        ref = self.known.get(id(session))
        return ref if ref is not None and ref() is session else None

    def own(self, ref: SessionRef, pool: PoolRef, origins: Origins) -> int:
        """A session has made a pool; how many sessions of its line have pools now.

        Its line is looked up here: many a library makes a session as it is imported,
        and never uses it.
        """
        user = runner()
        with self._lock:
            ref.closed = False
            ref.user = user
            if ref.adopted:
                self._give(ref, pool)
                return 0
            ref.line = place_of(ref.stack, origins)
            self._give(ref, pool)
            line = self.lines.setdefault(ref.line, {})
            line[id(ref)] = ref
            return len(line)

    def adopt(self, ref: SessionRef, pools: list[PoolRef], *, claims: bool) -> None:
        """A session and its pools were made before httpguard came.

        Where it `claims` pools, those of an adopted owner are its own all the same.
        """
        with self._lock:
            ref.adopted = ref.lonely = True
            for pool in pools:
                owner: SessionRef | None = pool.owner
                if owner is None or (claims and owner is not ref and owner.adopted):
                    if owner is not None:
                        owner.pools.remove(pool)
                    self._give(ref, pool)

    @staticmethod
    def _give(ref: SessionRef, pool: PoolRef) -> None:
        ref.name = ref.name or pool.name
        ref.pools.append(pool)
        pool.owner = ref

    def lose(self, pool: PoolRef) -> None:
        """A pool was collected."""
        with self._lock:
            ref, pool.owner = pool.owner, None
            if ref is None or pool not in ref.pools:
                return
            ref.pools.remove(pool)
            if not ref.lonely:
                self.churn.note(ref, pool)
            if ref.pools:
                return
            line = self.lines.get(ref.line, {})
            line.pop(id(ref), None)
            if not line:
                self.lines.pop(ref.line, None)
        if ref.kind is not None and not ref.ended:
            ref.ended = True
            self.resolved.append(ref)

    def forget_dead(self) -> None:
        """Forget those that were collected, as far as they are known by themselves."""
        for ref in drain(self.dead):
            if self.known.get(ref.key) is ref:
                self.known.pop(ref.key, None)
