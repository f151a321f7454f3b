"""The parts of a guard, and what they do together: sweep, report, raise."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from .._clients import client_packages
from .._leases.detector import Detector
from .._leases.readers import is_read_on
from .._leases.table import LeakTable
from .._leases.threads import runner
from .._metrics.measures import Told
from .._model.tally import drain
from .._pressure.descriptors import Descriptors
from .._pressure.pools import PoolWatch
from .._stacks.ownership import Origins
from .reports import Reports
from .strict import Pending, leak_error
from .watcher import Watcher

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._leases.lease import Finding, Lease
    from .._leases.registry import Registry
    from .._model.settings import Settings
    from .reports import Outbox

    Find = Callable[[], Settings]

# Nobody waits for ever for another thread's sweep. That one may wait itself: a
# finalizer that the collector runs in the middle of it may ask for a lock (a log
# handler's, most often) which the thread that waits here holds.
PATIENCE: Final = 10.0
# With no watcher thread, guarded calls look at open responses this often.
_LAZY_SECONDS: Final = 5.0
_NOTE: Final = (
    "httpguard closed this response, since nothing was read from it for max_idle"
    " seconds: on_held='close' (HTTPGUARD_ON_HELD)"
)


class Parts:
    """One of each part of a guard; its watcher calls `watch`."""

    def __init__(
        self,
        registry: Registry,
        settings: Settings,
        outbox: Outbox,
        *,
        watch: Callable[[], None],
        notify: Callable[[], None],
    ) -> None:
        self.registry = registry
        self.settings = settings
        self.outbox = outbox
        self.notify = notify
        self.watcher = Watcher(
            watch,
            settings.check_interval,
            lambda: self.pools.next_look(),  # noqa: PLW0108  # Those of the moment.
            registry.stood_still,
        )
        self.begin()

    def begin(self) -> None:
        """The state that a forked child starts anew."""
        registry = self.registry
        settings: Find = partial(getattr, self, "settings")
        self.outbox.clear()
        self.detector = Detector(registry, settings, self._found, self.watcher.rest)
        self.table = LeakTable(registry.origins)
        self.pools = PoolWatch(registry, settings)
        self.descriptors = Descriptors(registry)
        self.reports = Reports(
            registry,
            self.detector.verdicts,
            self.table,
            self.pools,
            self.outbox,
            settings,
        )
        self.told = Told()
        self.pending = Pending()
        self.next_sweep = 0.0
        self._sweeping = False

    @property
    def is_lazy(self) -> bool:
        """Whether guarded calls do the work of a watcher thread."""
        return self.settings.check_interval == 0

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
                self.outbox.step_aside(*fault)
        lock = self.registry.judging
        if lock.acquire(timeout=PATIENCE if patience is None else patience):
            try:
                self._judge(judge)
            finally:
                lock.release()
        elif patience is None:
            msg = f"another thread has been in a sweep for {PATIENCE:g} s"
            raise TimeoutError(msg)
        if self.detector.lost:
            self.pools.owed.extend(drain(self.detector.lost))
        if self.pools.owed:
            self.pools.give_back()

    def _judge(self, judge: Callable[[], None]) -> None:
        if self._sweeping:
            return  # A finalizer that runs inside of a sweep has asked for one.
        self._sweeping = True
        try:
            judge()
            if self.registry.resolved or self.registry.sessions.resolved:
                self.reports.note_resolved()
                self.settle_alert()
        finally:
            self._sweeping = False

    def everything(self) -> None:
        """Look at everything: what died, what is open, what is due to be said."""
        if self.watcher.clock() > self.watcher.wakes:
            self.watcher.look_back()
        now = self.registry.clock()
        self.next_sweep = now + (self.settings.check_interval or _LAZY_SECONDS)
        self.detector.sweep()
        self.reports.say_what_is_due(now, self.descriptors.look(now))

    def close_held(self) -> None:
        """Close what is held and was reported, since that is asked for."""
        for lease in drain(self.detector.held):
            self.detector.verdicts.shut += _close_held(lease, self.registry)

    def settle_alert(self) -> None:
        """Whether guarded calls have to report in although nobody died."""
        self.registry.alert = (
            self.is_lazy
            or bool(self.registry.resolved)
            or (
                self.settings.strict
                and self.table.total > self.settings.max_leaks
                and self.pending.awaited()
            )
        )

    def raise_due(self, *, everybody: bool) -> None:
        """In strict mode, past ``max_leaks``, raise each leak once.

        Args:
            everybody: All that is due, not only what was opened by what runs now.

        Raises:
            LeakError: Something is due.
        """
        error = None
        try:
            limit = self.settings.max_leaks
            if self.settings.strict and self.pending and self.table.total > limit:
                # No lock: on the request path nobody waits for a sweep.
                findings = self.pending.take(None if everybody else runner())
                self.settle_alert()
                if findings:
                    promised, origins = f"max_leaks={limit}", self.registry.origins
                    error = leak_error(findings, promised, origins)
        except Exception as failure:
            self.outbox.step_aside("strict", failure)
        if error is not None:
            raise error

    def configure(self) -> None:
        """Tell the registry how stacks are kept by these settings."""
        self.table.origins = Origins(
            self.settings.app, client_packages(self.settings.vendored)
        )
        self.share(None)
        self.watcher.set_interval(self.settings.check_interval)
        self.settle_alert()

    def share(self, other: Settings | None) -> None:
        """Have the registry keep what this guard needs, and another one with it.

        Args:
            other: Of a test session, which misses nothing, whatever the program's own
                guard would leave out.
        """
        both = [self.settings] if other is None else [self.settings, other]
        self.registry.configure(
            self.table.origins,
            depth=max(settings.stack_depth for settings in both),
            sample=max(settings.sample for settings in both),
            submissions=any(settings.follow_executors for settings in both),
            # A module that is ignored may be anywhere in a stack.
            whole=any("/" not in one for settings in both for one in settings.ignore),
        )

    def _found(self, finding: Finding) -> None:
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


def _close_held(lease: Lease, registry: Registry) -> bool:
    """Close a held response for the program; whether that was done."""
    response = lease()
    if response is None or lease.ended or lease.closed is not None:
        return False
    if is_read_on(lease, response, registry.origins):
        return False
    # Before it gives its connection back: that is not the program's doing.
    lease.ended = True
    registry.discard(lease)
    if lease.client.close(response, _NOTE):
        return True
    lease.ended = False
    registry.leases[lease.key] = lease
    return False
