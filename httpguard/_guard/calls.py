"""What the wrappers of clients, and `touch`, tell the guard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .._leases.lease import lease_of
from .._pressure.shortage import describe_shortage
from .._text.pools import describe_starved
from .parts import Parts
from .strict import crowd_error

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from .._leases.client import Client
    from .._leases.detector import Detector
    from .._leases.lease import Lease
    from .._leases.registry import Registry
    from .._leases.sessions import SessionRef
    from .._model.settings import Settings
    from .._pools.pool import PoolRef
    from .._pools.waits import Share, Waiter
    from .._stacks.raw import RawStack
    from .outbox import Outbox

# A pool that is out of connections is looked at once in so many seconds: a storm of
# timeouts is when a program can least pay for it.
_OFTEN: Final = 1.0
# What a response, or an error or a stream of a library around one, has its own in: of
# requests, urllib.request, httpx and what is below it, httpx-aiohttp, botocore, openai.
_WITHIN: Final = (
    *("raw", "fp", "stream", "_stream", "_aiohttp_response", "_raw_stream"),
    "response",
)
_MOST_STEPS: Final = 6
# A count costs up to 9 us for each open response: past so many of them one is worth
# that many openings less.
_SHARE: Final = 32


def _lease_within(response: Any) -> Lease | None:
    """The lease of a response, or of the one that it has within."""
    for _ in range(_MOST_STEPS):
        lease = lease_of(response)
        if lease is not None:
            return lease
        found = (getattr(response, name, None) for name in _WITHIN)
        response = next((one for one in found if one is not None), None)
    return None


class Calls(Parts):
    """A part of `Guard`: what the wrappers see. Nothing but `LeakError` ever rises."""

    if TYPE_CHECKING:

        def sweep(
            self, judge: Callable[[], None], *, patience: float | None = None
        ) -> None: ...

        def everything(self) -> None: ...

        def notify(self) -> None: ...

    def __init__(self, registry: Registry, settings: Settings, outbox: Outbox) -> None:
        self._crowd = Crowd(registry)
        super().__init__(registry, settings, outbox)

    def before_request(self) -> None:
        """Judge what ended since the last time, and sweep where no thread does.

        Raises:
            LeakError: In strict mode, this thread's leaks past ``max_leaks``.
        """
        try:
            if self.outbox.busy:
                return
            registry = self.registry
            if self.is_lazy and registry.clock() >= self.next_sweep:
                self.sweep(self.everything, patience=0)
                self.notify()
            elif registry.dead or registry.resolved:
                self.sweep(self.detector.bury, patience=0)
            self.outbox.flush()
            if self.detector.held:
                self.close_held()
        except Exception as failure:
            self.step_aside("before_request", failure)
        self.raise_due(everybody=False)

    def attend_to(self, lease: Lease, response: Any, *, raising: bool = True) -> None:
        """A lease was opened: see to it that it is watched, and count.

        In strict mode it raises `LeakError` where it is one more than ``max_open``; it
        is closed.
        """
        if self.watcher.idle:
            self.attend()
        limit = self.settings.max_open
        if limit is not None and raising and len(self.registry.leases) > limit:
            self._check_crowd(lease, response, limit)

    def attend(self) -> None:
        """Something happened that a sweep should see: have the watcher run.

        A process that ends before any sweep has told that it began.
        """
        if self.watcher.idle:
            self.watcher.start()
            try:
                self.tell_counts(ended=False)
            except Exception as error:
                self.step_aside("counts", error)

    def begin_wait(
        self,
        pool: PoolRef,
        frame: FrameType,
        stack: RawStack | None = None,
        share: Share | None = None,
    ) -> Waiter | None:
        """A request is about to wait for a connection of a blocking pool.

        Arguments as of `PoolWatch.begin_wait`. The answer is None if we failed.
        """
        try:
            waiter = self.pools.begin_wait(pool, frame, stack, share)
            self.attend()
            soon = self.pools.next_look()
            if soon is not None and soon < self.settings.check_interval:
                self.watcher.hurry()
            if self.settings.reclaim:
                self.sweep(self.detector.bury, patience=0)
                for young in (True, False):
                    if self.pools.is_dry(pool) and self.pools.collect(young=young):
                        self.sweep(self.detector.bury, patience=0)
        except Exception as error:
            self.step_aside("begin_wait", error)
            return None
        return waiter

    def end_wait(self, waiter: Waiter | None) -> None:
        """A request got its connection, or an error."""
        if waiter is not None:
            try:
                self.pools.end_wait(waiter)
            except Exception as error:
                self.step_aside("end_wait", error)

    def explain(
        self, pool: PoolRef, error: BaseException, share: Share | None = None
    ) -> None:
        """Tell the program why its pool is empty, in a note to its error."""
        if not hasattr(error, "add_note"):  # CPython 3.11 and later.
            return
        try:
            now, (when, note) = self.registry.clock(), pool.note
            if now - when >= _OFTEN or (share or pool).name not in note:
                self.sweep(self.detector.bury, patience=0)
                details = describe_shortage(pool, self.registry, now, share)
                note = f"httpguard: {describe_starved(details)}"
                pool.note = (now, note)
            error.add_note(note)
        except Exception as failure:
            self.step_aside("explain", failure)

    def made(
        self, session: Any, client: Client, frame: FrameType, *, lonely: bool = False
    ) -> SessionRef | None:
        """The program, or a library for it, made a session.

        Arguments as of `Registry.add_session`, whose answer it is; None if we failed.
        """
        try:
            return self.registry.add_session(session, client, frame, lonely=lonely)
        except Exception as error:
            self.step_aside("made", error)
            return None

    def own(self, session: SessionRef, pool: PoolRef) -> None:
        """A session made a pool, for its first request to a host."""
        try:
            registry = self.registry
            count = registry.sessions.own(session, pool, registry.origins)
            limit = self.settings.max_sessions
            if limit is not None and count > limit:
                self.attend()
        except Exception as error:
            self.step_aside("own", error)

    def touch(self, response: Any) -> bool:
        """Restart a response's idle clock; whether it is open and guarded."""
        try:
            lease = _lease_within(response)
            if lease is None or lease.closed is not None:
                return False
            lease.active = self.registry.clock()
        except Exception as error:
            self.step_aside("touch", error)
            return False
        return True

    def _check_crowd(self, lease: Lease, response: Any, limit: int) -> None:
        """Whether the response just opened is one too many."""
        strict = self.settings.strict
        try:
            guess = None if strict else self._crowd.guess(lease, limit, self.detector)
            if guess:
                self.detector.verdicts.overruns.add()
            if guess is not None:
                return
            crowd = self.detector.verdicts.crowd()
            self._crowd.note(len(crowd), limit)
            if len(crowd) <= limit or not any(one is lease for one in crowd):
                return
            responses = self.reports.overrun(crowd, limit, described=strict)
            if not strict:
                return
            now = self.registry.clock()
            origins = self.registry.origins
            error = crowd_error(crowd, responses, limit, origins, now)
            lease.ended = True
            self.registry.discard(lease)
            if not lease.client.is_async:  # Else its wrapper does.
                response.close()
                lease.client.release(response)
        except Exception as failure:
            self.step_aside("max_open", failure)
            return
        raise error


class Crowd:
    """What the last count has found, for as long as that tells enough.

    No lock: two threads at once count twice.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._counted = range(0)
        self._limit = 0
        self._ended = 0
        self._spare = 0

    def guess(self, lease: Lease, limit: int, detector: Detector) -> bool | None:
        """Whether more than the limit are open; None: that has to be counted.

        Args:
            lease: Just opened; False where it does not count.
            limit: ``max_open``.
        """
        opened, over = self._registry.opened.value, self._spare > 0
        if limit != self._limit or opened not in self._counted:
            return None
        # As many less, and they may be too many no more.
        if over and opened - len(self._registry.leases) - self._ended >= self._spare:
            return None
        return over and not lease.reading and not detector.verdicts.excuses(lease)

    def note(self, count: int, limit: int) -> None:
        """So many were counted."""
        opened, leases = self._registry.opened.value, len(self._registry.leases)
        self._limit = limit
        self._ended = opened - leases
        self._spare = count - limit
        self._counted = range(opened, opened + max(leases // _SHARE, limit - count) + 1)
