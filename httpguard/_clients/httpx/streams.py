"""HTTP/2: many requests share a connection, and wait for one of its streams.

No timeout counts for that wait: a program whose forgotten responses have all streams
hangs for ever.
"""

from __future__ import annotations

import sys
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from ..._pools.waits import Share
from ..._stacks.variables import first_argument
from ..gate import GATE
from ..guard import Waiting
from ..losing import note_retries
from .reclaiming import is_retired

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from types import FrameType

    from ..._pools.pool import PoolRef
    from ..patching import Method, Patcher

# The functions of a connection that wait for a stream.
_REQUESTS: Final = ("handle_request", "handle_async_request")
# Frames from there up to the pool: proxies have a connection in a connection.
_MOST_FRAMES: Final = 8


def patch(patcher: Patcher, core: str) -> None:
    module = sys.modules[f"{core}._synchronization"]
    gone = sys.modules[core].ConnectionNotAvailable
    patcher.wrap(module.Semaphore, "acquire", partial(_acquire, gone=gone))
    patcher.wrap(module.AsyncSemaphore, "acquire", _aacquire)


def _acquire(wrapped: Method, *, gone: type[Exception]) -> Method:
    """A request takes a stream, and waits for one where all are in use.

    `gone` is what tells the pool to use another connection.
    """

    def acquire(self: Any) -> None:
        with _waiting():
            wrapped(self)
        if _is_retired(sys._getframe(1)):
            self.release()  # For the next one that waits.
            raise gone

    return acquire


def _aacquire(wrapped: Method) -> Method:

    async def acquire(self: Any) -> None:
        with _waiting(in_task=True):
            await wrapped(self)

    return acquire


def _waiting(*, in_task: bool = False) -> AbstractContextManager[None]:
    guard = GATE.guard
    try:
        # The wrapper's caller.
        frame = sys._getframe(2)
        if guard is None or frame.f_code.co_name not in _REQUESTS:
            return nullcontext()
        connection: Any = first_argument(frame)
        # Read by the connection's own thread or loop.
        streams = connection._max_streams
        if len(connection._events) >= streams:
            known = _pool_above(frame)
            if known is not None:
                stack = GATE.task_stack(frame) if in_task else None
                share = Share(known.name, streams, streams=True)
                note_retries(GATE.registry, None, frame)
                waiter = guard.begin_wait(known, frame, stack, share)
                return Waiting(guard, known, waiter)
    except Exception as error:
        GATE.fault("httpcore", error)
    return nullcontext()


def _is_retired(frame: FrameType) -> bool:
    """Whether a connection is to have no more requests, of the frame that asks it."""
    try:
        return frame.f_code.co_name == _REQUESTS[0] and is_retired(
            first_argument(frame)
        )
    except Exception as error:
        GATE.fault("httpcore", error)
        return False


def _pool_above(frame: FrameType) -> PoolRef | None:
    """The pool whose request a connection is about to send."""
    caller = frame.f_back
    for _ in range(_MOST_FRAMES):
        if caller is None:
            break
        owner = first_argument(caller)
        known = GATE.registry.pools.known.get(id(owner))
        if known is not None and known() is owner:
            return known
        caller = caller.f_back
    return None
