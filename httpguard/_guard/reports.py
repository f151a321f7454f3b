"""What is said of findings, and when; it waits until no lock of ours is held."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .._leases.snapshots import describe_open, describe_pools
from .._model.event import (
    ADVICE,
    COUNTS,
    FD_PRESSURE,
    LEAK,
    POOL_PRESSURE,
    POOL_STARVED,
    RESOLVED,
    SESSION_CHURN,
    SUMMARY,
    TOO_MANY_OPEN,
    Event,
)
from .._model.tally import Rhythm
from .._pressure.shortage import describe_churn

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._leases.lease import Lease
    from .._leases.registry import Registry
    from .._leases.table import Group, LeakTable, Verdicts
    from .._model.leak import Frame, LeakKind
    from .._model.settings import Settings
    from .._model.snapshot import OpenResponse
    from .._pressure.pools import PoolWatch
    from .outbox import Outbox

# The counts are told once a minute at most.
_MINUTE: Final = 60.0


class Reports:
    """Makes the events, each in its rhythm, and puts them in the outbox."""

    def __init__(  # noqa: PLR0917  # One of each part of the guard.
        self,
        registry: Registry,
        verdicts: Verdicts,
        table: LeakTable,
        pools: PoolWatch,
        outbox: Outbox,
        settings: Callable[[], Settings],
    ) -> None:
        self.registry = registry
        self._verdicts = verdicts
        self._table = table
        self._pools = pools
        self._outbox = outbox
        self._settings = settings
        self._overrun_rhythm = Rhythm()
        # When the counts were last told, in seconds of the guard's clock.
        self._told = -_MINUTE

    def leaked(self, group: Group) -> None:
        """Report the leaks of a site, if that is due."""
        self._tell(LEAK, group, group.rhythm, group.count)

    def note_resolved(self) -> None:
        """Say of judged leaks that they ended well after all."""
        sessions = self.registry.sessions.resolved
        leases = self.registry.resolved
        while leases:
            lease = leases.popleft()
            lease.pool.losses.remove(lease, lease.site)
            self._resolve(lease.kind, lease.site)
        while sessions:
            session = sessions.popleft()
            self._resolve(session.kind, session.site)

    def say_what_is_due(self, now: float, pressure: dict[str, Any] | None) -> None:
        """What was held back because the last report was too fresh, and advice."""
        if self._outbox.silent:
            return
        groups = self._table.by_line.values()
        late = [one for one in groups if one.rhythm.next <= one.count]
        for group in sorted(late, key=lambda one: -one.count):
            self.leaked(group)
        self._advise(now)
        if pressure is not None:
            self.pressure(pressure)
        # Once a minute at most, while they change.
        unsaid = [one for one in groups if one.said != (one.count, one.resolved)]
        if unsaid and now - self._told >= _MINUTE:
            self._told = now
            for group in unsaid:
                group.said = group.count, group.resolved
            self._post(COUNTS, details={"leaks": self._table.counts()})

    def _advise(self, now: float) -> None:
        """What is to be said of pools and sessions.

        Each is asked only where there may be something: most sweeps have nothing.
        """
        pools, churn = self._pools, self.registry.sessions.churn
        if self.registry.waiters or pools.starving_for:
            for details in pools.starving(now):
                self._post(POOL_STARVED, details=details)
        if now >= pools.next_minute:
            for details in pools.pressed_hard(now):
                self._post(POOL_PRESSURE, details=details)
        if churn.lines:
            for wasted in churn.due(now):
                details = describe_churn(wasted, self.registry.origins)
                self._post(SESSION_CHURN, details=details)

    def pressure(self, details: dict[str, Any]) -> None:
        """Report that the process is near its limit of open files."""
        if not self._outbox.silent:
            self._post(FD_PRESSURE, details=details)

    def overrun(
        self, crowd: list[Lease], limit: int, *, described: bool
    ) -> tuple[OpenResponse, ...]:
        """Report that too many responses are open, if that is due.

        Args:
            crowd: Their leases, the latest last.
            described: Whether the answer is asked for, due or not.

        Returns:
            What is open; nothing where that was not asked for.
        """
        origins, now = self.registry.origins, self.registry.clock()
        # No lock: two at once may both be said.
        count = self._verdicts.overruns.add() + 1
        due = not self._outbox.silent and self._overrun_rhythm.due(count, now)
        if not due and not described:
            return ()
        responses = describe_open(crowd, origins, now)
        latest = crowd[-1].context
        if due:
            self._post(
                TOO_MANY_OPEN,
                crowd=responses,
                figures={"max_open": limit},
                context={} if latest is None else latest(),
            )
            self._outbox.flush()
        return responses

    def summarize(self) -> None:
        """Sum up at exit, if anything was found."""
        if self._outbox.silent:
            return
        leaks = self._table.leaks()
        overruns = self._verdicts.overruns.value
        if leaks or overruns or self._pools.starved or self._pools.pressed:
            self._post(
                SUMMARY,
                leaks=leaks,
                figures={
                    "opened": self.registry.opened.value,
                    "too_many_open": overruns,
                },
                details={"pools": describe_pools(self.registry)},
            )

    def _resolve(self, kind: LeakKind | None, site: Frame) -> None:
        group = self._table.resolve(kind, site)
        if group is not None:
            self._tell(RESOLVED, group, group.resolved_rhythm, group.resolved)

    def _tell(self, name: str, group: Group, rhythm: Rhythm, count: int) -> None:
        """Report the leaks of a site, if it is time for this count of them."""
        if self._outbox.silent or not rhythm.due(count, self.registry.clock()):
            return
        group.said = group.count, group.resolved
        self._post(name, group)

    def _post(
        self,
        name: str,
        group: Group | None = None,
        *,
        figures: dict[str, int] | None = None,
        **fields: Any,
    ) -> None:
        """Put a report in the outbox, with what every event says beside its own."""
        if group is not None:
            fields["leaks"] = (group.leak(self.registry.origins),)
            fields["context"] = group.latest.context
        level = "error" if self._settings().strict else "warning"
        everywhere = {
            "open_now": self.registry.count_open(),
            "leaks_total": self._verdicts.total,
        }
        self._outbox.events.append(
            Event(
                name=name,
                level="info" if name in ADVICE or name == COUNTS else level,
                figures={**everywhere, **(figures or {})},
                **fields,
            )
        )
