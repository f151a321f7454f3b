"""Where a task was made, or work for a thread, that has no line of the program.

As ``create_task(client.send(...))`` makes a task, for which nobody waits at first.
Those of the program's own coroutines are left alone. ``asyncio.to_thread``,
``loop.run_in_executor`` and requests-futures submit to one class of threads.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from .._stacks.capture import capture
from .._stacks.ownership import is_own
from .._stacks.submission import DEPTH, Followed, submission
from .._stacks.tasks import MADE
from .gate import GATE

if TYPE_CHECKING:
    from types import FrameType

    from .patching import Method, Patcher

EXECUTORS: Final = "concurrent.futures.thread"
_ANYIO: Final = f"{os.sep}anyio{os.sep}"
# Of a stack: tasks of a library may make the next one without end.
_MOST_ITEMS: Final = 128


def patch_tasks(patcher: Patcher) -> None:
    """Remember who makes tasks of coroutines of a client, in the loops there are."""
    # uvloop's class is below one in C.
    asyncio, uvloop = map(sys.modules.get, ("asyncio", "uvloop"))
    if asyncio is not None:
        patcher.wrap(asyncio.BaseEventLoop, "create_task", _create_task)
    if uvloop is not None and "create_task" not in vars(uvloop.Loop):
        below = super(uvloop.Loop, uvloop.Loop).create_task
        patcher.add(uvloop.Loop, "create_task", _create_task(below))


def _create_task(wrapped: Method) -> Method:
    def create_task(self: Any, coro: Any, **options: Any) -> Any:
        task = wrapped(self, coro, **options)
        if GATE.guard is not None:
            try:
                _note(task, coro, sys._getframe(1))
            except Exception as error:
                GATE.fault("create_task", error)
        return task

    return create_task


def _note(task: Any, coroutine: Any, frame: FrameType) -> None:
    """Remember who made a task, and take our frame out of what asyncio remembers."""
    if _is_of_client(coroutine):
        # A factory of the program's may make other tasks than asyncio's.
        with suppress(AttributeError, TypeError):
            setattr(task, MADE, GATE.task_stack(frame)[:_MOST_ITEMS])
    trace = getattr(task, "_source_traceback", None)  # Where a loop is debugged.
    if trace and trace[-1].filename == __file__:
        del trace[-1]


def _is_of_client(coroutine: Any) -> bool:
    """Whether a task's outermost frame is that of a client, or of anyio around it."""
    code = getattr(coroutine, "cr_code", None)
    origins = GATE.registry.origins
    if code is None or origins[code.co_filename]:
        return False
    filename: str = code.co_filename
    return (
        _ANYIO in filename or is_own(filename) or origins.packages[filename] is not None
    )


def patch_executors(patcher: Patcher) -> None:
    """Remember who submits."""
    from concurrent.futures import ThreadPoolExecutor

    def submit(wrapped: Method) -> Method:
        def submit(self: Any, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
            registry = GATE.registry
            if registry.submissions:
                try:
                    frame = sys._getframe(1)
                    here = capture(frame, DEPTH, registry.origins)
                    fn = Followed(fn, here + submission(frame))
                except Exception as error:
                    GATE.fault("follow_executors", error)
            return wrapped(self, fn, *args, **kwargs)

        return submit

    patcher.wrap(ThreadPoolExecutor, "submit", submit)
