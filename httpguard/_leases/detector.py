"""The detector: leases in, findings out."""

from __future__ import annotations

from collections import deque
from inspect import CO_ASYNC_GENERATOR
from typing import TYPE_CHECKING, Any

from .._model.leak import LeakKind
from .client import Ending
from .held import Explainer
from .lease import Finding
from .readers import a_few, being_read, left_alone, with_responses
from .session_detector import SessionDetector
from .table import Verdicts
from .threads import runner, strand_of
from .wire import is_read_below, is_read_inside

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._model.scope import Scope
    from .._model.settings import Settings
    from .lease import Lease
    from .registry import Registry
    from .sessions import Sessions

    Suspects = list[tuple[Lease, Any]]

# The server handed the connection itself over (docker's attach, websockets):
# the program reads the socket, not the response.
_SWITCHING_PROTOCOLS = 101
# After so many leases other threads are let on: an event loop would wait for as long as
# CPython leaves the interpreter to one thread, 5 ms, again and again.
_SLICE = 64
# Seconds in which more comes in of a short body that its client takes in by itself.
_ARRIVES_IN = 0.05
# CPython 3.11 takes longer to find a member of an enum than to compare it.
_RELEASED, _CUT = Ending.RELEASED, Ending.CUT


class Detector:
    """Judges leases. Its caller lets one thread in at a time.

    `found` is told of each finding, and may take long. `rest` lets other threads go on:
    nothing of the program's is kept meanwhile.
    """

    def __init__(
        self,
        registry: Registry,
        settings: Callable[[], Settings],
        found: Callable[[Finding], None],
        rest: Callable[[], None],
    ) -> None:
        self.registry = registry
        self._settings = settings
        self._found = found
        self._rest = rest
        self.verdicts = Verdicts(registry, settings)
        self.sessions = SessionDetector(registry, settings, self.verdicts, found)
        # Leaks whose slot is lost, and held ones: the guard may do more about them.
        self.lost: deque[Lease] = deque()
        self.held: deque[Lease] = deque()
        self._explainer = Explainer(registry, settings)

    def bury(self, *, doubtful: bool = False) -> None:
        """Judge the collected ones; `doubtful`: those too that a loop may revive."""
        now, number = self.registry.clock(), 0
        dead, revived = self.registry.dead, self.registry.revived
        while dead:  # Those that die meanwhile too.
            number += 1
            if not number % _SLICE:
                self._rest()
            lease = dead.popleft()
            over = lease.ended or lease.closed is not None or lease.forgotten
            if not over and _is_doubtful(lease):
                revived.doubtful.append(lease)
            elif not over and (lives_on := lease.client.lives_on) and lives_on(lease):
                lease.revived = True
                revived.elsewhere.append(lease)
            elif not lease.forgotten:
                self._bury(lease, now)
        if not doubtful:
            return
        for lease in revived.let_go():
            self._bury(lease, now)
        if revived.doubtful:
            for lease in revived.gone(now, self._settings().max_idle):
                self._bury(lease, now)

    def sweep(self) -> None:
        """Look at every open lease. 2 to 3 us each (``benchmarks/``)."""
        settings = self._settings()
        crowded = _may_be_crowded(self.registry.sessions, settings.max_sessions)
        self.bury(doubtful=True)
        now, most = self.registry.clock(), settings.max_idle
        suspects: list[Lease] = []
        for number, lease in enumerate(list(self.registry.leases.values()), 1):
            if not number % _SLICE:
                self._rest()
            try:
                if self._is_suspect(lease, now, most):
                    suspects.append(lease)
            except Exception as error:  # Of a response unlike all others: it alone.
                self.registry.give_up(lease, "sweep", error)
        few = a_few(suspects) if suspects else []
        for first in range(0, len(few), _SLICE):
            self._rest()
            self._suspects(with_responses(few[first : first + _SLICE]), now)
        self.registry.pools.sweep(now)
        if crowded or self.verdicts.counts[LeakKind.SESSION]:
            self.sessions.sweep(now)

    def _is_suspect(self, lease: Lease, now: float, most: float) -> bool:
        """Whether it stands still: held or dropped, if it is, the next look tells."""
        forgotten = _is_forgotten(lease, now)  # Before we refer to it too.
        response = lease()
        # Dead ones are in the deque. One that another thread finalizes is still
        # referred to, and looks as if the program closed it.
        if response is None or lease.finalizing or lease.ended:
            return False
        if (state := lease.client.state(response)) is _RELEASED:
            self.registry.release(lease)
        elif lease.closed is not None:
            self._overdue(lease, now)
        elif state is _CUT and not lease.finalizing:
            # Not by a finalizer in another thread, meanwhile; we did not see when.
            lease.closed = now
        elif forgotten:
            lease.forgotten = True
            self._bury(lease, now)
        else:
            return _is_idle(lease, response, now, most) and lease.lonely is None
        return False

    def close_scope(self, scope: Scope) -> None:
        """Judge what a scope, at its end, has left open."""
        now = self.registry.clock()
        for lease in self.registry.revived.left(scope):
            self._bury(lease, now)
        self._close(self.registry.left_open(scope))
        self.sessions.sweep(now, scope)
        # Before another thread's sweep finds more for it, which would go unheard.
        scope.over = True

    def close_process(self) -> None:
        """Judge what the process, at its end, has left open and nobody looks after."""
        self._close(left_alone(self.registry))
        self.sessions.sweep(self.registry.clock(), ended=True)

    def _close(self, left: list[Lease]) -> None:
        """Judge what should not be open any more."""
        now = self.registry.clock()
        for lease in left:
            response = lease()
            if response is None:
                # By a collection in another thread, before the callback.
                self._bury(lease, now)
            elif lease.client.state(response) is Ending.RELEASED:
                self.registry.release(lease)
            elif lease.closed is None:
                lease.progressed(response, now)
                if not _was_given_up(lease):
                    self._judge(LeakKind.OPEN, lease, now, response)
            elif lease.pool.block:
                self._judge(LeakKind.UNRELEASED, lease, now)
            else:
                self.registry.finish_closed(lease)
            del response

    def _bury(self, lease: Lease, now: float) -> None:
        """Judge a lease whose response was collected, or might as well be."""
        if self.registry.conclude(lease):
            return
        if _was_given_up(lease) or (lease.closed is not None and not lease.pool.block):
            self.registry.finish_closed(lease)
        elif lease.judged:
            # Said before, as held or open; it is the same leak.
            if lease.pool.block:
                self._lose(lease)
        else:
            dropped = lease.closed is None
            kind = LeakKind.DROPPED if dropped else LeakKind.UNRELEASED
            self._judge(kind, lease, now)

    def _suspects(self, suspects: Suspects, now: float) -> None:
        """Judge the suspects that nobody is reading."""
        busy = being_read(suspects, self.registry.origins)
        here = strand_of(runner())
        while suspects:
            lease, response = suspects.pop()
            # Whoever was given bytes since the sweep came by may be past its read.
            if id(response) in busy or lease.progressed(response, now):
                lease.active = now
                lease.doubted = False
            elif lease.client.state(response) is not Ending.OPEN:
                if not lease.finalizing:
                    lease.closed = now
            elif lease.client.is_async and not (
                lease.doubted or strand_of(lease.runner) == here
            ):
                lease.doubted = True
            else:
                self._judge(LeakKind.HELD, lease, now, response)

    def _overdue(self, lease: Lease, now: float) -> None:
        """Closed, and its connection did not come back within `max_idle`."""
        if lease.closed is None or now - lease.closed < self._settings().max_idle:
            return
        if not lease.pool.block:
            self.registry.finish_closed(lease)
        elif lease.judged:
            self._lose(lease)
        else:
            self._judge(LeakKind.UNRELEASED, lease, now)

    def _judge(
        self, kind: LeakKind, lease: Lease, now: float, response: Any = None
    ) -> None:
        """Count a leak, and report it unless it is excused or not sampled."""
        if lease.ended or not self.verdicts.count(kind, lease):
            return  # It ended while we looked, or is excused.
        if kind is LeakKind.HELD and self._settings().on_held == "close":
            self.held.append(lease)
        elif lease.pool.block and kind in (LeakKind.DROPPED, LeakKind.UNRELEASED):
            self._lose(lease)
        if lease.stack is not None:
            finding = Finding.of_response(kind, lease, now)
            if response is not None and self._settings().explain:
                finding.held_by = self._explainer.explain(lease, response)
            del response  # As long as they take who are told.
            self._found(finding)

    def _lose(self, lease: Lease) -> None:
        """Count the slot of a pool that blocks which a leak has taken, once."""
        if lease.kind is not None and not lease.lost:
            lease.pool.losses.add(lease, lease.site)
            if self._settings().reclaim:
                self.lost.append(lease)


def _may_be_crowded(sessions: Sessions, limit: int | None) -> bool:
    """Whether one line has made more sessions than it may: in most sweeps, none."""
    if sessions.dead:
        sessions.forget_dead()
    lines = list(sessions.lines.values())
    return limit is not None and any(len(line) > limit for line in lines)


def _was_given_up(lease: Lease) -> bool:
    """Whether the client began to read the body, for itself, and gave up.

    The application never had the response in hands.
    """
    return lease.reading and lease.bytes_read > 0


def _is_idle(lease: Lease, response: Any, now: float, most: float) -> bool:
    """Whether an open response made no progress for so many seconds."""
    if lease.progressed(response, now):
        return False
    idle = now - lease.active
    if (
        idle < most / 2
        or lease.judged
        or _was_given_up(lease)
        or lease.status == _SWITCHING_PROTOCOLS
    ):
        return False
    inside = is_read_inside(lease, response)
    if is_read_below(lease, response) or inside:
        lease.active = now
        return False
    return idle >= most


def _is_forgotten(lease: Lease, now: float) -> bool:
    """Whether two looks, one sweep apart, agree that only the client has a response.

    Two looks of a task may be of one turn of its loop, in which nothing comes in.
    """
    before, lonely = lease.lonely, lease.client.is_forgotten(lease)
    if lonely is (before is None):  # To write what is so makes a dict, of 336 bytes.
        lease.lonely = now if lonely else None
    if before is None or not lonely:
        return False
    if lease.arrived is None or now - before >= _ARRIVES_IN:
        return True
    return not isinstance(runner(), tuple)


def _is_doubtful(lease: Lease) -> bool:
    """Whether the loop of an async generator may have a dead response again."""
    codes: Any = (lease.stack or ())[::2]
    for code in codes:  # noqa: SIM110  # `any` of a generator takes twice as long.
        if code.co_flags & CO_ASYNC_GENERATOR:
            return True
    return False
