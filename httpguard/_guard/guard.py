"""The guard: everything between `install` and `uninstall`."""

from __future__ import annotations

import gc
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Final, Protocol

from .._leases.lease import lease_of
from .._leases.registry import Registry
from .._leases.snapshots import count_responses, take_counters, take_snapshot
from .._metrics.measures import take_measures
from .._model.snapshot import Counters, Snapshot
from .calls import Calls
from .parts import Parts
from .scopes import Scopes

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._leases.registry import Digest
    from .._leases.table import LeakTable
    from .._metrics.measures import Measures
    from .._model.settings import Settings
    from .reports import Outbox

# At exit a sweep and a report under way get this many seconds each to end.
_EXIT_PATIENCE: Final = 1.0
# What a snapshot waits: one without the very latest is better than a late one.
_GLANCE: Final = 0.2
# Lease times between two sweeps, where monitoring asks for them; a process that
# ends more in that time tells of the latest ones.
_MOST_TIMES: Final = 100_000


class CountsObserver(Protocol):
    """Told the counts, not the events."""

    def __call__(self, table: LeakTable, responses: int, *, ended: bool) -> None:
        """At the first response, after each sweep, and once at the end.

        Args:
            responses: How many there were until now.
            ended: Whether the process ends.
        """


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
        parts = Parts(registry, settings, outbox, watch=self.watch, notify=self.notify)
        super().__init__(parts)
        self.scopes = Scopes(parts)
        self.counts_observer: CountsObserver | None = None
        parts.watcher.changed = self._heed
        self.configure(settings)
        if beside is not None:
            self.share(beside)
        if outbox.observers.members:
            self.keep_times()

    @property
    def settings(self) -> Settings:
        return self.parts.settings

    def share(self, other: Guard | None) -> None:
        """Have the registry keep what another guard needs too; None: there is none."""
        self.parts.share(None if other is None else other.settings)

    @property
    def table(self) -> LeakTable:
        """What leaked, by site."""
        return self.parts.table

    def configure(self, settings: Settings) -> None:
        """Take new settings; what is known stays."""
        self.parts.settings = settings
        self.judges_sessions = settings.max_sessions is not None
        self.reclaims = settings.reclaim
        self.parts.configure()
        self._heed()
        if self.registry.leases:
            self.attend()

    def check(self) -> Snapshot:
        self.watch()
        if self.parts.settings.strict:
            self.parts.raise_due(everybody=True)
        return self.snapshot()

    def watch(self) -> None:
        """Sweep and report. It never raises: the application's thread does."""
        parts = self.parts
        try:
            if parts.settings.reclaim and self.registry.waiters:
                parts.pools.collect_for_waiters()
            parts.sweep(parts.everything)
            parts.outbox.flush()
            if parts.detector.held:
                parts.close_held()
            if self.counts_observer is not None:
                self._tell_counts_observer(self.counts_observer, ended=False)
            if parts.outbox.observers.members:
                self.notify()
        except Exception as error:
            self.step_aside("watch", error)

    def snapshot(self, most: int | None = None) -> Snapshot:
        """What is known now. Judges the collected, reports nothing.

        Args:
            most: Describe no more leaks and no more open responses; None: all.
        """
        parts = self.parts
        try:
            parts.sweep(parts.detector.bury, patience=_GLANCE)
            return take_snapshot(
                self.registry,
                parts.detector.verdicts,
                parts.table,
                most=most,
                pool_starved=parts.pools.starved,
                errors=parts.outbox.errors,
            )
        except Exception as error:
            self.step_aside("snapshot", error)
            return Snapshot(counters=Counters(errors=parts.outbox.errors))

    def measures(self) -> Measures | None:
        """What monitoring is told now; None if that fails. Reports nothing."""
        parts = self.parts
        try:
            parts.sweep(parts.detector.bury, patience=_GLANCE)
            verdicts, table = parts.detector.verdicts, parts.table
            counters = take_counters(
                self.registry,
                verdicts,
                table,
                pool_starved=parts.pools.starved,
                errors=parts.outbox.errors,
            )
            return take_measures(self.registry, verdicts, table, parts.told, counters)
        except Exception as error:
            self.step_aside("measures", error)
            return None

    def keep_times(self) -> None:
        """From now on, keep how long leases took, for the observers."""
        if self.registry.times is None:
            self.registry.times = deque(maxlen=_MOST_TIMES)

    def notify(self) -> None:
        outbox = self.parts.outbox
        if outbox.observers.members:
            outbox.notify(self, self.registry.take_times())

    def touch(self, response: Any) -> bool:
        """Restart a response's idle clock; whether it is open and guarded."""
        try:
            lease = lease_of(response)
            # Of requests' response, and of urllib.request's error.
            for name in ("raw", "fp"):
                if lease is None:
                    lease = lease_of(getattr(response, name, None))
            if lease is None or lease.closed is not None:
                return False
            lease.active = self.registry.clock()
        except Exception as error:
            self.step_aside("touch", error)
            return False
        return True

    def finish(self, *, is_scope: bool = False) -> None:
        """The interpreter exits: judge what was dropped before, sum up, stop.

        Args:
            is_scope: Whether what is still open is a leak.
        """
        parts = self.parts
        try:
            if self.registry.leases or self.registry.sessions.lines:
                # Garbage in cycles was dropped before the exit, not by it.
                gc.collect()
            parts.sweep(parts.everything, patience=_EXIT_PATIENCE)
            if is_scope:
                parts.sweep(parts.detector.close_process, patience=_EXIT_PATIENCE)
            parts.watcher.set_interval(0, patience=_EXIT_PATIENCE)
            parts.reports.summarize()
            parts.outbox.flush()
            if self.counts_observer is not None:
                self._tell_counts_observer(self.counts_observer, ended=True)
            self.notify()
        except Exception as error:
            self.step_aside("finish", error)

    # A part of the process's state, for which a fork matters: see `Forked`.

    def pause(self) -> None:
        self.parts.watcher.pause()

    def resume(self) -> None:
        self.parts.watcher.resume()

    def forget(self) -> None:
        """In the child: leaks and threads are the parent's; the registry is empty."""
        self.parts.begin()
        self.parts.watcher.forget()
        self.parts.settle_alert()

    def attend(self) -> None:
        """See `Calls`. A process that ends before any sweep has told that it began."""
        if self.parts.watcher.idle:
            super().attend()
            try:
                if self.counts_observer is not None:
                    self._tell_counts_observer(self.counts_observer, ended=False)
            except Exception as error:
                self.step_aside("counts", error)

    def _tell_counts_observer(self, observer: CountsObserver, *, ended: bool) -> None:
        observer(self.parts.table, count_responses(self.registry), ended=ended)

    def _heed(self) -> None:
        """Whether new leases matter, now that something has changed."""
        settings = self.parts.settings
        self.attentive = self.parts.watcher.idle or settings.max_open is not None
        self.registry.settle()
