"""asyncio: where a task was made that has no line of the program.

As ``create_task(client.send(...))`` makes one, for which nobody waits at first. Tasks
of the program's own coroutines are left alone.
"""

from __future__ import annotations

import inspect
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from .._model.scope import CURRENT_SCOPE
from .._stacks.capture import CUT
from .._stacks.ownership import is_own
from .._stacks.tasks import MADE
from .gate import GATE

if TYPE_CHECKING:
    from types import FrameType

    from .._stacks.raw import RawStack
    from .patching import Method, Patcher

_ANYIO: Final = f"{os.sep}anyio{os.sep}"
# Of a stack: tasks of a library may make the next one without end.
_MOST_ITEMS: Final = 128
# Between a call of a client and the line of the application.
_MOST_FRAMES: Final = 12
_SUSPENDING: Final = (
    inspect.CO_COROUTINE | inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR
)


def near_site(frame: FrameType) -> RawStack:
    """The frames out to the innermost of the application, within the task. 0.4 us.

    What resumes a coroutine and is none itself is the loop.

    Args:
        frame: The innermost to keep.

    Returns:
        Empty where there is none near by.
    """
    origins = GATE.registry.origins
    stack: list[Any] = []
    try:
        # Most have one of the client below the application's.
        code, above = frame.f_code, frame.f_back
        if above is not None and not code.co_flags & _SUSPENDING:
            outer = above.f_code
            if origins[outer.co_filename] and not origins[code.co_filename]:
                return code, frame.f_lasti, outer, above.f_lasti
        one: FrameType | None = frame
        for _ in range(_MOST_FRAMES):
            if one is None:
                break
            code = one.f_code
            stack += (code, one.f_lasti)
            if origins[code.co_filename]:
                return tuple(stack)
            one = one.f_back
            if code.co_flags & _SUSPENDING and not (
                one is not None and one.f_code.co_flags & _SUSPENDING
            ):
                break
    except Exception as error:
        GATE.fault("site", error)
    return ()


def brief(site: RawStack) -> RawStack:
    """A site alone, where that is enough: its responses have always ended well.

    Args:
        site: What `near_site` returned.

    Returns:
        Empty where the whole stack is to be kept.
    """
    registry = GATE.registry
    if (
        site
        and registry.plain
        and id(site[-2]) + site[-1] in registry.proven  # type: ignore[operator]
        and CURRENT_SCOPE.get() is None
    ):
        return (*site, CUT, 0)
    return ()


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
        _ANYIO in filename
        or is_own(filename)
        or origins.http_package(filename) is not None
    )
