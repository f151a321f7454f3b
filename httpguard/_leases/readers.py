"""Who waits for a response: the look that only suspects pay for.

And at the end of the process, who would still close it.
"""

from __future__ import annotations

import gc
import os
import threading
import weakref
from types import CodeType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, Final

from .._model.redaction import printable_within
from .._stacks.running import frames_of_threads, innermost_frames
from .._stacks.tasks import awaited
from .._stacks.variables import UNBOUND, UNREADABLE, first_argument
from .._stacks.waits import registered, waited_for
from .wire import descriptor_of, has_waiting_greenlet

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from types import FrameType

    from .._stacks.ownership import Origins
    from .lease import Lease
    from .registry import Registry

# The modules of the standard library whose objects lie below a response.
_BELOW: Final = tuple(
    f"{os.sep}{name}" for name in (f"http{os.sep}client.py", "socket.py", "ssl.py")
)
# Of those that do not tell whether a task waits for them.
_MOST_SLOW: Final = 10
# No reads: what a sweep asks of a response from another thread, and what the protocols
# of asyncio and aiohttp bring into a body, whoever wants it.
_NO_READS: Final = frozenset(
    {
        *("tell", "closed", "isclosed", "fileno", "feed_data", "feed_eof"),
        *("begin_http_chunk_receiving", "end_http_chunk_receiving"),
    }
)
# A context manager in an exit stack is seven steps away from its `close`.
_FAR: Final = 10
_MOST: Final = 2000
_WIDE: Final = (type, ModuleType, FunctionType, CodeType)


def being_read(suspects: Collection[tuple[Lease, Any]], origins: Origins) -> set[int]:
    """The ids of the responses that some thread or greenlet waits for right now.

    A reader shows as a frame of an HTTP client, http.client, socket or ssl whose first
    argument is that very response, or what it reads from. Others poll its socket.
    Costs about 20 us a thread, and under gevent a walk over all objects: the only way
    to find greenlets.
    """
    parts: dict[int, int] = {}
    descriptors: dict[int, int] = {}
    waits = {id(one): lease.client.is_awaited(one) for lease, one in suspects}
    found = {key for key, waiting in waits.items() if waiting}
    found |= {id(one) for lease, one in suspects if has_waiting_greenlet(lease, one)}
    of_tasks = []
    for lease, response in suspects:
        for part in lease.client.readers(response):
            parts[id(part)] = id(response)
            if waits[id(response)] is None:
                of_tasks.append(part)
        number = descriptor_of(lease, response)
        if number is not None:
            descriptors[number] = id(response)
    found |= awaited(of_tasks, parts, origins)
    del of_tasks
    tops = innermost_frames()
    while tops:
        frame: FrameType | None = tops.pop()
        if frame is not None:
            found |= waited_for(frame, parts, descriptors)
        while frame is not None:
            found |= registered(frame, descriptors)
            owner = _reader(frame, origins)
            if owner is UNREADABLE:
                # It may be any of them.
                return set(parts.values())
            if id(owner) in parts:
                found.add(parts[id(owner)])
            frame = frame.f_back
    return found


def with_responses(leases: Iterable[Lease]) -> list[tuple[Lease, Any]]:
    return [(lease, found) for lease in leases if (found := lease()) is not None]


def readers_of(
    suspects: Collection[tuple[Lease, Any]], origins: Origins
) -> dict[int, str]:
    """By the id of a response that somebody waits for: the thread, or a task.

    Costs as `being_read`, whose arguments these are.
    """
    found = dict.fromkeys(being_read(suspects, origins), "somebody")
    parts: dict[int, int] = {}
    for lease, response in suspects:
        if lease.client.is_awaited(response):
            found[id(response)] = "a task"
        parts |= dict.fromkeys(map(id, lease.client.readers(response)), id(response))
    names = {one.ident: one.name for one in threading.enumerate()}
    for ident, top in frames_of_threads().items() if found else ():
        frame: FrameType | None = top
        del top
        while frame is not None:
            key = parts.get(id(_reader(frame, origins)))
            if key in found:
                found[key] = printable_within(names.get(ident, f"thread-{ident}"))
            frame = frame.f_back
    return found


def a_few(suspects: list[Lease]) -> list[Lease]:
    """The suspects that one sweep looks at; the others are left to the next ones.

    Those that do not tell whether a task waits for them are looked for among all
    objects. That holds the GIL, and the longer the more they are: with 540,000 objects
    60 ms for ten, and minutes for 10,000.
    """
    slow = 0
    few = []
    for lease in suspects:
        response = lease()
        if response is not None and lease.client.is_awaited(response) is None:
            slow += 1
            if slow > _MOST_SLOW:
                continue
        few.append(lease)
    return few


def is_read_on(lease: Lease, response: Any, origins: Origins) -> bool:
    """Whether a response that was idle is not so any more."""
    return lease.read_so_far(response) != lease.bytes_read or bool(
        being_read([(lease, response)], origins)
    )


def _reader(frame: FrameType, origins: Origins) -> object:
    """The object whose reading method this frame runs."""
    name, filename = frame.f_code.co_name, frame.f_code.co_filename
    if name in _NO_READS or not (
        filename.endswith(_BELOW) or origins.packages[filename]
    ):
        return UNBOUND
    return first_argument(frame)


def left_alone(registry: Registry) -> list[Lease]:
    """The open leases that no thread reads, and no finalizer has yet to close.

    ``weakref.finalize`` calls what it was given as the interpreter exits, later than
    the end is judged.
    """
    left = registry.left_open(None)
    suspects = with_responses(left)
    busy = being_read(suspects, registry.origins)
    wanted = {id(response) for _, response in suspects} - busy
    busy |= _finalized(wanted) if wanted else set()
    del suspects
    return [lease for lease in left if id(lease()) not in busy]


def _finalized(wanted: set[int]) -> set[int]:
    """Those that what is called at exit leads to."""
    found: set[int] = set()
    registry: dict[Any, Any] = vars(weakref.finalize).get("_registry", {})
    for info in list(registry.values()):
        if not info.atexit:
            continue
        near = [info.func, *info.args, *(info.kwargs or {}).values()]
        if type(info.func) is FunctionType:
            space, names = info.func.__globals__, info.func.__code__.co_names
            near += [space[name] for name in names if name in space]
            near += info.func.__closure__ or ()
        seen: set[int] = set()
        for _ in range(_FAR):
            fresh = [one for one in near if id(one) not in seen]
            seen.update(map(id, fresh))
            if not fresh or len(seen) > _MOST:
                break
            fresh = [one for one in fresh if not issubclass(type(one), _WIDE)]
            near = gc.get_referents(*fresh)
        found |= wanted & seen
    return found
