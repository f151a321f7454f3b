"""The guard: everything between `install` and `uninstall`."""

from __future__ import annotations

import gc
import time
from typing import TYPE_CHECKING, Final

from .._leases.registry import Registry
from .._leases.snapshots import take_counters, take_snapshot
from .._metrics.measures import take_measures
from .._model.snapshot import Counters, Snapshot
from .._model.tally import drain
from .calls import Calls
from .scopes import Scopes

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._leases.lease import Finding
    from .._leases.registry import Digest
    from .._metrics.measures import Measures
    from .._model.settings import Settings
    from .outbox import Outbox

# At exit a sweep and a report under way get this many seconds each to end.
_EXIT_PATIENCE: Final = 1.0
# What a snapshot waits: one without the very latest is better than a late one.
_GLANCE: Final = 0.2
# Nobody waits for ever for another thread's sweep. That one may wait itself: a
# finalizer that the collector runs in the middle of it may ask for a lock (a log
# handler's, most often) which the thread that waits here holds.
_PATIENCE: Final = 10.0
# With no watcher thread, guarded calls look at open responses this often.
_LAZY_SECONDS: Final = 5.0


class Guard(Calls):
    """Everything between `install` and `uninstall`.

    Args:
        clock: Seconds, monotonic; tests inject their own.
        addresses: Host and port of our own pages.
        digest: What the log context has bound at this moment.
        beside: Another guard, whose registry and clock it shares.
    """

    def __init__(
        self,
        settings: Settings,
        outbox: Outbox,
        clock: Callable[[], float] = time.monotonic,
        *,
        addresses: set[tuple[str, int | None]],
        digest: Digest,
        beside: Guard | None = None,
    ) -> None:
        registry = beside.registry if beside else Registry(clock, addresses, digest)
        super().__init__(registry, settings, outbox)
        self.scopes = Scopes(self)
        if beside is not None:
            self.share(beside)

    def check(self) -> Snapshot:
        self.watch()
        if self.settings.strict:
            self.raise_due(everybody=True)
        return self.snapshot()

    def watch(self) -> None:
        """Sweep and report. It never raises: the application's thread does."""
        try:
            if self.settings.reclaim and self.registry.waiters:
                self.pools.collect_for_waiters()
            self.sweep(self.everything)
            self.outbox.flush()
            if self.detector.held:
                self.close_held()
            if self.counts_observer is not None:
                self.tell_counts(ended=False)
            self.notify()
        except Exception as error:
            self.step_aside("watch", error)

    def snapshot(self, most: int | None = None) -> Snapshot:
        """What is known now. Judges the collected, reports nothing.

        Args:
            most: Describe no more leaks and no more open responses; None: all.
        """
        try:
            self._glance()
            return take_snapshot(
                self.registry,
                self.detector.verdicts,
                self.table,
                most=most,
                pool_starved=self.pools.starved,
                errors=self.outbox.errors,
            )
        except Exception as error:
            self.step_aside("snapshot", error)
            return Snapshot(counters=Counters(errors=self.outbox.errors))

    def measures(self) -> Measures | None:
        """What monitoring is told now; None if that fails. Reports nothing."""
        try:
            self._glance()
            verdicts, table = self.detector.verdicts, self.table
            counters = take_counters(
                self.registry,
                verdicts,
                table,
                pool_starved=self.pools.starved,
                errors=self.outbox.errors,
            )
            return take_measures(self.registry, verdicts, table, self.told, counters)
        except Exception as error:
            self.step_aside("measures", error)
            return None

    def _glance(self) -> None:
        """Judge what has ended since the last sweep, if anything has."""
        registry = self.registry
        if (
            self.sweeping
            or registry.dead
            or registry.faults
            or registry.resolved
            or registry.sessions.resolved
        ):
            self.sweep(self.detector.bury, patience=_GLANCE)

    def sweep(
        self, judge: Callable[[], None], *, patience: float | None = None
    ) -> None:
        """Judge, one thread at a time; then give back the slots that this has freed.

        A log handler may wait for a thread that waits for the lock: that is why
        nothing is logged under it.

        Args:
            judge: What to run under the lock.
            patience: Seconds to wait for the lock; then nothing is judged.

        Raises:
            TimeoutError: No patience was given, and the usual one was in vain.
        """
        if self.registry.faults:
            for fault in drain(self.registry.faults):
                self.step_aside(*fault)
        lock = self.registry.judging
        if lock.acquire(timeout=_PATIENCE if patience is None else patience):
            try:
                self._judge(judge)
            finally:
                lock.release()
        elif patience is None:
            msg = f"another thread has been in a sweep for {_PATIENCE:g} s"
            raise TimeoutError(msg)
        if self.detector.lost:
            self.pools.owed.extend(drain(self.detector.lost))
        if self.pools.owed:
            self.pools.give_back()

    def _judge(self, judge: Callable[[], None]) -> None:
        if self.sweeping:
            return  # A finalizer that runs inside of a sweep has asked for one.
        self.sweeping = True
        try:
            judge()
            if self.registry.resolved or self.registry.sessions.resolved:
                self.reports.note_resolved()
                self.settle_alert()
        finally:
            self.sweeping = False

    def everything(self) -> None:
        """Look at everything: what died, what is open, what is due to be said."""
        if self.watcher.clock() > self.watcher.wakes:
            self.watcher.look_back()
        now = self.registry.clock()
        self.next_sweep = now + (self.settings.check_interval or _LAZY_SECONDS)
        self.detector.sweep()
        self.reports.say_what_is_due(now, self.descriptors.look(now))

    def found(self, finding: Finding) -> None:
        """Take a finding into the table and its scope, and report it."""
        group = self.table.add(finding)
        if self.settings.strict:
            self.pending.add(finding)
            self.settle_alert()
        promise = finding.scope.promise if finding.scope is not None else None
        if promise is not None:
            promise.findings.append(finding)
        # The table keeps the finding, and shall not keep the scope.
        finding.scope = None
        self.reports.leaked(group)

    def opened(self) -> None:
        """A request opens connections: now and then, see how many the process has."""
        descriptors = self.descriptors
        try:
            if next(descriptors.glances) % descriptors.every:
                return
            pressure = descriptors.look(self.registry.clock())
            if pressure is not None:
                self.reports.pressure(pressure)
                self.outbox.flush()
        except Exception as error:
            self.step_aside("descriptors", error)

    def notify(self) -> None:
        if self.outbox.observers.members:
            self.outbox.notify(self, self.registry.take_times())

    def finish(self, *, is_scope: bool = False) -> None:
        """The interpreter exits: judge what was dropped before, sum up, stop.

        Args:
            is_scope: Whether what is still open is a leak.
        """
        try:
            if self.registry.leases or self.registry.sessions.lines:
                # Garbage in cycles was dropped before the exit, not by it.
                gc.collect()
            self.sweep(self.everything, patience=_EXIT_PATIENCE)
            if is_scope:
                self.sweep(self.detector.close_process, patience=_EXIT_PATIENCE)
            self.watcher.set_interval(0, patience=_EXIT_PATIENCE)
            self.reports.summarize()
            self.outbox.flush()
            self.tell_counts(ended=True)
            self.notify()
        except Exception as error:
            self.step_aside("finish", error)
