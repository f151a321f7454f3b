"""How leases end, and what is to be said of them at the next sweep."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final

from .._model.interrupts import hand_back
from .._model.tally import Tally, drain
from .._stacks.capture import CUT

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._stacks.brief import Proven
    from .._stacks.ownership import Origins
    from .lease import Lease

_MOST_FAULTS: Final = 100


class Ends:
    """The leases that are open, and how each of them ends.

    No method takes a lock or logs: finalizers call them.
    """

    clock: Callable[[], float]
    origins: Origins
    proven: Proven
    # How long leases that ended well took, in seconds; None: nobody asks.
    times: deque[float] | None = None

    def begin(self) -> None:
        # By the id of their connection: a pool gets that back, not the response.
        self.leases: dict[int, Lease] = {}
        # Collected before they gave their connection back: to be judged.
        self.dead: deque[Lease] = deque()
        self.bury = self.dead.append
        # Failures of ours where nothing may be logged: to be said.
        self.faults: deque[tuple[str, Exception]] = deque(maxlen=_MOST_FAULTS)
        # Judged leaks that ended well after all: to be said.
        self.resolved: deque[Lease] = deque()
        self.released = Tally()
        self.closed = Tally()

    def get(self, connection: object, response: Any) -> Lease | None:
        """The open lease of a response, or None."""
        lease = self.leases.get(id(connection))
        return lease if lease is not None and lease() is response else None

    def release(self, lease: Lease) -> None:
        """The response gave its connection back in a way that passed the pool by."""
        self.discard(lease)
        if not lease.ended:
            self.end(lease)

    def end(self, lease: Lease, closed: Tally | None = None) -> None:
        """The connection came back; the lease is out of `leases` already.

        Args:
            lease: Its lease.
            closed: What counts it in the place of `released`.
        """
        lease.ended = True
        # Not in one: CPython looks up a method that lies in a slot anew each time.
        count = (closed or self.released).add
        count()
        if self.times is not None:
            now = lease.closed if closed else None
            self.times.append((self.clock() if now is None else now) - lease.opened)
        if lease.kind is not None:
            self.resolved.append(lease)
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
        self.end(lease, self.closed)

    def discard(self, lease: Lease) -> None:
        """Forget a lease, unless its key has gone to another one."""
        if self.leases.get(lease.key) is lease:
            self.leases.pop(lease.key, None)

    def take_times(self) -> list[float]:
        """How long leases took that ended well since the last time, in seconds."""
        return list(drain(self.times)) if self.times else []
