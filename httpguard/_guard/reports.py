"""What is said of findings, and when: events for the outbox."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._leases.lease import Tally
from .._leases.snapshots import count_open, describe_open, describe_pools
from .._model.event import LEAK, RESOLVED, SUMMARY, TOO_MANY_OPEN, Event
from .._model.rhythm import Rhythm
from .._stacks.capture import find_site

if TYPE_CHECKING:
    from .._leases.detector import Detector
    from .._leases.lease import Lease
    from .._leases.registry import Registry
    from .._leases.table import Group, LeakTable
    from .._model.settings import Settings
    from .._model.snapshot import OpenResponse
    from .._pressure.pools import PoolWatch
    from .outbox import Outbox


class Reports:
    """Makes the events, each in its rhythm, and puts them in the outbox.

    Args:
        registry: What is open.
        detector: Has counted the leaks.
        table: The leaks.
        pools: Over the pools.
        outbox: Takes the events.
        settings: The thresholds; replaced by a second `install`.
    """

    def __init__(  # noqa: PLR0917  # One of each part of the guard.
        self,
        registry: Registry,
        detector: Detector,
        table: LeakTable,
        pools: PoolWatch,
        outbox: Outbox,
        settings: Settings,
    ) -> None:
        """Nothing said yet."""
        self.registry = registry
        self.detector = detector
        self.table = table
        self.pools = pools
        self.outbox = outbox
        self.settings = settings
        # How often more than `max_open` were open.
        self.overruns = Tally()
        self._overrun_rhythm = Rhythm()

    def leaked(self, group: Group) -> None:
        """Report the leaks of a site, if that is due."""
        if self.outbox.silent:
            return
        if group.rhythm.due(group.count, self.registry.clock()):
            self._post_group(LEAK, group)

    def note_resolved(self) -> None:
        """Say of judged leaks that they ended well after all."""
        sessions = self.registry.sessions.resolved
        resolved = self.registry.resolved
        while resolved or sessions:
            lease = resolved.popleft() if resolved else sessions.popleft()
            site = find_site(lease.stack or (), self.registry.origins)
            lease.pool.regain(lease, site)
            group = self.table.resolve(lease.kind, site)
            if group is None or self.outbox.silent:
                continue
            if group.resolved_rhythm.due(group.resolved, self.registry.clock()):
                self._post_group(RESOLVED, group)

    def detail(self, name: str, details: dict[str, Any]) -> None:
        """Report about a pool or the process.

        Args:
            name: Of the event.
            details: JSON-ready values.
        """
        if not self.outbox.silent:
            self._post(name, details=details)

    def overrun(
        self, crowd: list[Lease], limit: int, now: float
    ) -> tuple[OpenResponse, ...]:
        """Report that too many responses are open, if that is due.

        Args:
            crowd: Their leases, the latest last.
            limit: ``max_open``.
            now: Seconds of the guard's clock.

        Returns:
            What is open.
        """
        origins = self.registry.origins
        responses = tuple(describe_open(lease, origins, now) for lease in crowd)
        # No lock: two at once may both be said.
        count = self.overruns.add() + 1
        if not self.outbox.silent and self._overrun_rhythm.due(count, now):
            self._post(
                TOO_MANY_OPEN,
                crowd=responses,
                figures={"max_open": limit},
                context=self.detector.digested(crowd[-1]),
            )
            self.outbox.flush()
        return responses

    def summarize(self) -> None:
        """Sum up at exit, if anything was found."""
        if self.outbox.silent:
            return
        leaks = self.table.leaks()
        overruns = self.overruns.value
        if leaks or overruns or self.pools.starved or self.pools.pressed:
            self._post(
                SUMMARY,
                leaks=leaks,
                figures={
                    "opened": self.registry.opened.value,
                    "too_many_open": overruns,
                },
                details={"pools": describe_pools(self.registry)},
            )

    def _post_group(self, name: str, group: Group) -> None:
        """Put a report about a site in the outbox."""
        self._post(
            name,
            leaks=(group.leak(self.registry.origins),),
            context=group.latest.context,
        )

    def _post(
        self, name: str, *, figures: dict[str, int] | None = None, **fields: Any
    ) -> None:
        """Put a report in the outbox, with what every event says beside its own."""
        everywhere = {
            "open_now": count_open(self.registry),
            "leaks_total": self.detector.total,
        }
        self.outbox.post(
            Event(
                name=name,
                error=self.settings.strict,
                figures={**everywhere, **(figures or {})},
                **fields,
            )
        )
