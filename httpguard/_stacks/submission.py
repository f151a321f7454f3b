"""Where work that another thread or greenlet does was asked for."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

from .variables import first_argument

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, FrameType

    from .raw import RawStack

DEPTH: Final = 8
"""Application frames kept of a submission."""
# Work that submits work adds its own.
_MOST_ITEMS: Final = 128


class Followed:
    """A callable that remembers where it was submitted.

    It is found by its frame, since not every context variable reaches what it
    calls: ``asyncio.to_thread`` submits a context of its own.
    """

    __slots__ = ("__wrapped__", "stack")

    def __init__(self, function: Callable[..., Any], stack: RawStack) -> None:
        self.__wrapped__ = function
        self.stack = stack[:_MOST_ITEMS]

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        return self.__wrapped__(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        """Be what was submitted, to whoever looks."""
        return getattr(self.__wrapped__, name)

    def __repr__(self) -> str:
        return repr(self.__wrapped__)


MARK: Final = Followed.__call__.__code__
"""Stands in a stack between the work and its submission."""


def submission(frame: FrameType | None) -> RawStack:
    """Where the work that runs now was submitted, behind a mark; or nothing."""
    while frame is not None and frame.f_code is not MARK:
        frame = frame.f_back
    work = None if frame is None else first_argument(frame)
    stack = work.stack if type(work) is Followed else _spawning()
    return (MARK, 0, *stack) if stack else ()


def _spawning() -> RawStack:
    """Where the greenlet that runs now was spawned: gevent keeps that itself."""
    gevent = sys.modules.get("gevent")
    if gevent is None:
        return ()
    frame = getattr(gevent.getcurrent(), "spawning_stack", None)
    stack: list[CodeType | int] = []
    while frame is not None and len(stack) < _MOST_ITEMS:
        stack.append(frame.f_code)
        stack.append(_offset(frame.f_code, frame.f_lineno))
        frame = frame.f_back
    return tuple(stack)


def _offset(code: CodeType, lineno: int) -> int:
    return next((start for start, _, line in code.co_lines() if line == lineno), 0)
