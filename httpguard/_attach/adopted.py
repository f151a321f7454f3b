"""What was open before httpguard came: taken in, explained, and told."""

from __future__ import annotations

import time
from collections import Counter
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from .._clients.gate import GATE
from .._holders.search import held_by
from .._leases.readers import readers_of
from .._model.leak import LeakKind
from .._model.redaction import printable, redact_url
from .._pressure.shortage import describe_shortage, in_flight
from .._process.installing import patches
from .._process.process import PROCESS
from .._stacks.heap import objects
from .._stacks.raw import stack_before
from .._stacks.sites import find_site
from .waits import Waits

if TYPE_CHECKING:
    from .._clients.patching import Adopters
    from .._guard.guard import Guard
    from .._leases.lease import Lease
    from .._leases.registry import Registry
    from .._pools.pool import PoolRef

# What is missing at two looks, so many seconds apart, is lost.
_APART: Final = 0.25
# So many responses are told one by one; the search for what holds one takes so long.
_MOST_ROWS: Final = 50
_SEARCH: Final = 0.2
# Nothing else runs while all objects are scanned.
_SCAN: Final = 0.02
# The search rests after so many seconds of processor time.
_TURN: Final = 0.002
# Objects of a slice, 1 ms; and what others get between two of them, in seconds.
_SLICE: Final = 20_000
_PAUSE: Final = 0.004
_clock: Final = getattr(time, "thread_time", time.perf_counter)


class Adopted:
    def __init__(self) -> None:
        # Of how many objects so many were looked at, in seconds of processor time.
        self._objects = self._seen = 0
        self._seconds = 0.0
        self._waits = Waits()
        self._leases: list[Lease] = []
        self._sessions: dict[str, int] = {}

    def look(self, seconds: float) -> None:
        """Look over all objects, then at pools twice, then for what holds what.

        It takes so many seconds of processor time at most.
        """
        guard = PROCESS.guard
        if guard is None:
            return
        registry, began = guard.registry, _clock()
        if seconds <= 0:
            return
        self._take_in(patches().adopters(), seconds)
        self._waits.look(registry)
        found = [one for one in list(registry.leases.values()) if one.adopted]
        self._leases = found[:_MOST_ROWS]
        self._sessions = Counter(
            ref.client.name
            for ref in list(registry.sessions.known.values())
            if ref.adopted and ref.pools
        )
        self._see_lost(guard)
        for lease in self._leases:
            if _clock() - began >= seconds:
                break
            _explain(lease, registry)

    def _take_in(self, adopters: Adopters, seconds: float) -> None:
        """Have everything taken in that was there before, in so much processor time.

        In slices: what else runs waits for one of them at most. To list the objects is
        one step, 15 ms for a million.
        """
        if not adopters:
            return
        # Of a class what takes its objects in, None for most.
        adopter: Any = cache(
            lambda kind: next(
                (adopters[k] for k in type.mro(kind) if k in adopters), None
            )
        )
        began = _clock()
        every = objects()
        self._objects = len(every)
        while every and _clock() - began < seconds:
            found = [item for item in every[-_SLICE:] if adopter(type(item))]
            # What the program drops meanwhile goes here, and not with the last slice.
            del every[-_SLICE:]
            while found:
                item = found.pop()
                try:
                    adopter(type(item))(item)
                except Exception as error:  # Half made, or half gone.
                    GATE.fault("adopt", error)
                del item
            time.sleep(_PAUSE)
        self._seen = self._objects - len(every)
        self._seconds = _clock() - began

    def end_waits(self) -> None:
        guard = PROCESS.guard
        if guard is not None:
            self._waits.end(guard.registry)

    def to_dict(self) -> dict[str, Any]:
        guard = PROCESS.guard
        if guard is None:
            return {}
        registry = guard.registry
        self._waits.look(registry)
        now = registry.clock()
        dry = {waiter.pool.key: waiter for waiter in list(registry.waiters.values())}
        return {
            "objects": self._objects,
            "looked_at": self._seen,
            "seconds": round(self._seconds, 3),
            "sessions": self._sessions,
            "before": _rows(self._leases, registry, now),
            "starved": [
                describe_shortage(waiter.pool, registry, now, waiter.share)
                for waiter in dry.values()
            ],
        }

    def _see_lost(self, guard: Guard) -> None:
        """Slots that nobody has, and what is closed or forgotten: at two looks."""
        registry = guard.registry
        guard.watch()
        before = _missing(registry)
        time.sleep(_APART)
        after = _missing(registry)
        for known, count in after.items():
            lost = min(count, before.get(known, 0))
            if lost:
                site = find_site(stack_before(known.name), registry.origins)
                known.losses.find(lost, LeakKind.DROPPED, site)
        for lease in self._leases:
            if lease.closed is not None:
                # Nobody knows since when; it was so at both.
                lease.closed -= guard.settings.max_idle
        guard.watch()


class _Resting:
    """A clock of processor time; whoever looks at it often lets others run."""

    def __init__(self) -> None:
        self._turn = _clock()

    def __call__(self) -> float:
        now: float = _clock()
        if now - self._turn >= _TURN:
            time.sleep(_PAUSE)
            self._turn = now
        return now


def _missing(registry: Registry) -> dict[PoolRef, int]:
    """By pool, the slots that no response has, and no request under way."""
    found = {}
    for known in list(registry.pools.known.values()):
        pool = known()
        if pool is None or not known.block:
            continue
        leases = [one for one in list(registry.leases.values()) if one.pool is known]
        held = sum(one() is not None for one in leases)
        taken = held + len(in_flight(known, registry))
        count = known.ask.missing(pool, taken) - known.losses.count
        if count > 0:
            found[known] = count
    return found


def _explain(lease: Lease, registry: Registry) -> None:
    response = lease()
    if response is not None and not (lease.ended or lease.judged):
        lease.held_by = held_by(
            response, registry.origins, _SEARCH, _Resting(), scan=_SCAN
        )


def _rows(leases: list[Lease], registry: Registry, now: float) -> list[dict[str, Any]]:
    """Those that are open still, and no leaks, which are told as such."""
    pairs = [
        (lease, response)
        for lease in leases
        if not (lease.ended or lease.judged) and (response := lease()) is not None
    ]
    readers = readers_of(pairs, registry.origins)
    return [
        {
            "client": lease.client.name,
            "method": printable(lease.method),
            "url": redact_url(lease.absolute_url),
            "status": lease.status,
            "pool": lease.pool.name,
            "bytes_read": lease.read_so_far(response),
            "length": lease.announced,
            "closed": lease.closed is not None,
            "idle": round(now - lease.active, 3),
            "held_by": lease.held_by,
            "read_by": readers.get(id(response)),
        }
        for lease, response in pairs
    ]
