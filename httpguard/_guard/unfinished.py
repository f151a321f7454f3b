"""Work that a scope has handed to other threads and that is still under way.

A thread that cannot be cancelled goes on when nobody waits for it any more:
``asyncio.wait_for(asyncio.to_thread(...), ...)`` gives up, and its call opens a
response later.
"""

from __future__ import annotations

import functools
import threading
from contextvars import Context
from types import BuiltinMethodType, FunctionType, MethodType
from typing import TYPE_CHECKING, Any

from .._model.scope import CURRENT_SCOPE, is_within
from .._stacks.running import frames_of_threads
from .._stacks.variables import first_argument, variable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from .._model.scope import Scope


def unfinished(scope: Scope) -> list[str]:
    """What other threads do in copies of the context of a scope, by name.

    Threads that were started with ``context.run``, and workers of executors and of
    anyio: what `asyncio.to_thread` and its like call.
    """
    frames = frames_of_threads()
    frames.pop(threading.get_ident(), None)
    found = []
    for top in frames.values():
        frame: FrameType | None = top
        while frame is not None:
            if frame.f_code.co_name == "run":
                found += [
                    name
                    for context, name in _work(frame)
                    if is_within(context.get(CURRENT_SCOPE), scope)
                ]
            frame = frame.f_back
    return found


def _work(frame: FrameType) -> Iterator[tuple[Context, str]]:
    """The context in which a thread runs what it was given, and what that is."""
    worker = first_argument(frame)
    module = frame.f_globals.get("__name__")
    if module == "concurrent.futures.thread":
        # From CPython 3.14 on it is a tuple with the arguments.
        work = getattr(worker, "fn", None) or getattr(worker, "task", (None,))[0]
        work = getattr(work, "__wrapped__", work)
        if type(work) is functools.partial:
            yield from _bound(work.func, work.args)
    elif module == "threading":
        yield from _bound(
            getattr(worker, "_target", None), getattr(worker, "_args", ())
        )
    elif module == "anyio._backends._asyncio":
        context = variable(frame, "context")
        if type(context) is Context:
            yield context, _name(variable(frame, "func"))


def _bound(call: object, args: tuple[Any, ...]) -> Iterator[tuple[Context, str]]:
    """The context of a `Context.run`, and what runs in it."""
    if type(call) is BuiltinMethodType and type(call.__self__) is Context:
        yield call.__self__, _name(args[0] if args else None)


def _name(function: object) -> str:
    """Of a callable, whose own attributes may be anything."""
    while type(function) is functools.partial:
        function = function.func
    if isinstance(function, (FunctionType, MethodType, BuiltinMethodType)):
        return function.__qualname__
    return type(function).__qualname__
