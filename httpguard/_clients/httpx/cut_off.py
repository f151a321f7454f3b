"""Slots that cancelled tasks leave behind in the pools of httpcore.

A connection comes back in steps that wait, and a task that is cancelled in one of them
goes no further: its response counts as closed, another ``aclose()`` does nothing, and
its connection is never idle again. One that is cancelled as it is about to connect
leaves a connection that nobody opens. Requests that go well pay nothing for this.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from ..._leases.client import Ending
from ..._model.errors import LeakError
from ..gate import GATE
from .client import LEFT, AsyncHttpx, is_free, is_stuck, release
from .pools import came_back, end, meet
from .reclaiming import Left

if TYPE_CHECKING:
    from types import FrameType

    from ..._leases.client import Facts
    from ..._leases.lease import Lease
    from ..patching import Method, Patcher

_HINT: Final = (
    "end the call by its `timeout=`, or put it in `asyncio.shield(...)`: its task was"
    " cancelled as httpcore took or gave back the connection, which then stays in the"
    " pool for good"
)


class CutOff(AsyncHttpx):
    """Connections that the pool of an `AsyncClient` has, and nobody else."""

    def state(self, response: Any) -> Ending:
        return Ending.RELEASED if is_free(response) else Ending.CLOSED

    def bytes_read(self, response: Any) -> int:  # noqa: ARG002
        """Nobody can tell."""
        return 0

    def socket(self, response: Any) -> None:
        """Nobody reads it."""

    def readers(self, response: Any) -> list[object]:
        return [response]

    def is_forgotten(self, reference: object) -> bool:  # noqa: ARG002
        """It is collected with its pool."""
        return False

    def release(self, response: Any) -> None:
        release(response)

    def hint(self, facts: Facts) -> str:  # noqa: ARG002
        return _HINT


_CLIENTS: Final = {
    "httpcore": CutOff("httpx", "httpcore"),
    "httpcore2": CutOff("httpx2", "httpcore2"),
}


def patch(patcher: Patcher, core: str) -> None:
    """Patch what httpcore or httpcore2 define.

    Args:
        patcher: Of the process.
        core: The package, imported.
    """
    module = sys.modules[f"{core}._async.connection_pool"]
    patcher.wrap(module.PoolByteStream, "aclose", _aclose)


def _aclose(wrapped: Method) -> Method:
    """A connection of coroutines comes back."""

    async def aclose(self: Any) -> None:
        if self._closed:
            return
        lease = None
        if id(self) in GATE.registry.leases:
            lease = GATE.registry.leases.pop(id(self))
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

    Args:
        stream: Of httpcore.
        lease: Of its response, out of the registry; None: httpx was reading it.
        frame: The innermost frame to keep.
    """
    registry = GATE.registry
    try:
        if not is_stuck(stream):
            return False
        if lease is not None:
            lease.ended = False
            _leave(stream._pool, stream._pool_request.connection)
            lease.closed = registry.clock()
            registry.leases[lease.key] = lease
            registry.bury(lease)
        elif not _is_destroyed():
            taken = stream._pool_request
            method, url = taken.request.method, bytes(taken.request.url)
            _begin(stream._pool, taken.connection, _text(method), _text(url), frame)
    except Exception as error:
        registry.give_up(lease, "httpcore", error)
        return False
    return True


def left_behind(client: Any, request: Any, frame: FrameType) -> None:
    """A request was cancelled: look for a connection that it has left in its pool.

    Args:
        client: An `AsyncClient`.
        request: Of httpx.
        frame: The innermost frame to keep.
    """
    try:
        pool = getattr(client._transport_for_url(request.url), "_pool", None)
        if GATE.guard is None or pool is None or _is_destroyed():
            return
        used = {id(one.connection) for one in pool._requests}
        for connection in list(pool._connections):
            if id(connection) not in used and not is_free(connection):
                _begin(pool, connection, request.method, request.url, frame)
    except Exception as error:
        GATE.fault("httpcore", error)


def _is_destroyed() -> bool:
    """Whether a coroutine ends as nobody has it any more: that runs in a finalizer."""
    return sys.exc_info()[0] is GeneratorExit


def _text(part: bytes) -> str:
    return part.decode("ascii", "replace")


def _begin(pool: Any, connection: Any, method: Any, url: Any, frame: FrameType) -> None:
    """Open a lease of what no application has, closed already."""
    registry = GATE.registry
    known, client = meet(pool), _CLIENTS.get(type(pool).__module__.partition(".")[0])
    if known is None or client is None or not known.block or hasattr(connection, LEFT):
        return
    known.know(connection)  # One that was never opened is new.
    with suppress(LeakError):  # The program's own error is on its way.
        GATE.begin(
            client,
            connection,
            connection,
            known,
            method=method,
            url=url,
            status=0,
            length=None,
            frame=frame,
        )
    lease = registry.leases.get(id(connection))
    if lease is not None:
        _leave(pool, connection)
        lease.closed = registry.clock()
        registry.bury(lease)


def _leave(pool: Any, connection: Any) -> None:
    """Remember that a connection is nobody's, and where it may be closed."""
    guard = GATE.guard
    reclaims = guard is not None and guard.reclaims
    setattr(connection, LEFT, Left(pool) if reclaims else None)
