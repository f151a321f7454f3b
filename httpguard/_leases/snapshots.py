"""The state of the guard as the frozen values that users see."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta, timezone
from functools import cache
from typing import TYPE_CHECKING, Any

from .._model.leak import LeakKind
from .._model.redaction import printable, printable_within, redact_url
from .._model.snapshot import Counters, OpenResponse, PoolUse, Snapshot
from .._pools.pools import Totals, rate
from .._stacks.sites import find_site, symbolize

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .._model.leak import Frame
    from .._pools.pool import PoolRef
    from .._stacks.ownership import Origins
    from .._stacks.raw import RawStack
    from .lease import Lease
    from .registry import Registry
    from .table import LeakTable, Verdicts


def take_snapshot(
    registry: Registry,
    verdicts: Verdicts,
    table: LeakTable,
    *,
    most: int | None = None,
    **figures: int,
) -> Snapshot:
    """Put a snapshot together; `figures` are further counters.

    No more than `most` leaks and open responses are described; None: all.
    """
    leases = registry.open_leases()
    return Snapshot(
        leaks=table.leaks(most),
        open=describe_open(leases[:most], registry.origins, registry.clock()),
        counters=Counters(**take_counters(registry, verdicts, table, **figures)),
        pools=_pools(registry, leases),
    )


def take_counters(
    registry: Registry, verdicts: Verdicts, table: LeakTable, **figures: int
) -> dict[str, int]:
    """The counters. Arguments as in `take_snapshot`."""
    pools = _totals(registry)
    return {
        "opened": registry.opened.value,
        "released": registry.released.value,
        "closed": registry.closed.value,
        **{kind.value: verdicts.counts[kind] for kind in LeakKind},
        "leaks": verdicts.total,
        "resolved": table.resolved,
        "excused": verdicts.excused,
        "too_many_open": verdicts.overruns.value,
        "held_closed": verdicts.shut,
        "connected": pools.connected,
        "reused": pools.taken - pools.connected,
        "discarded": pools.discarded,
        "waited": pools.waited,
        "reclaimed": pools.reclaimed,
        **figures,
    }


def count_responses(registry: Registry) -> int:
    """How many responses there were, those that never held a connection included."""
    # Of aiohttp's pools no figures are kept.
    return max(registry.opened.value, _totals(registry).taken)


def describe_open(
    leases: Iterable[Lease], origins: Origins, now: float
) -> tuple[OpenResponse, ...]:
    """Open leases as the values that users see.

    Many have the same line, URL and pool: each of these is read once.
    """
    read = _reader(origins)
    redacted, printed = cache(redact_url), cache(printable)
    named = cache(printable_within)
    today = datetime.now(timezone.utc)
    found = []
    for lease in leases:
        site, stack = read(lease.stack or ())
        found.append(
            OpenResponse(
                site=site,
                stack=stack,
                method=printed(lease.method),
                url=redacted(lease.absolute_url),
                status=lease.status,
                client=lease.client.name,
                pool=lease.pool.name,
                thread=named(lease.thread),
                opened=today - timedelta(seconds=now - lease.opened),
                age=now - lease.opened,
                idle=now - lease.active,
                bytes_read=bytes_read(lease),
                length=lease.announced,
                allowed=lease.scope.allowed if lease.scope is not None else None,
            )
        )
    return tuple(found)


def _reader(origins: Origins) -> Callable[[RawStack], tuple[Frame, tuple[Frame, ...]]]:
    """Tells the site and the frames of a stack, those of equal ones once."""
    known: dict[Any, tuple[Frame, tuple[Frame, ...]]] = {}

    def read(stack: RawStack) -> tuple[Frame, tuple[Frame, ...]]:
        # Code by its id: its hash is made of all that it consists of, each time.
        key = (*map(id, stack[::2]), *stack[1::2])
        found = known.get(key)
        if found is None:
            found = find_site(stack, origins), symbolize(stack, origins)
            known[key] = found
        return found

    return read


def bytes_read(lease: Lease) -> int:
    """How much of its body has come over the wire."""
    response = lease()
    if response is None:
        return lease.bytes_read
    return lease.read_so_far(response)


def describe_pools(registry: Registry) -> list[dict[str, Any]]:
    """All pools since `install`, those that are gone too, by name.

    Returns:
        JSON-ready values for each name, the one with the most connections opened
        first.
    """
    registry.pools.prune()
    totals: dict[str, Totals] = {}
    for name, kept in list(registry.pools.retired.items()):
        totals.setdefault(name, Totals()).merge(kept)
    for pool in live_pools(registry):
        totals.setdefault(pool.name, Totals()).add(pool)
    found = [{"pool": name, **total.to_dict()} for name, total in totals.items()]
    return sorted(found, key=lambda item: -item["connected"])


def live_pools(registry: Registry) -> list[PoolRef]:
    """The pools that are there, by name."""
    pools = [pool for pool in list(registry.pools.known.values()) if pool() is not None]
    return sorted(pools, key=lambda pool: pool.name)


def _totals(registry: Registry) -> Totals:
    """The figures of all pools since `install`."""
    total = Totals()
    for kept in list(registry.pools.retired.values()):
        total.merge(kept)
    for pool in list(registry.pools.known.values()):
        total.add(pool)
    return total


def _pools(registry: Registry, leases: list[Lease]) -> tuple[PoolUse, ...]:
    waiting = Counter(waiter.pool.key for waiter in list(registry.waiters.values()))
    opened = Counter(lease.pool.key for lease in leases)
    uses = []
    for pool in live_pools(registry):
        in_use, idle = pool.count()
        taken, connected = pool.taken.value, pool.connected.value
        discarded, reused = pool.discarded.value, max(taken - connected, 0)
        uses.append(
            PoolUse(
                name=pool.name,
                maxsize=pool.maxsize,
                block=pool.block,
                open=opened[pool.key],
                lost=pool.losses.count,
                in_use=in_use,
                peak=pool.peak,
                idle=idle,
                connected=connected,
                reused=reused,
                reuse_rate=rate(reused, taken),
                discarded=discarded,
                waiting=waiting[pool.key],
                waited=pool.waits.count,
                wait_total=pool.waits.total,
                wait_max=pool.waits.longest,
                reclaimed=pool.reclaimed,
            )
        )
    return tuple(uses)
