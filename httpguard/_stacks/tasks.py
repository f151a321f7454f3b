"""The stack within a task: to the task's own frame, and not into the loop around it.

Above that frame come the loop's frames and the line of ``asyncio.run(main())``, which
has opened nothing.
"""

from __future__ import annotations

import gc
import sys
from contextlib import suppress
from threading import Event
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import TYPE_CHECKING, Any, Final

from .heap import referrers
from .running import frame_of, frames_of_threads
from .submission import MARK
from .variables import first_argument, variable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import CodeType, FrameType

    from .ownership import Origins
    from .raw import RawStack

MADE: Final = "_httpguard_made"
"""On a task of a client's coroutine: the stack that made it."""
_MOST_FRAMES: Final = 256
_MOST_STEPS: Final = 100
# Futures between a task and the one that waits for it, as of a gather in a shield.
_MOST_FUTURES: Final = 4
# Between the innermost frame of a thread and `Future.result`: those of its condition.
_MOST_WAITING: Final = 6
_WAITS: Final = frozenset(
    {("concurrent.futures._base", "result"), ("concurrent.futures._base", "exception")}
    | {("threading", "wait")}
)
# Who has asked for a task and will wait for it next, and what it has of that: the task
# may be quicker.
_ASKS: Final = {
    ("anyio.from_thread", "start_task_soon"): "f",
    ("anyio.from_thread", "start_task"): "f",
    ("fsspec.asyn", "sync"): "event",
}
_KINDS: Final = (CoroutineType, GeneratorType, AsyncGeneratorType)
# What `async for` waits in: only the collector looks inside.
_OPAQUE: Final = frozenset(
    {"async_generator_asend", "async_generator_athrow", "coroutine_wrapper"}
    | {"anext_awaitable"}
)


def capture_task(frame: FrameType, depth: int, origins: Origins) -> RawStack:
    """The stack of a running task, as of `capture`.

    Where it has no line of the application, as where `gather` or `create_task` was
    given a coroutine of the client, the lines of whoever waits for the task follow,
    another task or a thread, behind a mark; where nobody waits, those that made it. Of
    a callback, the stack below the loop; where no loop runs, the whole stack.
    """
    task, last = _running()
    callback = _callback()
    stack: list[CodeType | int] = []
    seen = 0
    one: FrameType | None = frame
    while one is not None and seen < depth and len(stack) < 2 * _MOST_FRAMES:
        if one.f_code is callback:
            break
        stack.append(one.f_code)
        stack.append(one.f_lasti)
        seen += origins[one.f_code.co_filename]
        if one is last:
            break
        one = one.f_back
    if not seen and task is not None:
        waiting = _stack_of_waiting(task, origins) or _stack_of_thread(
            task, frame, last
        )
        if waiting:
            stack += (AWAITED, 0, *waiting)
        elif made := getattr(task, MADE, ()):
            stack += (MARK, 0, *made)
    return tuple(stack)


AWAITED: Final = capture_task.__code__
"""Stands in a stack between a task and the one that waits for it."""


def awaited(
    objects: Iterable[object], parts: dict[int, int], origins: Origins
) -> set[int]:
    """Which objects an HTTP client's coroutine reads from that is suspended in a read.

    About 50 ns for each object of the heap, however many are asked about. One that is
    parked at a ``yield`` waits for the program, and is no reader. `parts` has, by the
    id of each, what to return.
    """
    known = list(objects)
    if not known:
        return set()
    found = set()
    for referrer in referrers(*known):
        for reader in _generators(referrer):
            filename = reader.ag_code.co_filename
            if reader.ag_await is None or not origins.packages[filename]:
                continue
            for part in gc.get_referents(frame_of(reader) or reader, reader):
                if id(part) in parts:
                    found.add(parts[id(part)])
    return found


def _generators(referrer: Any) -> Iterator[Any]:
    """The async generator that a referrer is, or below CPython 3.11 whose frame."""
    if type(referrer) is AsyncGeneratorType:
        yield referrer
    elif sys.version_info < (3, 11) and hasattr(referrer, "f_lasti"):
        for outer in referrers(referrer):
            if type(outer) is AsyncGeneratorType:
                yield outer


def current_task() -> Any:
    """The task of asyncio or trio that runs this; None: there is none."""
    events: Any = sys.modules.get("asyncio.events")
    loop = None if events is None else events._get_running_loop()
    if loop is not None:
        return sys.modules["asyncio.tasks"].current_task(loop)
    trio: Any = sys.modules.get("trio")
    if trio is not None:
        try:
            lowlevel = trio.lowlevel
            # trio 0.23 and later: to have it raise costs 10 us.
            if getattr(lowlevel, "in_trio_task", lowlevel.current_task)():
                return lowlevel.current_task()
        except (RuntimeError, AttributeError):  # No task, or a fork's child.
            pass
    return None


def _running() -> tuple[Any, FrameType | None]:
    """The task that runs here, if any, and its outermost frame."""
    task = current_task()
    if task is None:
        return None, None
    coroutine = task.get_coro() if hasattr(task, "get_coro") else task.coro
    one = _inner(coroutine)
    # It runs in this thread: no other one can end it.
    return task, getattr(one, "cr_frame", None) or getattr(one, "gi_frame", None)


def _callback() -> CodeType | None:
    """Where asyncio calls what its loop is to call; None: it was never imported."""
    events: Any = sys.modules.get("asyncio.events")
    return None if events is None else events.Handle._run.__code__


def _inner(coroutine: Any) -> Any:
    """What aiohttp's `session.get(...)` is around, where a task was made of that."""
    if not issubclass(type(coroutine), _KINDS):
        with suppress(AttributeError):
            return object.__getattribute__(coroutine, "_coro")
    return coroutine


def _stack_of_waiting(task: Any, origins: Origins) -> list[CodeType | int]:
    """The suspended frames of who waits for a task, the innermost first."""
    for waiting in _waiting(task):
        frames = list(suspended(waiting, here=True))
        if any(origins[frame.f_code.co_filename] for frame in frames):
            stack: list[CodeType | int] = []
            for frame in reversed(frames):
                stack += (frame.f_code, frame.f_lasti)
            return stack
    return []


def _stack_of_thread(
    task: Any, frame: FrameType, last: FrameType | None
) -> list[CodeType | int]:
    """The frames of a thread that waits for a task of a loop, the innermost first.

    As in ``run_coroutine_threadsafe(...).result()`` and `BlockingPortal.call` of anyio.
    fsspec waits for an event that its task sets, which `last` was given.
    """
    futures = {id(one) for one in _futures(task, frame)}
    event = None if last is None else first_argument(last)
    if type(event) is Event:
        futures.add(id(event))
    stack: list[CodeType | int] = []
    for top in frames_of_threads().values() if futures else ():
        one: FrameType | None = top
        for _ in range(_MOST_WAITING):
            if one is None or id(_waits_for(one)) in futures:
                break
            one = one.f_back
        else:
            continue
        while one is not None and len(stack) < 2 * _MOST_FRAMES:
            stack += (one.f_code, one.f_lasti)
            one = one.f_back
    return stack


def _futures(task: Any, frame: FrameType) -> Iterator[Any]:
    """The futures of `concurrent.futures` that a task will set."""
    base: Any = sys.modules.get("concurrent.futures._base")
    for callback, _ in getattr(task, "_callbacks", None) or ():
        for cell in getattr(callback, "__closure__", None) or ():
            with suppress(ValueError):  # It is empty.
                if base and issubclass(type(cell.cell_contents), base.Future):
                    yield cell.cell_contents
    one: FrameType | None = frame
    while one is not None:
        if one.f_globals.get("__name__") == "anyio.from_thread":
            yield variable(one, "future")
            with suppress(AttributeError):  # Of `wrap_async_context_manager`.
                yield object.__getattribute__(first_argument(one), "_enter_future")
        one = one.f_back


def _waits_for(frame: FrameType) -> object:
    """The future or event for which a thread waits, or will wait, in this frame."""
    called = (frame.f_globals.get("__name__"), frame.f_code.co_name)
    if called in _WAITS:
        return first_argument(frame)
    return variable(frame, _ASKS[called]) if called in _ASKS else None


def _waiting(task: Any) -> Iterator[Any]:
    """The coroutines of the tasks that wait for one."""
    nursery = getattr(task, "parent_nursery", None)
    if nursery is not None:  # Of trio.
        yield nursery.parent_task.coro
    for callback, _ in getattr(task, "_callbacks", None) or ():
        for waiting in _tasks_behind(callback, 0):
            yield waiting.get_coro()


def suspended(coroutine: Any, *, here: bool = False) -> Iterator[FrameType]:
    """The suspended frames of a coroutine, of this loop if `here`, outermost first."""
    coroutine = _inner(coroutine)
    for _ in range(_MOST_STEPS):
        if coroutine is None:
            return
        frame = frame_of(coroutine, here=here)
        if frame is not None:
            yield frame
        below = None
        for name in ("cr_await", "gi_yieldfrom", "ag_await"):
            below = below or getattr(coroutine, name, None)
        if below is None and type(coroutine).__name__ in _OPAQUE:
            below = next(
                (
                    one
                    for one in gc.get_referents(coroutine)
                    if isinstance(one, _KINDS) or type(one).__name__ in _OPAQUE
                ),
                None,
            )
        coroutine = below


def _tasks_behind(callback: Any, depth: int) -> Iterator[Any]:
    """The tasks that a callback of a task wakes up."""
    owner = getattr(callback, "__self__", None)
    if hasattr(owner, "get_coro"):
        yield owner
        return
    # `TaskGroup._on_task_done`.
    parent = getattr(owner, "_parent_task", None)
    if parent is not None:
        yield parent
        return
    if depth >= _MOST_FUTURES:
        return
    # `gather`, `shield` and `wait` have a future in a closure; `wait_for` of CPython
    # 3.11 has one among the arguments of a partial.
    values = list(getattr(callback, "args", ()))
    for cell in getattr(callback, "__closure__", None) or ():
        with suppress(ValueError):  # It is empty.
            values.append(cell.cell_contents)
    for value in values:
        if hasattr(value, "_asyncio_future_blocking"):
            for inner, _ in getattr(value, "_callbacks", None) or ():
                yield from _tasks_behind(inner, depth + 1)
