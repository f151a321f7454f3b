"""The detector: leases in, findings out."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextvars import Context
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final

from .._clients.urllib3.response import holds_connection, is_cut, is_shut
from .._holders.search import held_by
from .._model.leak import LeakKind
from .._model.redaction import printable
from .._model.scope import is_within
from .._stacks.capture import RawStack, filenames, find_site
from .._stacks.ownership import module_matches, module_of
from .readers import being_read
from .sessions import SessionRef, sockets_of
from .wire import is_read_below

if TYPE_CHECKING:
    from urllib3.response import HTTPResponse

    from .._model.leak import Frame
    from .._model.scope import Scope
    from .._model.settings import Settings
    from .lease import Lease
    from .registry import Registry

# The server handed the connection itself over (docker's attach, websockets):
# the program reads the socket, not the response.
_SWITCHING_PROTOCOLS = 101
# What holds the responses of a site is searched for so often, until it is found,
# and of so many sites.
_MOST_SEARCHES: Final = 3
_MOST_EXPLAINED: Final = 1000


class Finding:
    """One leaked response: the facts of its lease when it was judged.

    Args:
        kind: How it leaked.
        lease: Its lease.
        now: The time of the judgement, in seconds of the guard's clock.
    """

    __slots__ = (
        "age",
        "alive",
        "bytes_read",
        "client",
        "context",
        "held_by",
        "idle",
        "kind",
        "length",
        "method",
        "pool",
        "raised",
        "scope",
        "sockets",
        "stack",
        "status",
        "thread",
        "url",
    )

    def __init__(self, kind: LeakKind, lease: Lease | SessionRef, now: float) -> None:
        """Copy what a report needs; the lease may go."""
        self.kind = kind
        self.stack: RawStack = lease.stack or ()
        self.method = str(lease.method)
        self.url = lease.absolute_url
        self.status = lease.status
        self.client = lease.client
        self.pool = printable(lease.pool.name)
        self.thread = lease.thread
        self.length = lease.announced
        self.bytes_read = lease.bytes_read
        self.age = now - lease.opened
        self.idle = now - lease.active
        self.scope: Scope | None = lease.scope
        self.alive = self.sockets = 0
        if isinstance(lease, SessionRef):
            self.alive, self.sockets = lease.alive, lease.sockets
        self.context: dict[str, Any] = {}
        # What refers to the response, where that was searched for and found.
        self.held_by: str | None = None
        # A LeakError has carried it: it is raised once.
        self.raised = False


Digest = Callable[[Context], dict[str, Any]]


class Detector:
    """Judges leases. Its caller lets one thread in at a time.

    Args:
        registry: Where the leases are.
        settings: The thresholds.
        digest: What reports need of a context; the rest is then let go.
    """

    def __init__(self, registry: Registry, settings: Settings, digest: Digest) -> None:
        """Keep them; `settings` is replaced by a second `install`."""
        self.registry = registry
        self.settings = settings
        self.digest = digest
        self.counts = dict.fromkeys(LeakKind, 0)
        self.excused = 0
        # Leaks whose slot is lost, and held ones: the guard may do more about them.
        self.lost: deque[Lease] = deque()
        self.held: deque[Lease] = deque()
        # Site -> how often what holds its responses was searched for.
        self._explained: dict[Frame, int] = {}

    @property
    def total(self) -> int:
        """The leaks of every kind."""
        return sum(self.counts.values())

    def bury(self) -> Iterator[Finding]:
        """Judge the leases whose response was collected."""
        dead = self.registry.dead
        now = self.registry.clock()
        while dead:
            yield from self._bury(dead.popleft(), now)
        # Whose sockets went with them: no leaks.
        self.registry.sessions.bury()

    def sweep(self) -> Iterator[Finding]:
        """Look at every open lease. Under 1 us each (``benchmarks/``)."""
        yield from self.bury()
        now = self.registry.clock()
        suspects = []
        for lease in list(self.registry.leases.values()):
            response = lease()
            # Dead ones are in the deque. While another thread finalizes one, its
            # reference still answers, and it looks as if the program closed it.
            if response is None or lease.finalizing or lease.ended:
                continue
            self.digested(lease)
            if not holds_connection(response):
                self.registry.release(lease)
            elif lease.closed is not None:
                yield from self._overdue(lease, now)
            elif is_cut(response):
                # By a finalizer in another thread, meanwhile, is not by the program.
                if not lease.finalizing:
                    lease.closed = now  # We did not see when.
            elif self._idle(lease, response, now):
                suspects.append((lease, response))
            del response
        yield from self._suspects(suspects, now)
        yield from self.crowded_sessions()
        self.registry.pools.prune()

    def close_scope(self, scope: Scope) -> Iterator[Finding]:
        """Judge what a scope, at its end, has left open."""
        yield from self._close(self.left_open(scope))
        yield from self.crowded_sessions(scope)
        # Before another thread's sweep finds more for it, which would go unheard.
        scope.over = True

    def close_process(self) -> Iterator[Finding]:
        """Judge what the process, at its end, has left open.

        A response that a daemon thread waits for, or is reading, is in use.
        """
        left = self.left_open(None)
        busy = being_read(
            [response for lease in left if (response := lease()) is not None]
        )
        yield from self._close([lease for lease in left if id(lease()) not in busy])

    def _close(self, left: list[Lease]) -> Iterator[Finding]:
        """Judge what should not be open any more."""
        now = self.registry.clock()
        for lease in left:
            response = lease()
            if response is None:
                # A collection in another thread has cleared the reference, and is
                # on its way to the callback.
                yield from self._bury(lease, now)
            elif not holds_connection(response):
                self.registry.release(lease)
            elif lease.closed is None:
                _progressed(lease, response, now)
                if not _failed_to_read(lease):
                    yield from self._judge(LeakKind.OPEN, lease, now, response)
            elif lease.pool.block:
                yield from self._judge(LeakKind.UNRELEASED, lease, now)
            else:
                self.registry.finish_closed(lease)
            del response

    def is_left(self, scope: Scope) -> bool:
        """Whether a scope has left responses open, or more sessions than it may."""
        limit = self.settings.max_sessions
        if limit is not None and any(self.registry.sessions.crowds(limit, scope)):
            return True
        return bool(self.left_open(scope))

    def left_open(self, scope: Scope | None) -> list[Lease]:
        """The leases, of a scope or all, that have not been judged."""
        return [
            lease
            for lease in list(self.registry.leases.values())
            if (scope is None or is_within(lease.scope, scope))
            and not (lease.judged or lease.ended)
        ]

    def crowd(self) -> list[Lease]:
        """The leases that count against ``max_open``."""
        return [
            lease
            for lease in list(self.registry.leases.values())
            if lease.closed is None
            and not lease.reading
            and (response := lease()) is not None
            and holds_connection(response)
            and not self._excuse(lease)
        ]

    def _bury(self, lease: Lease, now: float) -> Iterator[Finding]:
        """Judge a lease whose response was collected."""
        self.registry.discard(lease)
        if lease.ended:
            return
        if lease.slot is not None and lease.slot() is None:
            lease.pool.forget(lease.slot)
        if self._came_back(lease):
            self.registry.end(lease)
        elif _failed_to_read(lease) or (
            lease.closed is not None and not lease.pool.block
        ):
            self.registry.finish_closed(lease)
        elif lease.judged:
            # Said before, as held or open; it is the same leak.
            self._lose(lease)
        elif lease.closed is None:
            yield from self._judge(LeakKind.DROPPED, lease, now)
        else:
            yield from self._judge(LeakKind.UNRELEASED, lease, now)

    def _came_back(self, lease: Lease) -> bool:
        """Whether its pool has the connection again, by a way that passed us by.

        As where the program has put a ``_put_conn`` of its own into the pool.
        """
        slot = lease.slot
        if slot is None or slot() is None:
            return False
        other = self.registry.leases.get(lease.key)
        return lease.pool.has(slot) or (other is not None and other.slot is slot)

    def _idle(self, lease: Lease, response: HTTPResponse, now: float) -> bool:
        """Whether an open response made no progress for `max_idle` seconds."""
        if (
            _progressed(lease, response, now)
            or lease.judged
            or _failed_to_read(lease)
            or lease.status == _SWITCHING_PROTOCOLS
        ):
            return False
        idle = now - lease.active
        if idle >= self.settings.max_idle / 2 and is_read_below(lease, response):
            lease.active = now
            return False
        return idle >= self.settings.max_idle

    def _suspects(
        self, suspects: list[tuple[Lease, HTTPResponse]], now: float
    ) -> Iterator[Finding]:
        """The suspects that nobody is reading."""
        if not suspects:
            return
        busy = being_read([response for _, response in suspects])
        while suspects:
            lease, response = suspects.pop()
            if id(response) in busy:
                lease.active = now
            elif is_shut(response):
                if not lease.finalizing:
                    lease.closed = now
            else:
                yield from self._judge(LeakKind.HELD, lease, now, response)

    def _overdue(self, lease: Lease, now: float) -> Iterator[Finding]:
        """Closed, and `release_conn` did not follow within `max_idle`."""
        if lease.closed is None or now - lease.closed < self.settings.max_idle:
            return
        if not lease.pool.block:
            self.registry.finish_closed(lease)
        elif lease.judged:
            self._lose(lease)
        else:
            yield from self._judge(LeakKind.UNRELEASED, lease, now)

    def _judge(
        self,
        kind: LeakKind,
        lease: Lease | SessionRef,
        now: float,
        response: HTTPResponse | None = None,
    ) -> Iterator[Finding]:
        """Count a leak, and report it unless it is excused or not sampled."""
        if lease.ended:
            return  # While we looked.
        lease.judged = True
        if self._excuse(lease):
            self.excused += 1
            return
        lease.kind = kind
        self.counts[kind] += 1
        if not isinstance(lease, SessionRef):
            self.registry.proven.distrust(lease.stack or (), self.registry.origins)
            if kind in (LeakKind.DROPPED, LeakKind.UNRELEASED):
                self._lose(lease)
            elif kind is LeakKind.HELD and self.settings.on_held == "close":
                self.held.append(lease)
        if lease.stack is not None:
            finding = Finding(kind, lease, now)
            finding.context = self.digested(lease)
            if response is not None and self.settings.explain:
                finding.held_by = self._explain(lease.stack, response)
            # Whoever takes the finding may take long.
            del response
            yield finding

    def _lose(self, lease: Lease) -> None:
        """Count the slot of a blocking pool that a leak has taken, once."""
        if lease.pool.block and lease.kind is not None and not lease.lost:
            lease.pool.lose(lease, find_site(lease.stack or (), self.registry.origins))
            if self.settings.reclaim:
                self.lost.append(lease)

    def crowded_sessions(self, scope: Scope | None = None) -> Iterator[Finding]:
        """Judge the sessions of a line that has made too many.

        Args:
            scope: Judge those that were made in this scope, which ends. None: the
                others; what was made in a scope that is on may yet be closed in it.
        """
        limit = self.settings.max_sessions
        if limit is None:
            return
        now = self.registry.clock()
        for crowd, too_many in self.registry.sessions.crowds(limit, scope):
            sockets = sum(sockets_of(session) for session in crowd)
            for session in too_many:
                if not session.judged:
                    session.alive, session.sockets = len(crowd), sockets
                    yield from self._judge(LeakKind.SESSION, session, now)

    def _explain(self, stack: RawStack, response: HTTPResponse) -> str | None:
        """What refers to a response; searched for a few times for each site."""
        origins = self.registry.origins
        chain = None
        try:
            site = find_site(stack, origins)
            tries = self._explained.get(site, 0)
            if tries < _MOST_SEARCHES and len(self._explained) <= _MOST_EXPLAINED:
                chain = held_by(response, origins, self.settings.explain)
                self._explained[site] = _MOST_SEARCHES if chain else tries + 1
        except Exception as error:
            # The leak is reported all the same.
            self.registry.faults.append(("explain", error.with_traceback(None)))
        return chain

    def digested(self, lease: Lease | SessionRef) -> dict[str, Any]:
        """What reports need of a lease's context; the rest is let go."""
        if isinstance(lease.context, Context):
            lease.context = self.digest(lease.context)
        return lease.context or {}

    def _excuse(self, lease: Lease | SessionRef) -> bool:
        """Whether `allow` or `ignore` says that it is not to be judged."""
        if lease.scope is not None and lease.scope.allowed is not None:
            return True
        return any(_matches(lease, pattern) for pattern in self.settings.ignore)


def _progressed(lease: Lease, response: HTTPResponse, now: float) -> bool:
    """Whether bytes were read since the last look; if so, its idle clock restarts."""
    bytes_read = response._fp_bytes_read + lease.chunked
    if bytes_read == lease.bytes_read:
        return False
    lease.bytes_read = bytes_read
    lease.active = now
    if lease.taken is not None:
        lease.taken = None
    return True


def _failed_to_read(lease: Lease) -> bool:
    """Whether requests began to read the body, for itself, and gave up.

    The application never had the response in hands.
    """
    return lease.reading and lease.bytes_read > 0


def _matches(lease: Lease | SessionRef, pattern: str) -> bool:
    """Whether a URL pattern (it has a slash) or a module pattern fits."""
    if "/" in pattern:
        url = lease.absolute_url
        return fnmatchcase(url, pattern) or fnmatchcase(url.partition("?")[0], pattern)
    return any(
        module_matches(module_of(filename), pattern)
        for filename in filenames(lease.stack or ())
    )
