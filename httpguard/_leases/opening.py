"""How a lease is opened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._model.plain import as_text
from .._model.scope import CURRENT_SCOPE, current_scope
from .._stacks.capture import capture_brief
from .._stacks.submission import submission
from .lease import Lease
from .threads import running

if TYPE_CHECKING:
    from types import FrameType

    from .._model.scope import Scope
    from .._pools.pool import PoolRef
    from .._stacks.raw import RawStack
    from .client import Client
    from .registry import Registry


def begin(  # noqa: PLR0917  # By position: it is called for each lease.
    registry: Registry,
    client: Client,
    response: Any,
    connection: object,
    pool: PoolRef,
    method: Any,
    url: Any,
    status: int,
    length: int | None,
    bytes_read: int,
    frame: FrameType,
    reading: bool,  # noqa: FBT001
    raising: bool = True,  # noqa: FBT001, FBT002
    stack: RawStack | None = None,
    held: object = None,
) -> None:
    """The application is given a response that holds a connection: open a lease.

    About 2 us in a loop, four times that between requests (``benchmarks/``). Arguments
    as of `Gate.begin`; not `raising` where an error of the program is on its way, and
    else the observer may raise `LeakError`. `stack` is a task's, in the place of the
    frame's.
    """
    key = id(connection)
    known = registry.leases.get(key)
    handed_on = False
    if known is not None:
        handed_on = _hands_on(known, connection, response)
        if not handed_on and _goes_on(registry, known, response):
            return  # A redirect or retry re-entered the client.
    if registry.addresses and (pool.host, pool.port) in registry.addresses:
        return
    lease = Lease(response, registry.bury)
    scope = CURRENT_SCOPE.get()
    if scope is not None:
        scope = current_scope()
    lease.scope = scope
    if scope is None and stack is None and registry.plain:
        lease.stack = capture_brief(frame, registry.proven) or registry.capture(frame)
    else:
        lease.stack = _stack(registry, frame, scope, stack)
    # What is bound to the log context and the current span are there around the
    # request, and gone when a sweep reports its leak.
    # Not in one: CPython looks up a method that lies in an attribute anew each time.
    digest, clock = registry.digest, registry.clock
    lease.context = digest()
    lease.opened = lease.active = clock()
    lease.ended = False
    lease.kind = None
    lease.reading = reading
    lease.bytes_read = bytes_read
    lease.length = length
    lease.status = status
    # Objects of the program are not kept for the sake of their text.
    lease.method = method if type(method) is str else as_text(method)
    lease.url = url if type(url) is str else as_text(url)
    lease.client = client
    lease.runner, lease.thread = running()
    lease.pool = pool
    held = connection if held is None else held
    slot = pool.slots.get(id(held))
    if pool.block:
        slot = pool.slot_of(held)
        lease.turn = 0 if slot is None else slot.turn
    lease.slot = slot
    if slot is not None and held is connection:
        key = slot.key  # The same number, which takes 32 bytes.
    lease.key = key
    # From here on a sweep sees it. A dead lease under the same key is in the
    # deque already.
    registry.leases[key] = lease
    if not handed_on:
        count = registry.opened.add
        count()
    if registry.tell is not None:
        registry.tell(lease, response, raising=raising)


def _hands_on(lease: Lease, connection: object, response: Any) -> bool:
    """Whether a lease was the connection's own until the response came."""
    if connection is response or lease() is not connection:
        return False
    lease.ended = True
    return True


def _goes_on(registry: Registry, lease: Lease, response: Any) -> bool:
    """Whether the lease of a connection is that of the response it now has.

    Another response's is over: the pool got the connection unseen, and lent it on.
    """
    earlier = lease()
    if earlier is not None and earlier is not response:
        registry.end(lease)
    if lease.adopted and earlier is response:
        # Found on its way to the application, whose line is known now.
        lease.ended = True
        return False
    return earlier is response


def _stack(
    registry: Registry, frame: FrameType, scope: Scope | None, stack: RawStack | None
) -> RawStack | None:
    """As in `begin`, where something was asked for that few ask for.

    None where the lease is not sampled. What a scope judges always is, with its
    whole stack.
    """
    if scope is None and registry.draw() >= registry.sample:
        return None
    if stack is not None:
        return stack
    brief = scope is None and capture_brief(frame, registry.proven)
    stack = brief or registry.capture(frame)
    return stack + submission(frame) if registry.submissions else stack
