"""The parts of a guard: its state, its settings, and what it owes the program."""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from .._clients import client_packages
from .._leases.detector import Detector
from .._leases.held import close_held
from .._leases.snapshots import count_responses
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

    from .._leases.lease import Finding
    from .._leases.registry import Registry
    from .._model.settings import Settings
    from .outbox import Outbox

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


class Parts:
    """A part of `Guard`: its state, one of each of what it consists of."""

    # Whether it wants to be told of new leases.
    attentive: bool
    # Whether sessions are looked at, and lost slots given back.
    judges_sessions: bool
    reclaims: bool

    if TYPE_CHECKING:

        def watch(self) -> None: ...

        def found(self, finding: Finding) -> None: ...

        def attend(self) -> None: ...

    def __init__(self, registry: Registry, settings: Settings, outbox: Outbox) -> None:
        self.counts_observer: CountsObserver | None = None
        self.registry = registry
        self.settings = settings
        self.outbox = outbox
        self.watcher = Watcher(
            self.watch,
            settings.check_interval,
            lambda: self.pools.next_look(),  # noqa: PLW0108  # Those of the moment.
            registry.stood_still,
        )
        self.begin()
        self.watcher.changed = self._heed
        self.configure(settings)
        if outbox.observers.members:
            self.keep_times()

    def begin(self) -> None:
        """The state that a forked child starts anew."""
        registry = self.registry
        # Those of the moment, without a call in Python.
        settings: Callable[[], Settings] = partial(getattr, self, "settings")
        self.outbox.clear()
        self.detector = Detector(registry, settings, self.found, self.watcher.rest)
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
        self.sweeping = False

    def configure(self, settings: Settings) -> None:
        """Take new settings; what is known stays."""
        self.settings = settings
        self.judges_sessions = settings.max_sessions is not None
        self.reclaims = settings.reclaim
        self.table.origins = Origins(settings.app, client_packages(settings.vendored))
        self.share(None)
        self.watcher.set_interval(settings.check_interval)
        self.settle_alert()
        self._heed()
        if self.registry.leases:
            self.attend()

    def share(self, other: Parts | None) -> None:
        """Have the registry keep what this guard needs, and another one with it.

        Args:
            other: Of a test session, which misses nothing, whatever the program's own
                guard would leave out.
        """
        both = [one.settings for one in (self, other) if one is not None]
        self.registry.configure(
            self.table.origins,
            depth=max(settings.stack_depth for settings in both),
            sample=max(settings.sample for settings in both),
            submissions=any(settings.follow_executors for settings in both),
            # A module that is ignored may be anywhere in a stack.
            whole=any("/" not in one for settings in both for one in settings.ignore),
        )

    def _heed(self) -> None:
        """Whether new leases matter, now that something has changed."""
        self.attentive = self.watcher.idle or self.settings.max_open is not None
        self.registry.settle()

    @property
    def is_lazy(self) -> bool:
        """Whether guarded calls do the work of a watcher thread."""
        return self.settings.check_interval == 0

    def close_held(self) -> None:
        """Close what is held and was reported, since that is asked for."""
        for lease in drain(self.detector.held):
            self.detector.verdicts.shut += close_held(lease, self.registry)

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
            self.step_aside("strict", failure)
        if error is not None:
            raise error

    def keep_times(self) -> None:
        """From now on, keep how long leases took, for the observers."""
        if self.registry.times is None:
            self.registry.times = deque(maxlen=_MOST_TIMES)

    def tell_counts(self, *, ended: bool) -> None:
        observer = self.counts_observer
        if observer is not None:
            observer(self.table, count_responses(self.registry), ended=ended)

    def step_aside(self, where: str, error: Exception) -> None:
        """Something of ours failed: say so once, and leave the program alone."""
        self.outbox.step_aside(where, error)

    # A part of the process's state, for which a fork matters: see `Forked`.

    def pause(self) -> None:
        # First: who reports may wait for a fork, and the watcher is one of those.
        self.watcher.pause()
        self.outbox.pause()

    def resume(self) -> None:
        self.outbox.resume()
        self.watcher.resume()

    def forget(self) -> None:
        """In the child: leaks and threads are the parent's; the registry is empty."""
        self.begin()
        self.watcher.forget()
        self.settle_alert()
