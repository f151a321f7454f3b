"""The state of the guard as numbers for a monitoring system, bounded in number."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ._response import holds_connection

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ._detector import Detector
    from ._leak import Frame, LeakKind
    from ._lease import PoolRef
    from ._registry import Registry
    from ._table import LeakTable

MOST_POOLS: Final = 100
"""So many pools have series of their own; the rest is summed up as `OTHER`."""
OTHER: Final = "other"


@dataclass(frozen=True, slots=True)
class PoolMeasures:
    """The pools of one name (a program may have many to one host), summed up.

    Args:
        open: Responses that hold a connection.
        size: Connections that the pools keep.
        slots: Of these, those of blocking pools, which make requests wait.
        lost: Slots of blocking pools that leaks have taken.
    """

    open: int = 0
    size: int = 0
    slots: int = 0
    lost: int = 0


@dataclass(frozen=True, slots=True)
class Measures:
    """Everything that a monitoring system is told, at one moment.

    Args:
        leaks: Counts by kind and site; the site is None for those of the kind
            that have no series of their own. They add up to the exact total.
        pools: By name, `OTHER` always among them; at most `MOST_POOLS` others over
            the life of the process.
        counters: As in `Snapshot.counters`.
        held: Open responses that were found to be leaks.
        oldest: Age of the oldest open response outside of `allow`, in seconds;
            0 if there is none.
    """

    leaks: Mapping[tuple[LeakKind, Frame | None], int]
    pools: Mapping[str, PoolMeasures]
    counters: Mapping[str, int]
    held: int
    oldest: float


class PoolNames:
    """Which pools have series of their own: the first hundred.

    Not the busiest: a series that comes and goes costs a monitoring system more
    than one that stays, and a crawler sees hosts without end.
    """

    def __init__(self) -> None:
        """None yet."""
        self._known: set[str] = set()

    def label(self, pool: PoolRef) -> str:
        """The pool's name, or `OTHER`."""
        name = pool.name
        if name not in self._known:
            if len(self._known) >= MOST_POOLS:
                return OTHER
            self._known.add(name)
        return name


def take_measures(
    registry: Registry,
    detector: Detector,
    table: LeakTable,
    names: PoolNames,
    counters: Mapping[str, int],
) -> Measures:
    """Put the measures together. No stack is looked at.

    Args:
        registry: What is open.
        detector: What was counted.
        table: What leaked, by site.
        names: Which pools have series of their own.
        counters: Of the snapshot.
    """
    held = 0
    oldest = now = registry.clock()
    pools = {id(pool): pool for pool in list(registry.pools.values()) if pool()}
    opened: Counter[int] = Counter()
    for lease in list(registry.leases.values()):
        if lease.closed is not None:
            continue
        response = lease()
        if response is None or not holds_connection(response):
            continue
        del response
        opened[id(lease.pool)] += 1
        pools[id(lease.pool)] = lease.pool
        if lease.kind is not None:
            held += 1
        if lease.opened < oldest and (
            lease.scope is None or lease.scope.allowed is None
        ):
            oldest = lease.opened
    return Measures(
        leaks=_leaks(detector, table),
        pools=_pools(pools.values(), opened, names),
        counters=counters,
        held=held,
        oldest=now - oldest,
    )


def _leaks(
    detector: Detector, table: LeakTable
) -> dict[tuple[LeakKind, Frame | None], int]:
    """The counts by kind and site, and by kind what is in none of them."""
    rest = dict(detector.counts)
    leaks: dict[tuple[LeakKind, Frame | None], int] = {}
    for (kind, site), count in list(table.series.items()):
        leaks[kind, site] = count
        rest[kind] -= count
    for kind, count in rest.items():
        leaks[kind, None] = max(0, count)
    return leaks


def _pools(
    pools: Iterable[PoolRef], opened: Counter[int], names: PoolNames
) -> dict[str, PoolMeasures]:
    """The pools by name."""
    # Where nothing is open, that is said too.
    summed = {OTHER: PoolMeasures()}
    for pool in pools:
        label = names.label(pool)
        so_far = summed.get(label, PoolMeasures())
        summed[label] = PoolMeasures(
            open=so_far.open + opened[id(pool)],
            size=so_far.size + pool.maxsize,
            slots=so_far.slots + (pool.maxsize if pool.block else 0),
            lost=so_far.lost + pool.lost,
        )
    return summed
