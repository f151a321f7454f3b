"""What monitoring is told: the state of the guard as numbers, bounded in number."""

from __future__ import annotations

import abc
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence  # For get_type_hints.
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypeAlias, TypeVar

from .._leases.client import Ending
from .._leases.ends import MANY
from .._pools.pools import Totals

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .._leases.lease import Lease
    from .._leases.registry import Registry
    from .._leases.table import LeakTable, Verdicts
    from .._model.leak import Frame, LeakKind
    from .._pools.pool import PoolRef

MOST_POOLS: Final = 100
"""So many pools have series of their own; the rest is summed up as `OTHER`."""
OTHER: Final = "other"

K = TypeVar("K")


@dataclass(slots=True, eq=False, repr=False)
class PoolMeasures:
    """The pools of one name (a program may have many to one host), summed up.

    Args:
        size: Connections that the pools keep.
        blocking: Whether one of them makes requests wait, or one that is gone did.
        in_use: Connections that requests and open responses hold, and lost slots.
        idle: Open connections that wait for the next request.
        lost: Slots of blocking pools that leaks have taken.
        waiting: Requests that wait for a connection.
        totals: Counts since `install`, pools that are gone included.
    """

    open: int = 0
    size: int = 0
    blocking: bool = False
    in_use: int = 0
    idle: int = 0
    lost: int = 0
    waiting: int = 0
    totals: Totals = field(default_factory=Totals)

    def add(self, pool: PoolRef) -> None:
        self.size += pool.maxsize
        self.blocking |= pool.block
        self.in_use += pool.in_use + pool.losses.count
        self.idle += pool.idle
        self.lost += pool.losses.count
        self.totals.add(pool)

    def rise(self, before: PoolMeasures) -> None:
        """Let no count fall below what was told of the same name."""
        self.blocking |= before.blocking
        for name in ("waited", "wait_total", "reclaimed"):
            most = max(getattr(self.totals, name), getattr(before.totals, name))
            setattr(self.totals, name, most)


class Measures(NamedTuple):
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


class Told:
    """What was told last: no count may fall below it.

    The figures of pools that are gone may be kept as others', and figures are added
    up while requests change them: a count could dip, which a monitoring system
    takes for a process that has started anew.
    """

    def __init__(self) -> None:
        self.pools: dict[str, PoolMeasures] = {OTHER: PoolMeasures()}
        self.counters: dict[str, int] = {}
        self.leaks: dict[tuple[LeakKind, Frame | None], int] = {}

    def label(self, name: str) -> str:
        """The pool's name if it is one of the first hundred, or `OTHER`.

        Not of the busiest: a series that comes and goes costs a monitoring system
        more than one that stays, and a crawler sees hosts without end.
        """
        if name in self.pools:
            return name
        # `OTHER` is one of them, and no pool's name.
        if len(self.pools) > MOST_POOLS:
            return OTHER
        self.pools[name] = PoolMeasures()
        return name


def take_measures(
    registry: Registry,
    verdicts: Verdicts,
    table: LeakTable,
    told: Told,
    counters: Mapping[str, int],
) -> Measures:
    """Put the measures together, with the snapshot's counters. Looks at no stack.

    About 0.2 us for each open response past `MANY`.
    """
    # By comprehensions: a loop over ten thousand takes twice as long.
    leases = [
        lease
        for lease in list(registry.leases.values())
        if lease.closed is None and lease() is not None
    ]
    if len(leases) <= MANY:
        leases = [lease for lease in leases if _is_open(lease)]
    judged = [
        lease.opened
        for lease in leases
        if lease.scope is None or lease.scope.allowed is None
    ]
    now = registry.clock()
    return Measures(
        leaks=_risen(_leaks(verdicts, table), told.leaks),
        pools=_pools(registry, Counter([lease.pool.key for lease in leases]), told),
        counters=_risen(counters, told.counters),
        held=sum([lease.kind is not None for lease in leases]),
        oldest=now - min(judged, default=now),
    )


def _is_open(lease: Lease) -> bool:
    response = lease()
    return response is not None and (
        lease.client.state(response) is not Ending.RELEASED
    )


def _risen(counts: Mapping[K, int], told: dict[K, int]) -> dict[K, int]:
    risen = {key: max(count, told.get(key, 0)) for key, count in counts.items()}
    told.update(risen)
    return risen


def _leaks(
    verdicts: Verdicts, table: LeakTable
) -> dict[tuple[LeakKind, Frame | None], int]:
    rest = dict(verdicts.counts)
    leaks: dict[tuple[LeakKind, Frame | None], int] = {}
    for (kind, site), series in list(table.series.items()):
        leaks[kind, site] = series.count
        rest[kind] -= series.count
    leaks.update(((kind, None), count) for kind, count in rest.items())
    return leaks


def _pools(
    registry: Registry, opened: Mapping[int, int], told: Told
) -> dict[str, PoolMeasures]:
    """The pools by name, those that have a series and are gone included."""
    registry.pools.prune()
    summed: dict[str, PoolMeasures] = defaultdict(PoolMeasures)
    for pool in list(registry.pools.known.values()):
        measures = summed[told.label(pool.name)]
        measures.add(pool)
        measures.open += opened.get(pool.key, 0)
    for name, totals in list(registry.pools.retired.items()):
        # Names beyond a number are kept together, under a word that is no pool's.
        label = told.label(name) if "://" in name else OTHER
        summed[label].totals.merge(totals)
    for waiter in list(registry.waiters.values()):
        summed[told.label(waiter.pool.name)].waiting += 1
    for label, before in list(told.pools.items()):
        summed[label].rise(before)
    told.pools.update(summed)
    # Where nothing is open, that is said too, in the order of the first time.
    return {label: summed[label] for label in told.pools}


class Source(Protocol):
    def measures(self) -> Measures | None:
        """The numbers now; None if that fails."""

    def notify(self) -> None:
        """Tell the observers what they have not been told yet."""


Find: TypeAlias = Callable[[], "Source | None"]
"""The guard of this moment, None where httpguard is not installed."""


class Observer:
    """Told after each sweep, under no lock. What it raises is logged once."""

    def leases_ended(self, seconds: Sequence[float]) -> None:
        """Leases ended well, having held their connections for so many seconds."""

    def swept(self, source: Source) -> None:
        """A sweep is over."""

    # A part of the process's state, for which a fork matters: see `Forked`.

    def pause(self) -> None:
        """In the parent, before a fork."""

    def resume(self) -> None:
        """In the parent, after it."""

    def forget(self) -> None:
        """In the child: begin anew."""


class Instrumentation(Observer, abc.ABC):
    """Metrics and log records on their way to OpenTelemetry, until closed."""

    closed = False

    @abc.abstractmethod
    def close(self) -> None:
        """Send nothing more. The instruments stay, without data."""
