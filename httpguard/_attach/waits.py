"""Requests that waited for a connection before httpguard came: no wrapper tells."""

from __future__ import annotations

import sys
import threading
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from .._pools.waits import Waiter
from .._stacks.ownership import is_own
from .._stacks.running import frames_of_threads, suspended_greenlets
from .._stacks.tasks import suspended
from .._stacks.variables import first_argument

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import CodeType, FrameType

    from .._leases.registry import Registry
    from .._pools.pool import PoolRef
    from .._stacks.raw import RawStack

_MOST_TASKS: Final = 1000
_MOST_FRAMES: Final = 100

Key = tuple[int, int]
"""A thread, greenlet or task, and a pool."""


class Waits:
    """Those that have waited since before, told to the registry while they do."""

    def __init__(self) -> None:
        self._known: dict[Key, Waiter] = {}

    def look(self, registry: Registry) -> None:
        """See who waits still.

        About 20 us for a thread or a task, and under gevent a walk over all objects.
        """
        blocking = [one for one in list(registry.pools.known.values()) if one.block]
        found: dict[Key, Waiter] = {}
        for who, name, frames in _stacks() if blocking else ():
            wait = _wait_of(frames, blocking, registry)
            if wait is not None:
                pool, stack = wait
                key = (who, pool.key)
                known = self._known.get(key)
                found[key] = known or Waiter(
                    pool, registry.clock(), name, stack, longer=True
                )
        self._tell(registry, found)

    def end(self, registry: Registry) -> None:
        self._tell(registry, {})

    def _tell(self, registry: Registry, found: dict[Key, Waiter]) -> None:
        for key in self._known.keys() - found.keys():
            registry.waiters.pop(id(self._known[key]), None)
        for waiter in found.values():
            registry.waiters[id(waiter)] = waiter
        self._known = found


def _wait_of(
    frames: Iterable[FrameType], blocking: list[PoolRef], registry: Registry
) -> tuple[PoolRef, RawStack] | None:
    """The pool that a stack waits for, and its frames from there out.

    None too where our own wrapper is above: that one tells. The frames come innermost
    first.
    """
    origins = registry.origins
    waited: PoolRef | None = None
    stack: list[CodeType | int] = []
    for frame in frames:
        code = frame.f_code
        if waited is not None:
            if not stack and is_own(code.co_filename):
                return None
            stack += (code, frame.f_lasti)
        elif origins.packages[code.co_filename] is not None:
            waited = _waited_in(frame, blocking)
    return None if waited is None else (waited, tuple(stack))


def _waited_in(frame: FrameType, blocking: list[PoolRef]) -> PoolRef | None:
    owner: Any = first_argument(frame)
    for known in blocking:
        pool = known()
        if pool is not None and known.ask.is_wait(pool, owner, frame.f_code.co_name):
            return known
    return None


def _stacks() -> Iterator[tuple[int, str, Iterable[FrameType]]]:
    """Of each thread, greenlet and task: number, name, and frames, innermost first."""
    # At once: of a frame that has returned meanwhile nothing leads outwards. To find
    # the greenlets takes longer.
    greenlets = [(ident, list(_outwards(top))) for ident, top in suspended_greenlets()]
    threads = frames_of_threads()
    stacks = [
        *greenlets,
        *((ident, list(_outwards(threads[ident]))) for ident in threads),
    ]
    del greenlets, threads
    names = {one.ident: one.name for one in threading.enumerate()}
    loops: list[Any] = []
    while stacks:
        ident, frames = stacks.pop()
        if ident != threading.get_ident():
            loops += _loops_in(frames)
            yield ident, names.get(ident, f"thread-{ident}"), frames
    asyncio: Any = sys.modules.get("asyncio")
    tasks = (task for loop in loops for task in asyncio.all_tasks(loop))
    for task in islice(tasks, _MOST_TASKS):
        inner = list(suspended(task.get_coro()))
        yield id(task), task.get_name(), inner[::-1]


def _outwards(frame: FrameType | None) -> Iterator[FrameType]:
    for _ in range(_MOST_FRAMES):
        if frame is None:
            return
        yield frame
        frame = frame.f_back


def _loops_in(frames: Iterable[FrameType]) -> Iterator[Any]:
    """The loop of asyncio that a thread runs: uvloop's shows by asyncio's `Runner`."""
    for one in frames:
        if one.f_code.co_name in {"run_forever", "run"}:
            owner: Any = first_argument(one)
            loop = getattr(owner, "_loop", owner)
            if hasattr(loop, "call_soon_threadsafe"):
                yield loop
                return
