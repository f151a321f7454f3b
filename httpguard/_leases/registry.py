"""The weak registry of leases and the deque of the dead."""

from __future__ import annotations

import random
import threading
import time
from sys import modules
from typing import TYPE_CHECKING, Any, Protocol

from .._model.scope import CURRENT_SCOPE, current_scope
from .._model.tally import Tally
from .._pools.pools import Pools
from .._stacks.capture import capture
from .._stacks.ownership import Origins
from .._stacks.raw import BRIEF, CUT
from .._stacks.sites import Proven
from .ends import Ends
from .lease import Lease
from .sessions import Sessions
from .threads import running

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from .._pools.waits import Waiter
    from .._stacks.raw import RawStack
    from .client import Client
    from .sessions import SessionRef

    Digest = Callable[[], Callable[[], dict[str, Any]] | None]


class LeaseObserver(Protocol):
    """Whoever is told of new leases."""

    attentive: bool
    """Whether it wants to be told at the moment."""

    def attend_to(self, lease: Lease, response: Any, *, raising: bool = True) -> None:
        """A lease was opened.

        In strict mode it may raise `LeakError`, unless an error of the program is on
        its way.
        """


class Registry(Ends):
    """Every lease that is open, and what ended since the last sweep.

    Nothing here takes a lock: each step is one operation of a dict or a deque,
    which CPython does whole. The weak reference's callback is the deque's own
    ``append``, so that a collection, which can happen anywhere and inside any
    lock, runs no Python code of ours.

    Args:
        clock: Seconds, monotonic.
        addresses: Host and port of our own pages, to which requests get no lease.
        digest: Returns what tells of the log context of this moment; None: nothing.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        addresses: set[tuple[str, int | None]] | None = None,
        digest: Digest = lambda: None,
    ) -> None:
        self.clock = clock
        self.addresses = set() if addresses is None else addresses
        self.digest = digest
        # Of its own: the program may have seeded the others'.
        self.draw = random.Random().random
        self.claim: Callable[[Lease | SessionRef], None] | None = None
        self.alert = False
        # Whether some lease is blamed on an adapter, until its session has it.
        self.suspects = False
        self.observer: LeaseObserver | None = None
        # One thread at a time judges, whichever of the guards that share this it asks.
        # Reentrant: a finalizer that runs inside a sweep may call `check`.
        self.judging = threading.RLock()
        self._start()
        self.configure(Origins(), depth=32, sample=1.0, submissions=False)

    def _start(self) -> None:
        self.begin()
        # Requests that wait for a connection of a blocking pool.
        self.waiters: dict[int, Waiter] = {}
        self.sessions = Sessions()
        self.pools = Pools(self.sessions.lose)
        self.opened = Tally()

    def configure(
        self,
        origins: Origins,
        *,
        depth: int,
        sample: float,
        submissions: bool,
        whole: bool = False,
    ) -> None:
        """How stacks are kept from here on.

        So many application frames of each, of a share of the leases, 0 to 1; on to
        where an executor's work was submitted; and `whole`, none in brief.
        """
        self.origins = origins
        self.depth = depth
        self.sample = sample
        self.submissions = submissions
        # As most programs have it.
        self.plain = sample >= 1 and not submissions
        self.proven = Proven(0 if whole else depth)
        self.settle()

    def observe(self, observer: LeaseObserver) -> None:
        """Tell somebody of new leases, where it wants to know."""
        self.observer = observer
        self.settle()

    def claim_by(self, claim: Callable[[Lease | SessionRef], None] | None) -> None:
        """Have somebody say of each lease, as it is opened, whose it is."""
        self.claim = claim
        self.settle()

    def settle(self) -> None:
        """See whether compiled code may open leases, and who is to be told of them.

        To be called when anything that depends on has changed.
        """
        observer = self.observer
        attends = observer.attend_to if observer and observer.attentive else None
        # Who is told, directly where that is one alone.
        self.tell = self._tell if self.claim is not None else attends
        self.swift: tuple[Any, ...] | None = None
        if observer is not None and not self.submissions and self.depth >= BRIEF:
            # In the order in which `_clients/urllib3/_speedups.c` names them.
            self.swift = (
                Lease,
                self.bury,
                self.leases,
                self.opened.add,
                self.clock,
                self.pools.known,
                self.proven,
                CUT,
                self.capture,
                self.depth,
                float(self.sample),
                self.draw,
                CURRENT_SCOPE,
                current_scope,
                self.addresses,
                modules,
                vars(threading),
                running,
                self.digest,
                self.tell,
                self.origins,
            )

    def _tell(self, lease: Lease, response: Any, *, raising: bool = True) -> None:
        """A lease was opened: say so to those who want to know."""
        if self.claim is not None:
            self.claim(lease)
        observer = self.observer
        if observer is not None and observer.attentive:
            observer.attend_to(lease, response, raising=raising)

    def capture(self, frame: FrameType) -> RawStack:
        """The whole stack of a frame, as deep as stacks are kept."""
        return capture(frame, self.depth, self.origins)

    def add_session(
        self, session: Any, client: Client, frame: FrameType, *, lonely: bool
    ) -> SessionRef:
        """Know a session; a lonely one is one request's own."""
        ref = self.sessions.add(
            session,
            client,
            self.capture(frame),
            now=self.clock(),
            context=self.digest(),
            lonely=lonely,
        )
        if self.claim is not None:
            self.claim(ref)
        return ref

    # A part of the process's state, for which a fork matters: see `Forked`.

    def stood_still(self, seconds: float) -> None:
        """Nobody could read, nor make a request: the time does not count as idle."""
        now = self.clock()
        for lease in list(self.leases.values()):
            lease.active = min(lease.active + seconds, now)
        for pool in list(self.pools.known.values()):
            pool.active = min(pool.active + seconds, now)

    def pause(self) -> None:
        """In the parent, before a fork: it has no threads."""

    def resume(self) -> None:
        """In the parent, after it."""

    def forget(self) -> None:
        """In the child: the leases are its parent's."""
        if self.times is not None:
            self.times.clear()
        self.alert = False
        self.judging = threading.RLock()
        self._start()
        self.settle()
