"""The guard: owns one of each part and is what the patches talk to."""

from __future__ import annotations

import gc
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from .._clients.urllib3.closing import shut
from .._clients.urllib3.response import holds_connection
from .._leases.detector import Detector, Finding
from .._leases.readers import is_read_on
from .._leases.registry import Registry
from .._leases.snapshots import take_counters, take_snapshot
from .._leases.table import LeakTable
from .._metrics.measures import Told, take_measures
from .._model.event import FD_PRESSURE, POOL_PRESSURE, POOL_STARVED
from .._model.snapshot import Counters, Snapshot
from .._pressure.descriptors import Descriptors
from .._pressure.pools import PoolWatch
from .._pressure.shortage import describe_shortage
from .._reporting.context import keep_bound
from .._stacks.ownership import Origins
from .._text.pools import describe_starved
from .dues import Dues
from .reports import Reports
from .strict import crowd_error, leak_error
from .watcher import Watcher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import FrameType

    from urllib3.connectionpool import HTTPConnectionPool
    from urllib3.response import HTTPResponse

    from .._leases.lease import Lease
    from .._leases.sessions import SessionRef
    from .._metrics.measures import Measures
    from .._model.errors import LeakError
    from .._model.scope import Scope
    from .._model.settings import Settings
    from .._pools.pool import PoolRef, Waiter
    from .outbox import Outbox

    Follower = Callable[[LeakTable], None]

# With no watcher thread, guarded calls look at open responses this often.
_LAZY_SWEEP_SECONDS: Final = 5.0
# At exit a sweep and a report under way get this many seconds each to end.
_EXIT_PATIENCE: Final = 1.0
# Nobody waits for ever for another thread's sweep. That one may wait itself: a
# finalizer that the collector runs in the middle of it may ask for a lock (a log
# handler's, most often) which the thread that waits here holds.
_PATIENCE: Final = 10.0
# What a snapshot or a scrape waits: one without the very latest is better than a
# late one.
_GLANCE: Final = 0.2
# Lease times between two sweeps, where monitoring asks for them; a process that
# ends more in that time tells of the latest ones.
_MOST_TIMES: Final = 100_000


class Guard:
    """Everything between `install` and `uninstall`.

    Args:
        settings: What to do.
        outbox: Where reports go.
        clock: Seconds, monotonic; tests inject their own.
        beside: Another guard, whose registry and clock it shares.
    """

    registry: Registry

    def __init__(
        self,
        settings: Settings,
        outbox: Outbox,
        clock: Callable[[], float] = time.monotonic,
        *,
        beside: Guard | None = None,
    ) -> None:
        """Make the parts; nothing is patched yet."""
        self.registry = Registry(clock) if beside is None else beside.registry
        self.outbox = outbox
        self.settings = settings
        self.watcher = Watcher(
            self.watch, settings.check_interval, self._next_look, self._heed
        )
        # Asked after each sweep; for whoever follows the counts, not the events.
        self.follower: Follower | None = None
        self._reset(settings)
        self.configure(settings)
        if beside is not None:
            self.share(beside)
        if self.outbox.observers:
            self.keep_times()

    def _reset(self, settings: Settings) -> None:
        """The state that a forked child starts anew."""
        self.outbox.clear()
        self.detector = Detector(self.registry, settings, keep_bound)
        self.table = LeakTable(self.registry.origins)
        self.told = Told()
        self.pools = PoolWatch(self.registry, settings)
        self.descriptors = Descriptors(self.registry)
        self.reports = Reports(
            self.registry,
            self.detector,
            self.table,
            self.pools,
            self.outbox,
            settings,
        )
        # Held responses that were closed for the program.
        self.shut = 0
        # In strict mode only.
        self._dues = Dues()
        self._sweeping = False
        self._next_sweep = 0.0

    def configure(self, settings: Settings) -> None:
        """Take new settings; what is known stays."""
        self.settings = settings
        self.detector.settings = self.pools.settings = settings
        self.reports.settings = settings
        self.judges_sessions = settings.max_sessions is not None
        self.table.origins = Origins(settings.app)
        self.share(None)
        self.watcher.set_interval(settings.check_interval)
        self._heed()
        # Without a watcher thread, guarded calls do its work.
        self._lazy = settings.check_interval == 0
        self.registry.alert = self._lazy or bool(self._dues)

    def share(self, other: Guard | None) -> None:
        """Have the registry keep what this guard needs, and another one with it.

        Args:
            other: Of a test session, which misses nothing, whatever the program's own
                guard would leave out.
        """
        both = [self.settings] if other is None else [self.settings, other.settings]
        self.registry.configure(
            self.table.origins,
            depth=max(settings.stack_depth for settings in both),
            sample=max(settings.sample for settings in both),
            follow=any(settings.follow_executors for settings in both),
        )

    # What the patches call.

    def before_request(self) -> None:
        """Judge what ended since the last time, and sweep where no thread does.

        Raises:
            LeakError: In strict mode, leaks were found past ``max_leaks``.
        """
        try:
            if self.outbox.busy:
                return
            registry = self.registry
            if self._lazy and registry.clock() >= self._next_sweep:
                self._sweep(self._full_sweep, patience=0)
                self.notify()
            elif registry.dead or registry.resolved:
                self._sweep(self.detector.bury, patience=0)
            self._report()
        except Exception as failure:
            self.step_aside("before_request", failure)
        self._raise_due()

    def attend_to(self, lease: Lease, response: HTTPResponse, *, raising: bool) -> None:
        """A lease was opened: see to it that it is watched, and count.

        Args:
            lease: It.
            response: Its response.
            raising: False where an error of the program is on its way.

        Raises:
            LeakError: In strict mode, it is one more than ``max_open``; it is
                closed.
        """
        self.attend()
        if self.settings.max_open is not None and raising:
            self._check_crowd(lease, response, self.settings.max_open)

    def _heed(self) -> None:
        """Whether new leases matter, now that something has changed."""
        self.attentive = self.watcher.idle or self.settings.max_open is not None
        self.registry.settle()

    def attend(self) -> None:
        """Something happened that a sweep should see: have the watcher run."""
        if self.watcher.idle:
            self.watcher.start()

    def begin_wait(self, pool: PoolRef, frame: FrameType) -> Waiter | None:
        """A request is about to wait for a connection of a blocking pool.

        Args:
            pool: Has nothing to give.
            frame: The innermost frame to keep.

        Returns:
            What `end_wait` takes; None if we failed.
        """
        try:
            waiter = self.pools.begin_wait(pool, frame)
            self.attend()
            soon = self._next_look()
            if soon is not None and soon < self.settings.check_interval:
                self.watcher.hurry()
            if self.settings.reclaim:
                self._sweep(self.detector.bury, patience=0)
                for young in (True, False):
                    if self.pools.is_dry(pool) and self.pools.collect(young=young):
                        self._sweep(self.detector.bury, patience=0)
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

    def explain(self, pool: PoolRef, error: Exception) -> None:
        """Tell the program why its pool is empty, in a note to its error.

        Args:
            pool: Had nothing to give for as long as the program would wait.
            error: urllib3's own, on its way to the program.
        """
        # CPython 3.11 and later.
        add_note = getattr(error, "add_note", None)
        if add_note is None:
            return
        try:
            self._sweep(self.detector.bury, patience=0)
            details = describe_shortage(pool, self.registry, self.registry.clock())
            add_note(f"httpguard: {describe_starved(details)}")
        except Exception as failure:
            self.step_aside("explain", failure)

    def made(self, session: Any, client: str, frame: FrameType) -> None:
        """The program, or a library for it, made a session.

        Args:
            session: Of requests, or a pool manager of urllib3.
            client: Which of the two.
            frame: Where.
        """
        try:
            self.registry.sessions.bury()
            self.registry.add_session(session, client, frame)
        except Exception as error:
            self.step_aside("made", error)

    def own(self, session: SessionRef, pool: HTTPConnectionPool) -> None:
        """A session made a pool, for its first request to a host."""
        try:
            registry = self.registry
            now = registry.clock()
            count = registry.sessions.own(session, registry.pools.meet(pool, now), now)
            limit = self.settings.max_sessions
            if limit is not None and count > limit:
                self.attend()
                # They may be gone by the next sweep; and each look costs a walk over
                # all of them.
                if count % limit == 1 % limit:
                    self._sweep(self.detector.crowded_sessions, patience=0)
                    self._report()
        except Exception as error:
            self.step_aside("own", error)

    def step_aside(self, where: str, error: Exception) -> None:
        """Something of ours failed: say so once, and leave the program alone."""
        self.outbox.step_aside(where, error)

    # What the API calls.

    def check(self) -> Snapshot:
        """Sweep now, and in strict mode raise what is due."""
        self.watch()
        self._raise_due()
        return self.snapshot()

    def watch(self) -> None:
        """Sweep and report. It never raises: the application's thread does."""
        try:
            if self.settings.reclaim and self.registry.waiters:
                self.pools.collect_for_waiters()
            self._sweep(self._full_sweep)
            self._report()
            if self.follower is not None:
                self.follower(self.table)
            self.notify()
        except Exception as error:
            self.step_aside("watch", error)

    def snapshot(self, most: int | None = None) -> Snapshot:
        """What is known now. Judges the collected, reports nothing.

        Args:
            most: Describe no more leaks and no more open responses; None: all.
        """
        try:
            self._sweep(self.detector.bury, patience=_GLANCE)
            return take_snapshot(
                self.registry,
                self.detector,
                self.table,
                most=most,
                **self._tallies(),
            )
        except Exception as error:
            self.step_aside("snapshot", error)
            return Snapshot(counters=Counters(errors=self.outbox.errors))

    def measures(self) -> Measures | None:
        """What monitoring is told now; None if that fails. Reports nothing."""
        try:
            self._sweep(self.detector.bury, patience=_GLANCE)
            counters = take_counters(
                self.registry, self.detector, self.table, **self._tallies()
            )
            return take_measures(
                self.registry,
                self.detector,
                self.table,
                self.told,
                counters,
                holds_connection,
            )
        except Exception as error:
            self.step_aside("measures", error)
            return None

    def keep_times(self) -> None:
        """From now on, keep how long leases took, for the observers."""
        if self.registry.times is None:
            self.registry.times = deque(maxlen=_MOST_TIMES)

    def notify(self) -> None:
        """Tell the monitoring systems that follow."""
        if self.outbox.observers:
            self.outbox.notify(self, self.registry.take_times())

    def touch(self, response: Any) -> bool:
        """Restart a response's idle clock; whether it is open and guarded."""
        try:
            lease = self.registry.get(response)
            if lease is None:
                lease = self.registry.get(getattr(response, "raw", None))
            if lease is None or lease.closed is not None:
                return False
            lease.active = self.registry.clock()
        except Exception as error:
            self.step_aside("touch", error)
            return False
        return True

    def bury(self, scope: Scope) -> None:
        """Judge what was collected, cycles of a scope included. Reports, raises not.

        Args:
            scope: What its code has dropped in cycles is collected.
        """
        try:
            self._sweep(self.detector.bury)
            if self.detector.left_open(scope):
                gc.collect()
                self._sweep(self.detector.bury)
            self.outbox.flush()
        except Exception as error:
            self.step_aside("bury", error)

    def close_scope(self, scope: Scope, *, raising: bool) -> None:
        """Judge what a `no_leaks` scope leaves.

        Args:
            scope: It has ended.
            raising: Whether to raise, or only to report.

        Raises:
            LeakError: Leaks of the scope that were not raised before.
        """
        error = None
        try:
            self._sweep(self.detector.bury)
            if self.detector.is_left(scope):
                gc.collect()
                self._sweep(self.detector.bury)
            self._sweep(lambda: self.detector.close_scope(scope))
            self.outbox.flush()
        except Exception as failure:
            self.step_aside("close_scope", failure)
        scope.over = True  # Whatever failed above.
        try:
            error = self._scope_error(scope, raising=raising)
        except Exception as failure:
            self.step_aside("no_leaks", failure)
        if error is not None:
            raise error

    def _scope_error(self, scope: Scope, *, raising: bool) -> LeakError | None:
        """What a scope that has ended is to raise; or its parent gets to know."""
        findings = [finding for finding in scope.findings if not finding.raised]
        if findings and raising:
            limit = "in a scope that promised none"
            return leak_error(findings, limit, self.registry.origins)
        outer = scope.parent.promise if scope.parent is not None else None
        if outer is not None:
            outer.findings += findings
        return None

    def finish(self, *, is_scope: bool = False) -> None:
        """The interpreter exits: judge what was dropped before, sum up, stop.

        Args:
            is_scope: Whether what is still open is a leak.
        """
        try:
            if self.registry.leases or self.registry.sessions.users:
                # Garbage in cycles was dropped before the exit, not by it.
                gc.collect()
            self._sweep(self.detector.bury, patience=_EXIT_PATIENCE)
            if is_scope:
                self._sweep(self.detector.close_process, patience=_EXIT_PATIENCE)
            self.watcher.set_interval(0, patience=_EXIT_PATIENCE)
            self.reports.summarize()
            self.outbox.flush()
            self.notify()
        except Exception as error:
            self.step_aside("finish", error)

    def after_fork_in_child(self) -> None:
        """The leases, leaks and threads are the parent's."""
        try:
            self.registry.clear()
            self._reset(self.settings)
            self.watcher.forget()
        except Exception as error:
            self.step_aside("fork", error)

    # Inside.

    def _sweep(
        self, judge: Callable[[], Iterable[Finding]], *, patience: float | None = None
    ) -> None:
        """Judge, one thread at a time, and put what was found in the outbox.

        Nothing is logged under the lock: a log handler may wait for a thread
        that waits for the lock.

        Args:
            judge: What to run under the lock.
            patience: Seconds to wait for the lock; then nothing is judged.

        Raises:
            TimeoutError: No patience was given, and the usual one was in vain.
        """
        faults = self.registry.faults
        while faults:
            with suppress(IndexError):  # Another thread took the last one.
                self.step_aside(*faults.popleft())
        lock = self.registry.judging
        if not lock.acquire(timeout=_PATIENCE if patience is None else patience):
            if patience is None:
                msg = f"another thread has been in a sweep for {_PATIENCE:g} s"
                raise TimeoutError(msg)
            return
        try:
            if self._sweeping:
                return
            self._sweeping = True
            try:
                for finding in judge():
                    self._found(finding)
                self.reports.note_resolved()
            finally:
                self._sweeping = False
        finally:
            lock.release()
        if self.detector.lost:
            while self.detector.lost:
                self.pools.owed.append(self.detector.lost.popleft())
        if self.pools.owed:
            self.pools.give_back()

    def _full_sweep(self) -> Iterable[Finding]:
        """Look at everything: what died, what is open, what is due to be said."""
        now = self.registry.clock()
        self._next_sweep = now + (self.settings.check_interval or _LAZY_SWEEP_SECONDS)
        yield from self.detector.sweep()
        # What was held back because the last report was too fresh.
        for group in self.table.groups():
            self.reports.leaked(group)
        for details in self.pools.starving(now):
            self.reports.detail(POOL_STARVED, details)
        for details in self.pools.pressed_hard(now):
            self.reports.detail(POOL_PRESSURE, details)
        pressure = self.descriptors.look(now)
        if pressure is not None:
            self.reports.detail(FD_PRESSURE, pressure)

    def _found(self, finding: Finding) -> None:
        """Take a finding into the table, its scope and the outbox."""
        group = self.table.add(finding)
        if self.settings.strict:
            self._dues.add(finding)
            self.registry.alert = True
        promise = finding.scope.promise if finding.scope is not None else None
        if promise is not None:
            promise.findings.append(finding)
        # The table keeps the finding, and shall not keep the scope.
        finding.scope = None
        self.reports.leaked(group)

    def _report(self) -> None:
        """Send what is due; then, where that is asked for, close what is held."""
        self.outbox.flush()
        held = self.detector.held
        while held:
            lease = held.popleft()
            response = lease()
            if response is None or lease.ended or lease.closed is not None:
                continue
            if is_read_on(response, lease.bytes_read - lease.chunked):
                continue
            lease.ended = True
            self.registry.discard(lease)
            self.shut += 1
            shut(response)

    def _next_look(self) -> float | None:
        """When the watcher should look the next time, if there is a reason."""
        return self.pools.next_look(self.registry.clock())

    def _tallies(self) -> dict[str, int]:
        """Those counters of the snapshot that are kept here."""
        return {
            "too_many_open": self.reports.overruns.value,
            "pool_starved": self.pools.starved,
            "held_closed": self.shut,
            "errors": self.outbox.errors,
        }

    def _raise_due(self) -> None:
        """Raise what is due in this thread."""
        error = None
        try:
            error = self._due_error()
        except Exception as failure:
            self.step_aside("strict", failure)
        if error is not None:
            raise error

    def _due_error(self) -> LeakError | None:
        """In strict mode, past ``max_leaks``, each leak once."""
        if not self._dues or not self.settings.strict:
            return None
        limit = self.settings.max_leaks
        if self.table.total <= limit:
            return None
        # No lock: on the request path nobody waits for a sweep.
        findings = self._dues.take()
        self.registry.alert = self._lazy
        if self._dues:  # Found meanwhile, and perhaps before the line above.
            self.registry.alert = True
        if not findings:
            return None
        return leak_error(findings, f"max_leaks={limit}", self.registry.origins)

    def _check_crowd(self, lease: Lease, response: HTTPResponse, limit: int) -> None:
        """Whether the response just opened is one too many."""
        if len(self.registry.leases) <= limit:
            return
        try:
            crowd = self.detector.crowd()
            if len(crowd) <= limit or not any(one is lease for one in crowd):
                return
            now = self.registry.clock()
            responses = self.reports.overrun(crowd, limit, now)
            if not self.settings.strict:
                return
            error = crowd_error(crowd, responses, limit, self.registry.origins, now)
            lease.ended = True
            self.registry.discard(lease)
            response.close()
            response.release_conn()
        except Exception as failure:
            self.step_aside("max_open", failure)
            return
        raise error
