"""Over the pools: what starves, what is too small, and slots that are given back."""

from __future__ import annotations

import gc
import math
from collections import Counter, deque
from typing import TYPE_CHECKING, Any, Final

from .._leases.threads import running
from .._model.tally import Rhythm
from .._pools.pools import rate
from .._pools.slot import GIVEN_UP, is_out
from .._pools.waits import Share, Waiter
from .._stacks.capture import capture
from .shortage import describe_shortage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from .._leases.lease import Lease
    from .._leases.registry import Registry
    from .._model.settings import Settings
    from .._pools.pool import PoolRef
    from .._stacks.raw import RawStack

# One pool's starving is said once a minute at most; discards are judged by minutes.
_MINUTE: Final = 60.0
_DISCARDED_SHARE: Final = 0.1
_FEW: Final = 10
_MOST_NAMES: Final = 200
# Garbage is collected for waiting requests at most so often, in seconds.
_OFTEN: Final = 0.1


class PoolWatch:
    """What the guard does about pools. One thread at a time, where not said else."""

    def __init__(self, registry: Registry, settings: Callable[[], Settings]) -> None:
        self.registry = registry
        self._settings = settings
        # Lost slots to give back; any thread appends.
        self.owed: deque[Lease] = deque()
        # How often a pool starved and was too small: for the summary.
        self.starved = 0
        self.pressed = 0
        # By pool, the request whose wait was said to starve.
        self.starving_for: dict[int, Waiter] = {}
        # When there is something to see of pools that close connections.
        self.next_minute = 0.0
        self._said: dict[str, float] = {}
        # By name: the minutes in which a pool was too small.
        self._minutes: Counter[str] = Counter()
        self._rhythms: dict[str, Rhythm] = {}
        self._next_collection = 0.0

    # Any thread, in the request that waits.

    def begin_wait(
        self,
        pool: PoolRef,
        frame: FrameType,
        stack: RawStack | None = None,
        share: Share | None = None,
    ) -> Waiter:
        """A request is about to wait: its stack is noted, or that given of a task."""
        registry = self.registry
        if stack is None:
            stack = capture(frame, registry.depth, registry.origins)
        waiter = Waiter(pool, registry.clock(), running()[1], stack, share)
        registry.waiters[id(waiter)] = waiter
        return waiter

    def end_wait(self, waiter: Waiter) -> None:
        """It got a connection, or gave up."""
        self.registry.waiters.pop(id(waiter), None)
        waiter.pool.waits.add(self.registry.clock() - waiter.since)

    def is_dry(self, known: PoolRef) -> bool:
        """Whether a pool has nothing to give, and responses of it may be garbage."""
        pool = known()
        if pool is None or known.ask.is_closed(pool) or not known.ask.is_empty(pool):
            return False
        return any(lease.pool is known for lease in list(self.registry.leases.values()))

    def collect(self, *, young: bool = False) -> bool:
        """Collect garbage for the sake of lost slots; whether that was done now.

        A program in which everything waits makes no objects, so that nothing else
        would ever collect the responses that went in cycles. Takes a quarter of the
        time at most. What is young takes no time to speak of.
        """
        if young:
            gc.collect(1)
            return True
        began = self.registry.clock()
        if began < self._next_collection:
            return False
        gc.collect()
        now = self.registry.clock()
        self._next_collection = now + max((now - began) * 3, _OFTEN)
        return True

    def collect_for_waiters(self) -> None:
        """Collect garbage if a request waits that it may help."""
        waited_for = {
            waiter.pool.key: waiter.pool
            for waiter in list(self.registry.waiters.values())
        }
        if any(self.is_dry(pool) for pool in waited_for.values()):
            self.collect()

    def give_back(self) -> None:
        """Give lost slots back to their pools. Holds no lock of ours."""
        for _ in range(len(self.owed)):
            try:
                lease = self.owed.popleft()
            except IndexError:  # Another thread took it.
                return
            if not self._give_back(lease):
                self.owed.append(lease)

    def _give_back(self, lease: Lease) -> bool:
        """Give one slot back, once; False where that has to wait."""
        known = lease.pool
        pool = known()
        is_gone = lease.ended or pool is None or known.ask.is_closed(pool)
        if is_gone or not is_out(lease):
            return True
        response = None if lease.forgotten else lease()
        if response is not None:
            if lease.closed is None:
                return True  # It is open: somebody may read on.
            lease.ended = True
            self.registry.discard(lease)
            if lease.client.release(response) is False:
                lease.ended = False
                self.registry.leases[lease.key] = lease
                return False
        elif lease.slot is not None:
            turn, lease.slot.turn = lease.slot.turn, GIVEN_UP
            given = known.ask.refill(pool, lease.slot)
            if given is None:
                lease.slot.turn = turn
                return False
            if lease.slot() is None:
                # Else whoever has it may bring it back, and it is not put back then.
                known.forget(lease.slot)
            if not given:
                return True
        known.losses.remove(lease, lease.site)
        known.reclaimed += 1
        return True

    # In a sweep.

    def starving(self, now: float) -> Iterator[dict[str, Any]]:
        """The pools that have had a request wait for too long, in detail.

        Each once for as long as it lasts, and once a minute at most.
        """
        limit = self._settings().max_wait
        if limit is None:
            limit = math.inf
        first: dict[int, Waiter] = {}
        for waiter in list(self.registry.waiters.values()):
            earlier = first.setdefault(waiter.pool.key, waiter)
            if waiter.since < earlier.since:
                first[waiter.pool.key] = waiter
        said = self.starving_for
        self.starving_for = {key: said[key] for key in first if key in said}
        for waiter in first.values():
            pool = waiter.pool
            if now - waiter.since < limit or said.get(pool.key) is waiter:
                continue
            if now - self._said.get(pool.name, now - _MINUTE) < _MINUTE:
                continue
            self.starving_for[pool.key] = waiter
            self.starved += 1
            if len(self._said) >= _MOST_NAMES:
                self._said.clear()
            self._said[pool.name] = now
            yield describe_shortage(pool, self.registry, now, waiter.share)

    def pressed_hard(self, now: float) -> Iterator[dict[str, Any]]:
        """The pools that closed too many connections over the last minute."""
        self.next_minute = now + _MINUTE
        for pool in list(self.registry.pools.known.values()):
            since, taken_before, discarded_before = pool.window
            if now - since < _MINUTE:
                self.next_minute = min(self.next_minute, since + _MINUTE)
                continue
            taken, discarded = pool.taken.value, pool.discarded.value
            pool.window = (now, taken, discarded)
            used, lost = taken - taken_before, discarded - discarded_before
            if lost < _FEW or lost <= used * _DISCARDED_SHARE:
                continue
            self.pressed += 1
            if len(self._rhythms) >= _MOST_NAMES:
                self._rhythms.clear()
                self._minutes.clear()
            self._minutes[pool.name] += 1
            rhythm = self._rhythms.setdefault(pool.name, Rhythm())
            if rhythm.due(self._minutes[pool.name], now):
                lately = {"lately": lost, "seconds": round(now - since, 3)}
                yield {**describe_pressure(pool), **lately}

    def next_look(self) -> float | None:
        """In how many seconds a request will have waited for too long, if any waits."""
        limit = self._settings().max_wait
        waiters = list(self.registry.waiters.values())
        if limit is None or not waiters:
            return None
        now = self.registry.clock()
        times = [waiter.since + limit - now for waiter in waiters]
        coming = [seconds for seconds in times if seconds > 0]
        if self._settings().reclaim:
            coming.append(max(self._next_collection - now, _OFTEN))
        return min(coming) if coming else None


def describe_pressure(pool: PoolRef) -> dict[str, Any]:
    """How much a pool is used, and which size it should have."""
    connected, peak = pool.connected.value, pool.peak
    saved = min(pool.discarded.value, max(connected - peak, 0))
    details = {
        "pool": pool.name,
        "maxsize": pool.maxsize,
        "peak": peak,
        "connected": connected,
        "reused": pool.reused,
        "reuse_rate": rate(pool.reused, pool.taken.value),
        "discarded": pool.discarded.value,
        "saved": saved,
    }
    details["hint"] = (
        f"at most {peak:,} in use at once, maxsize is {pool.maxsize:,}:"
        f" pool_maxsize={peak} would have saved {saved:,} connects"
    )
    return details
