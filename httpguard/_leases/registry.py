"""The weak registry of leases and the deque of the dead."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections import deque
from contextvars import copy_context
from sys import modules
from typing import TYPE_CHECKING, Any, Final, Protocol

from .._clients import compiled as _compiled
from .._model.scope import CURRENT_SCOPE, current_scope
from .._pools.pools import Pools
from .._stacks.brief import Proven
from .._stacks.capture import BRIEF, CUT, capture, capture_brief, place_of
from .._stacks.ownership import Origins
from .._stacks.submission import submission
from .lease import Lease, Tally
from .own import ADDRESSES
from .sessions import Sessions

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from urllib3.connectionpool import HTTPConnectionPool
    from urllib3.response import HTTPResponse

    from .._model.scope import Scope
    from .._pools.pool import Waiter
    from .._stacks.capture import RawStack
    from .sessions import SessionRef

_MOST_FAULTS: Final = 100


class Listener(Protocol):
    """Whom a registry tells of new leases."""

    # Whether it wants to be told.
    attentive: bool

    def attend_to(self, lease: Lease, response: HTTPResponse, *, raising: bool) -> None:
        """A lease was opened; may raise `LeakError` where that is wanted."""


class Registry:
    """Every lease that is open, and what ended since the last sweep.

    Nothing here takes a lock: each step is one operation of a dict or a deque,
    which CPython does whole. The weak reference's callback is the deque's own
    ``append``, so that a collection, which can happen anywhere and inside any
    lock, runs no Python code of ours.

    Args:
        clock: Seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Start empty."""
        self.clock = clock
        # By the id of their connection: a pool gets that back, not the response.
        self.leases: dict[int, Lease] = {}
        # Requests that wait for a connection of a blocking pool.
        self.waiters: dict[int, Waiter] = {}
        self.sessions = Sessions()
        self.pools = Pools(self.sessions)
        # Collected before they gave their connection back: to be judged.
        self.dead: deque[Lease] = deque()
        self._bury = self.dead.append
        # Failures of ours where nothing may be logged, as in finalizers: to be said.
        self.faults: deque[tuple[str, Exception]] = deque(maxlen=_MOST_FAULTS)
        # Judged leaks that ended well after all: to be said.
        self.resolved: deque[Lease] = deque()
        self.opened = Tally()
        self.released = Tally()
        self.closed = Tally()
        self.claim: Callable[[Lease | SessionRef], None] | None = None
        # How long leases that ended well took, in seconds; None: nobody asks.
        self.times: deque[float] | None = None
        # Whether guarded calls have to report in although nothing ended.
        self.alert = False
        self.listener: Listener | None = None
        # One thread at a time judges, whichever of the guards that share this it asks.
        # Reentrant: a finalizer that runs inside a sweep may call `check`.
        self.judging = threading.RLock()
        self.configure(Origins(), depth=32, sample=1.0, follow=False)

    def configure(
        self, origins: Origins, *, depth: int, sample: float, follow: bool
    ) -> None:
        """How stacks are kept from here on.

        Args:
            origins: Whose code a file is.
            depth: Application frames of each.
            sample: The share of leases that have one, 0 to 1.
            follow: Whether they go on to where an executor's work was submitted.
        """
        self.origins = origins
        self.depth = depth
        self.sample = sample
        self.follow = follow
        # As most programs have it.
        self.plain = sample >= 1 and not follow
        self.proven = Proven(depth)
        self.settle()

    def listen(self, listener: Listener) -> None:
        """Tell somebody of new leases, where it wants to know.

        Args:
            listener: In the place of the one before.
        """
        self.listener = listener
        self.settle()

    def claim_by(self, claim: Callable[[Lease | SessionRef], None] | None) -> None:
        """Have somebody say of each lease, as it is opened, whose it is.

        Args:
            claim: Called with the lease; None: nobody.
        """
        self.claim = claim
        self.settle()

    def settle(self) -> None:
        """See whether `open_lease` may open leases: nobody else is to be told.

        To be called when anything that depends on has changed.
        """
        listener = self.listener
        self.swift: tuple[Any, ...] | None = None
        if (
            _compiled.COMPILED
            and listener is not None
            and not listener.attentive
            and self.claim is None
            and not self.follow
            and self.depth >= BRIEF
        ):
            # In the order in which `_speedups.c` names them.
            self.swift = (
                Lease,
                self._bury,
                self.leases,
                self.opened.add,
                self.clock,
                self.pools.known,
                self.proven,
                CUT,
                self._capture,
                float(self.sample),
                random.random,
                CURRENT_SCOPE,
                ADDRESSES,
                modules,
                vars(threading),
            )

    def add(  # noqa: PLR0917  # By position: it is called for each lease.
        self,
        response: HTTPResponse,
        pool: HTTPConnectionPool,
        method: Any,
        url: Any,
        frame: FrameType,
        client: str,
        *,
        reading: bool,
        raising: bool = True,
    ) -> None:
        """The application is given a response that holds a connection: open a lease.

        About 2 us in a loop, four times that between requests (``benchmarks/``).

        Args:
            response: Holds a connection of the pool.
            pool: The pool.
            method: As the program gave it.
            url: Absolute, or a path of the pool.
            frame: The innermost frame to keep.
            client: ``requests``, or empty where the stack tells.
            reading: requests is going to read the body first.
            raising: False where an error of the program is on its way.

        Raises:
            LeakError: By the listener, in strict mode.
        """
        key = id(response._connection)
        known = self.leases.get(key)
        if known is not None and self._goes_on(known, response):
            return  # A redirect or retry re-entered urlopen.
        if ADDRESSES and (pool.host, pool.port) in ADDRESSES:
            return
        lease = Lease(response, self._bury)
        lease.key = key
        scope = CURRENT_SCOPE.get()
        if scope is not None:
            scope = current_scope()
        lease.scope = scope
        if scope is None and self.plain:
            lease.stack = capture_brief(frame, self.proven) or self._capture(frame)
        else:
            lease.stack = self._stack(frame, scope)
        # structlog's context variables and OpenTelemetry's span are there around
        # the request, and gone when a sweep reports its leak. Copying a context is
        # O(1), 30 ns.
        lease.context = (
            copy_context()
            if "structlog" in modules or "opentelemetry" in modules
            else None
        )
        lease.opened = lease.active = self.clock()
        lease.ended = False
        lease.reading = reading
        lease.bytes_read = response._fp_bytes_read
        lease.length = response.length_remaining
        lease.status = response.status
        lease.method = method
        lease.url = url
        lease.client = client
        try:
            # As `thread_name`, without a call.
            lease.thread = threading._active[threading.get_ident()]._name  # type: ignore[attr-defined]
        except KeyError:
            lease.thread = thread_name()
        # As `Pools.get`, without a call.
        owner = self.pools.known.get(id(pool))
        if owner is None or owner() is not pool:
            owner = self.pools.meet(pool, lease.opened)
        lease.pool = owner
        lease.slot = owner.slots.get(key)
        if owner.block:
            lease.slot = slot = owner.slot_of(response._connection)
            lease.turn = 0 if slot is None else slot.turn
        # From here on a sweep sees it. A dead lease under the same key is in the
        # deque already.
        self.leases[key] = lease
        self.opened.add()
        if self.claim is not None:
            self.claim(lease)
        listener = self.listener
        if listener is not None and listener.attentive:
            listener.attend_to(lease, response, raising=raising)

    def _goes_on(self, lease: Lease, response: HTTPResponse) -> bool:
        """Whether the lease of a connection is that of the response it now has.

        Another response's is over: the pool got the connection unseen, and lent it on.
        """
        earlier = lease()
        if earlier is not None and earlier is not response:
            self.end(lease)
        return earlier is response

    def _stack(self, frame: FrameType, scope: Scope | None) -> RawStack | None:
        """As in `add`, where something was asked for that few ask for.

        None where the lease is not sampled. What a scope judges always is, with its
        whole stack.
        """
        if scope is None and random.random() >= self.sample:
            return None
        stack = scope is None and capture_brief(frame, self.proven)
        stack = stack or self._capture(frame)
        return stack + submission(frame) if self.follow else stack

    def _capture(self, frame: FrameType) -> RawStack:
        """The stack of a frame, as deep as stacks are kept."""
        return capture(frame, self.depth, self.origins)

    def add_session(self, session: Any, client: str, frame: FrameType) -> None:
        """Know a session.

        Args:
            session: Of requests, or a pool manager of urllib3.
            client: Which of the two.
            frame: Where it was made.
        """
        ref = self.sessions.add(session)
        ref.client = client
        ref.scope = current_scope()
        ref.stack = stack = self._capture(frame)
        ref.place = place_of(stack, self.origins)
        ref.direct = self.origins[frame.f_code.co_filename]
        # As of a lease.
        ref.context = (
            copy_context()
            if "structlog" in modules or "opentelemetry" in modules
            else None
        )
        ref.thread = thread_name()
        ref.opened = ref.active = self.clock()
        if self.claim is not None:
            self.claim(ref)

    def get(self, response: Any) -> Lease | None:
        """The open lease of a response, or None."""
        lease = self.leases.get(id(getattr(response, "_connection", None)))
        return lease if lease is not None and lease() is response else None

    def release(self, lease: Lease) -> None:
        """The response gave its connection back in a way that passed the pool by."""
        self.discard(lease)
        if not lease.ended:
            self.end(lease)

    def end(self, lease: Lease) -> None:
        """The connection came back; the lease is out of `leases` already."""
        lease.ended = True
        self.released.add()
        if self.times is not None:
            self.times.append(self.clock() - lease.opened)
        if lease.kind is not None:
            self.resolved.append(lease)
        stack = lease.stack
        if stack and stack[-2] is not CUT:
            self.proven.learn(stack, self.origins)

    def give_up(self, lease: Lease | None, where: str, error: Exception) -> None:
        """Something failed that had to note how a lease ends: it is not judged.

        Runs in finalizers: no lock, no log.

        Args:
            lease: None where the failure was to find it.
            where: The part that failed.
            error: How.
        """
        if lease is not None:
            self.discard(lease)
            lease.ended = True
        # Its frames, and the error it may have come up in, hold the response.
        error.__context__ = None
        self.faults.append((where, error.with_traceback(None)))

    def finish_closed(self, lease: Lease) -> None:
        """Closed unread where nothing waits for the slot: that ends it well."""
        self.discard(lease)
        lease.ended = True
        self.closed.add()
        if self.times is not None and lease.closed is not None:
            self.times.append(lease.closed - lease.opened)
        if lease.kind is not None:
            self.resolved.append(lease)

    def discard(self, lease: Lease) -> None:
        """Forget a lease, unless its key has gone to another one."""
        if self.leases.get(lease.key) is lease:
            self.leases.pop(lease.key, None)

    def clear(self) -> None:
        """Forget everything, as a forked child does: the leases are its parent's."""
        self.judging = threading.RLock()
        self.leases.clear()
        self.dead.clear()
        self.faults.clear()
        self.resolved.clear()
        if self.times is not None:
            self.times.clear()
        self.waiters.clear()
        self.sessions = Sessions()
        self.pools = Pools(self.sessions)
        self.opened = Tally()
        self.released = Tally()
        self.closed = Tally()
        self.settle()

    def take_times(self) -> list[float]:
        """How long leases took that ended well since the last time, in seconds."""
        taken: list[float] = []
        # Another thread may take the last one.
        with contextlib.suppress(IndexError):
            while self.times:
                taken.append(self.times.popleft())
        return taken


def thread_name() -> str:
    """The name of the thread, or the number of the greenlet, that runs this.

    Not by ``threading.current_thread()``: for a thread that Python did not
    start, that one makes a dummy which the program would see.
    """
    ident = threading.get_ident()
    thread = threading._active.get(ident)  # type: ignore[attr-defined]  # the table behind enumerate()
    if thread is not None:
        return thread._name  # type: ignore[no-any-return]  # the property is twice as slow
    # Not a greenlet's `name` either: gevent assigns one as it is asked for.
    return f"thread-{ident}"
