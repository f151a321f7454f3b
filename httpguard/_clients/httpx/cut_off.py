"""Slots that requests which go wrong leave behind in the pools of httpcore.

A connection comes back in steps that wait, and a task that is cancelled in one of them
goes no further: its response counts as closed, another ``aclose()`` does nothing, and
its connection is never idle again. One that is cancelled as it is about to connect
leaves a connection that nobody opens, and so does one that is given a connection as its
wait for one is over. Requests that go well pay nothing for this.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from ..._leases.client import Ending
from ..._model.errors import LeakError
from ..._stacks.variables import Unknown, first_argument, variable
from ..gate import GATE
from .client import CLIENTS, LEFT, CorePart, is_free, is_stuck, release
from .pools import came_back, end, meet, take_lease
from .reclaiming import leave
from .window import uses_up

if TYPE_CHECKING:
    from types import FrameType

    from ..._leases.lease import Lease
    from ..patching import Method, Patcher

_CANCELLED: Final = (
    "end the call by its `timeout=`, or put it in `asyncio.shield(...)`: its task was"
    " cancelled as httpcore took or gave back the connection, which then stays in the"
    " pool for good"
)
_TIMED_OUT: Final = (
    "make the pool as large as is needed at once (`max_connections`), or wait longer"
    " (`pool=` of `httpx.Timeout`): httpcore gave this request a connection as its wait"
    " was over, which then stays in the pool for good"
)


class CutOff(CorePart):
    """Connections that the pool of a client has, and nobody else."""

    def state(self, response: Any) -> Ending:
        return Ending.RELEASED if is_free(response) else Ending.CLOSED

    def release(self, response: Any) -> bool | None:
        return release(response)


def patch(patcher: Patcher, core: str) -> None:
    module = sys.modules[f"{core}._async.connection_pool"]
    patcher.wrap(module.PoolByteStream, "aclose", _aclose)


def _aclose(wrapped: Method) -> Method:
    """A connection of coroutines comes back."""

    async def aclose(self: Any) -> None:
        if self._closed:
            return
        lease = take_lease(self)
        if lease is not None:
            if uses_up(self, lease):
                lease = None
            else:
                lease.ended = True
        is_lost = False
        try:
            await wrapped(self)
        finally:
            # A task that is cancelled meanwhile, or was before, may lose the slot.
            if sys.exc_info()[0] is not None:
                is_lost = _look_at(self, lease, sys._getframe())
            if not is_lost:
                if lease is not None:
                    end(lease)
                came_back(self)

    return aclose


def _look_at(stream: Any, lease: Lease | None, frame: FrameType) -> bool:
    """A stream was closed in the course of an error: see whether its slot is lost.

    Its lease is out of the registry; None: httpx was reading it.
    """
    registry = GATE.registry
    try:
        if not is_stuck(stream):
            return False
        taken = stream._pool_request
        if lease is not None:
            lease.ended = False
            leave(stream._pool, taken.connection, taken)
            lease.closed = registry.clock()
            registry.leases[lease.key] = lease
            registry.bury(lease)
        elif not _is_destroyed():
            method, url = taken.request.method, bytes(taken.request.url)
            asked = method.decode("ascii", "replace"), url.decode("ascii", "replace")
            _begin(stream._pool, taken.connection, asked, frame, taken=taken)
    except Exception as error:
        registry.give_up(lease, "httpcore", error)
        return False
    return True


def left_behind(
    client: Any, request: Any, error: BaseException, frame: FrameType
) -> None:
    """A request went wrong: look for a connection that it has left in its pool."""
    try:
        if isinstance(error, Exception):
            if type(error).__name__ == "PoolTimeout":
                _look_at_wait(request, error, frame)
            return
        pool = getattr(client._transport_for_url(request.url), "_pool", None)
        if GATE.guard is None or pool is None or _is_destroyed():
            return
        for connection in list(pool._connections):
            if _is_nobodys(pool, connection):
                _begin(pool, connection, (request.method, request.url), frame)
    except Exception as failure:
        GATE.fault("httpcore", failure)


def _look_at_wait(request: Any, error: Exception, frame: FrameType) -> None:
    """A wait was over: see whether httpcore has given it a connection meanwhile."""
    traceback = None if error.__cause__ is None else error.__cause__.__traceback__
    while traceback is not None:
        taken: Any = variable(traceback.tb_frame, "pool_request")
        if isinstance(taken, Unknown):
            traceback = traceback.tb_next
            continue
        pool: Any = first_argument(traceback.tb_frame)
        if taken.connection is None:
            return
        with pool._optional_thread_lock:
            is_lost = _is_nobodys(pool, taken.connection)
        if is_lost:
            asked = request.method, request.url
            _begin(pool, taken.connection, asked, frame, hint=_TIMED_OUT)
        return


def _is_nobodys(pool: Any, connection: Any) -> bool:
    """Whether a pool has a connection that no request has, or may have."""
    return (
        connection in pool._connections
        and not is_free(connection)
        and all(one.connection is not connection for one in pool._requests)
    )


def _is_destroyed() -> bool:
    """Whether a coroutine ends as nobody has it any more: that runs in a finalizer."""
    return sys.exc_info()[0] is GeneratorExit


def _begin(
    pool: Any,
    connection: Any,
    asked: tuple[Any, Any],
    frame: FrameType,
    *,
    hint: str = _CANCELLED,
    taken: Any = None,
) -> None:
    """Open a lease of what no application has, closed already.

    `asked` is method and URL, `taken` the pool's request that has it; None: none has.
    """
    registry = GATE.registry
    known, core = meet(pool), type(pool).__module__.partition(".")[0]
    sides = CLIENTS.get(core.replace("httpcore", "httpx"))
    if known is None or sides is None or not known.block or hasattr(connection, LEFT):
        return
    known.know(connection)  # One that was never opened is new.
    with suppress(LeakError):  # The program's own error is on its way.
        facts = {"method": asked[0], "url": asked[1], "status": 0, "length": None}
        client = CutOff(sides[hasattr(pool, "aclose")], hint)
        GATE.begin(client, connection, connection, known, frame=frame, **facts)
    lease = registry.leases.get(id(connection))
    if lease is not None:
        leave(pool, connection, taken)
        lease.closed = registry.clock()
        registry.bury(lease)
