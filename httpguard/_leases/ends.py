"""The leases that are open, how they end, and what a sweep is to say of them."""

from __future__ import annotations

from collections import deque
from types import CoroutineType, GeneratorType
from typing import TYPE_CHECKING, Any, Final

from .._model.errors import hand_back
from .._model.scope import is_within
from .._model.tally import Tally, drain
from .._stacks.heap import objects
from .._stacks.raw import CUT
from .client import Ending
from .threads import runner, strand_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._model.scope import Scope
    from .._stacks.ownership import Origins
    from .._stacks.sites import Proven
    from .lease import Lease

_MOST_FAULTS: Final = 100
MANY: Final = 1000
"""Of more, counts do not ask each response for its state: the next sweep does."""
_SUSPENDING: Final = (CoroutineType, GeneratorType)
_CLOSES: Final = frozenset({"close", "aclose"})


class Ends:
    """The leases that are open, and how each of them ends.

    No method that ends one takes a lock or logs: finalizers call them.
    """

    clock: Callable[[], float]
    origins: Origins
    proven: Proven
    # How long leases that ended well took, in seconds; None: nobody asks.
    times: deque[float] | None = None
    # Whether guarded calls have to report in although nobody died.
    alert: bool

    def begin(self) -> None:
        # By the id of their connection: a pool gets that back, not the response.
        self.leases: dict[int, Lease] = {}
        # Collected before they gave their connection back: to be judged.
        self.dead: deque[Lease] = deque()
        self.revived = Revived()
        self.bury = self.dead.append
        # Failures of ours where nothing may be logged: to be said.
        self.faults: deque[tuple[str, Exception]] = deque(maxlen=_MOST_FAULTS)
        # Judged leaks that ended well after all: to be said.
        self.resolved: deque[Lease] = deque()
        self.released = Tally()
        self.closed = Tally()

    def get(self, connection: object, response: Any) -> Lease | None:
        lease = self.leases.get(id(connection))
        return lease if lease is not None and lease() is response else None

    def open_leases(self) -> list[Lease]:
        """The leases whose response holds its connection, the oldest first."""
        return [
            lease
            for lease in list(self.leases.values())
            if lease.closed is None
            and (lease.judged or not lease.reading)
            and (response := lease()) is not None
            and lease.client.state(response) is not Ending.RELEASED
        ]

    def left_open(self, scope: Scope | None) -> list[Lease]:
        """The leases, of a scope or all, that have not been judged."""
        return [
            lease
            for lease in list(self.leases.values())
            if (scope is None or is_within(lease.scope, scope))
            and not (lease.judged or lease.ended or lease.revived)
        ]

    def count_open(self) -> int:
        """How many responses are open; past `MANY` those just closed count too.

        A report tells it, and shall not take long because much is open.
        """
        leases = len(self.leases)
        return leases if leases > MANY else len(self.open_leases())

    def conclude(self, lease: Lease) -> bool:
        """Forget a lease whose response is gone; whether it has ended well.

        Its pool may have the connection again by a way that passed us by, as where
        the program has put a ``_put_conn`` of its own into the pool.
        """
        self.discard(lease)
        slot = lease.slot
        if lease.ended or slot is None:
            return lease.ended
        if slot() is None:
            lease.pool.forget(slot)
            return False
        other = self.leases.get(lease.key)
        if lease.pool.has(slot) or (other is not None and other.slot is slot):
            self.end(lease)
        return lease.ended

    def release(self, lease: Lease) -> None:
        """The response gave its connection back in a way that passed the pool by."""
        self.discard(lease)
        if not lease.ended:
            self.end(lease)

    def end(self, lease: Lease, *, closed: bool = False) -> None:
        """The connection came back; the lease is out of `leases` already.

        Or it is `closed` for good, and does not come back.
        """
        lease.ended = True
        # Not in one: CPython looks up a method that lies in a slot anew each time.
        count = self.closed.add if closed else self.released.add
        count()
        if self.times is not None:
            now = lease.closed if closed else None
            self.times.append((self.clock() if now is None else now) - lease.opened)
        if lease.kind is not None:
            self.resolved.append(lease)
            self.alert = True
        stack = lease.stack
        if stack and stack[-2] is not CUT:
            # One more response of a line has ended well.
            self.proven.learn(stack, self.origins, in_task=lease.client.is_async)

    def give_up(self, lease: Lease | None, where: str, error: Exception) -> None:
        """Something failed that had to note how a lease ends: it is not judged.

        Runs in finalizers: no lock, no log. No lease: the failure was to find it.
        """
        if lease is not None:
            lease.ended = True
            # As `discard`, which may be what has failed.
            if self.leases.get(lease.key) is lease:
                self.leases.pop(lease.key, None)
        hand_back(error)
        # Its frames, and the error it may have come up in, hold the response.
        error.__context__ = None
        self.faults.append((where, error.with_traceback(None)))

    def finish_closed(self, lease: Lease) -> None:
        """Closed unread, and nothing waits for its slot: that ends it well."""
        self.discard(lease)
        self.end(lease, closed=True)

    def discard(self, lease: Lease) -> None:
        """Forget a lease, unless its key has gone to another one."""
        if self.leases.get(lease.key) is lease:
            self.leases.pop(lease.key, None)

    def take_times(self) -> list[float]:
        """How long leases took that ended well since the last time, in seconds."""
        return list(drain(self.times)) if self.times else []


class Revived:
    """The collected responses of which a look has yet to tell whether they are gone.

    An async generator that is collected while it is suspended goes to its loop, which
    closes it at a later turn, and by that what its blocks hold. Weak references to all
    of that are cleared by then, as if it were gone.
    """

    def __init__(self) -> None:
        self.doubtful: list[Lease] = []
        # Their client knows of one who has what is below.
        self.elsewhere: list[Lease] = []

    def let_go(self) -> list[Lease]:
        """Those that were elsewhere, and that nobody has any more, or has closed."""
        known, self.elsewhere = self.elsewhere, []
        gone: list[Lease] = []
        for lease in known:
            lives_on = lease.client.lives_on
            lives = not lease.ended and lives_on is not None and lives_on(lease)
            (self.elsewhere if lives else gone).append(lease)
        return gone

    def gone(self, now: float, patience: float) -> list[Lease]:
        """Those that are gone: nothing revived them, or nobody has closed them since.

        A loop has so many seconds to close what it revived. Costs about 60 ns for each
        object of the heap.
        """
        doubtful, self.doubtful = self.doubtful, []
        living = _living(doubtful)
        gone = []
        for lease in doubtful:
            lease.revived = id(lease) in living and lease.has_key()
            if lease.revived and not lease.ended and now - lease.active < patience:
                self.doubtful.append(lease)
            else:
                gone.append(lease)
        return gone

    def left(self, scope: Scope) -> list[Lease]:
        """Those of a scope that ends in this thread, whose loop runs no more."""
        here = runner()
        left = [
            lease
            for lease in (*self.doubtful, *self.elsewhere)
            if is_within(lease.scope, scope) and strand_of(lease.runner) == here
        ]
        self.doubtful = [lease for lease in self.doubtful if lease not in left]
        self.elsewhere = [lease for lease in self.elsewhere if lease not in left]
        return left


def _living(leases: list[Lease]) -> set[int]:
    """The ids of those whose key is of something that can be closed."""
    by_key: dict[int, list[Lease]] = {}
    for lease in leases:
        by_key.setdefault(lease.key, []).append(lease)
    return {
        id(lease)
        for one in objects()
        if id(one) in by_key
        # By type(), not isinstance: that would run a proxy's __class__.
        and not issubclass(type(one), _SUSPENDING)
        and any(not _CLOSES.isdisjoint(vars(kind)) for kind in type.mro(type(one)))
        for lease in by_key[id(one)]
        if lease.client.is_lent(one, lease)
    }
