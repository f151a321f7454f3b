"""The metrics: one table for every monitoring system."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from .._model.redaction import printable
from .measures import OTHER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .._model.leak import Frame, LeakKind
    from .measures import Measures, PoolMeasures

Key: TypeAlias = "tuple[LeakKind, Frame | None] | str | None"
"""What a sample is about: a kind of leak and its site, a pool's name, or all."""
Samples: TypeAlias = "Iterable[tuple[Key, float]]"

LEASE_BOUNDS: Final = (
    *(0.001, 0.005, 0.01, 0.05, 0.1, 0.5),
    *(1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0),
)
"""The upper bounds, in seconds, of the histogram of lease times."""


class Kind(enum.Enum):
    COUNTER = enum.auto()
    """It only rises."""
    SUM = enum.auto()
    """It rises and falls, and that of several processes adds up."""
    MOST = enum.auto()
    """It rises and falls, and of several processes the largest counts."""


# What samples are told apart by.
_LEAK: Final = ("kind", "site")
_POOL: Final = ("pool",)


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric.

    Args:
        name: In Prometheus, without the ``_total`` of a counter.
        otel: In OpenTelemetry, as is the unit.
        read: Takes its samples out of the measures.
        by: What they are told apart by: the labels of Prometheus.
    """

    name: str
    otel: str
    unit: str
    kind: Kind
    text: str
    read: Callable[[Measures], Samples]
    by: tuple[str, ...] = ()


def labels_of(key: Key) -> tuple[str, ...]:
    if key is None:
        return ()
    if isinstance(key, str):
        return (printable(key),)
    kind, site = key
    return (kind.value, OTHER if site is None else printable(str(site)))


def _counter(name: str) -> Callable[[Measures], Samples]:
    return lambda measures: [(None, measures.counters[name])]


def _pools(read: Callable[[PoolMeasures], float]) -> Callable[[Measures], Samples]:
    return lambda measures: [
        (name, read(pool)) for name, pool in measures.pools.items()
    ]


def _blocking(read: Callable[[PoolMeasures], float]) -> Callable[[Measures], Samples]:
    """Reads one number of each pool that makes requests wait, or has had such."""
    return lambda measures: [
        (name, read(pool)) for name, pool in measures.pools.items() if pool.blocking
    ]


LEASE_NAME: Final = "httpguard_lease_duration_seconds"
LEASE_OTEL: Final = "httpguard.lease.duration"
LEASE_TEXT: Final = "Time that responses held their connection until they gave it back"

# Each metric in a block of two or three lines: as a table.
# fmt: off
METRICS: Final = (
    Metric("httpguard_processes", "httpguard.process.count", "{process}", Kind.SUM,
           "Processes in which httpguard is installed", lambda _: [(None, 1)]),
    Metric("httpguard_leaks", "httpguard.leaks", "{leak}", Kind.COUNTER,
           "Responses that leaked, by kind and by the line that opened them",
           lambda measures: measures.leaks.items(), _LEAK),
    Metric("httpguard_resolved", "httpguard.resolved", "{leak}", Kind.COUNTER,
           "Leaks that ended well after all", _counter("resolved")),
    Metric("httpguard_excused", "httpguard.excused", "{leak}", Kind.COUNTER,
           "Would-be leaks that allow() or the setting ignore excuses",
           _counter("excused")),
    Metric("httpguard_responses_opened", "httpguard.response.opened", "{response}",
           Kind.COUNTER,
           "Responses handed out while they held a connection", _counter("opened")),
    Metric("httpguard_responses_released", "httpguard.response.released", "{response}",
           Kind.COUNTER,
           "Responses that gave their connection back", _counter("released")),
    Metric("httpguard_responses_closed", "httpguard.response.closed", "{response}",
           Kind.COUNTER,
           "Responses closed unread, their connection thrown away", _counter("closed")),
    Metric("httpguard_open_responses", "httpguard.response.open", "{response}",
           Kind.SUM,
           "Responses that hold a connection now, by pool",
           _pools(lambda pool: pool.open), _POOL),
    Metric("httpguard_held_responses", "httpguard.response.held", "{response}",
           Kind.SUM,
           "Responses that hold a connection now and were found to be leaks",
           lambda measures: [(None, measures.held)]),
    Metric("httpguard_oldest_open_response_seconds", "httpguard.response.oldest", "s",
           Kind.MOST,
           "Age of the oldest open response outside of allow()",
           lambda measures: [(None, measures.oldest)]),
    Metric("httpguard_held_closed", "httpguard.response.held_closed", "{response}",
           Kind.COUNTER,
           "Held responses that the setting on_held closed", _counter("held_closed")),
    Metric("httpguard_too_many_open", "httpguard.too_many_open", "{occurrence}",
           Kind.COUNTER,
           "Times that more responses than the setting max_open were open",
           _counter("too_many_open")),
    Metric("httpguard_pool_size", "httpguard.pool.size", "{connection}", Kind.SUM,
           "Connections that the pools keep", _pools(lambda pool: pool.size), _POOL),
    Metric("httpguard_pool_in_use", "httpguard.pool.in_use", "{connection}", Kind.SUM,
           "Connections that requests and open responses hold now, and lost slots",
           _pools(lambda pool: pool.in_use), _POOL),
    Metric("httpguard_pool_idle", "httpguard.pool.idle", "{connection}", Kind.SUM,
           "Open connections that wait in the pools for the next request",
           _pools(lambda pool: pool.idle), _POOL),
    Metric("httpguard_pool_lost_slots", "httpguard.pool.lost", "{slot}", Kind.SUM,
           "Slots of blocking pools that leaks have taken",
           _blocking(lambda pool: pool.lost), _POOL),
    Metric("httpguard_pool_reclaimed_slots", "httpguard.pool.reclaimed", "{slot}",
           Kind.COUNTER,
           "Lost slots that the setting reclaim gave back",
           _blocking(lambda pool: pool.totals.reclaimed), _POOL),
    Metric("httpguard_pool_waiting", "httpguard.pool.waiting", "{request}", Kind.SUM,
           "Requests that wait for a connection of a blocking pool now",
           _blocking(lambda pool: pool.waiting), _POOL),
    Metric("httpguard_pool_waits", "httpguard.pool.waits", "{request}", Kind.COUNTER,
           "Requests that had to wait for a connection",
           _blocking(lambda pool: pool.totals.waited), _POOL),
    Metric("httpguard_pool_wait_seconds", "httpguard.pool.wait_time", "s", Kind.COUNTER,
           "Time that these requests waited",
           _blocking(lambda pool: pool.totals.wait_total), _POOL),
    Metric("httpguard_pool_starved", "httpguard.pool.starved", "{occurrence}",
           Kind.COUNTER,
           "Times that a pool had a request wait for longer than the setting max_wait",
           _counter("pool_starved")),
    Metric("httpguard_connections_opened", "httpguard.connection.opened",
           "{connection}", Kind.COUNTER,
           "Connections that pools have opened", _counter("connected")),
    Metric("httpguard_connections_reused", "httpguard.connection.reused", "{request}",
           Kind.COUNTER,
           "Requests that found an open connection in their pool", _counter("reused")),
    Metric("httpguard_connections_discarded", "httpguard.connection.discarded",
           "{connection}", Kind.COUNTER,
           "Connections closed because their pool was full when they came back",
           _counter("discarded")),
    Metric("httpguard_errors", "httpguard.errors", "{error}", Kind.COUNTER,
           "Times that httpguard failed inside and stepped aside", _counter("errors")),
)
# fmt: on
