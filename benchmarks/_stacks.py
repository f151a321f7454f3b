"""Stacks of a given depth: what a lease keeps depends on how deep the program is."""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

DEPTH: Final = 25
"""Frames on the stack of the code that makes a request."""
_T = TypeVar("_T")


def at_depth(function: Callable[[], _T], depth: int = DEPTH) -> _T:
    """Call a function from a stack of so many frames.

    Args:
        function: What to call.
        depth: Frames above it, its caller's own ones included.
    """
    return _down(depth - _height(), function)


def deepened(function: Callable[[], _T], depth: int = DEPTH) -> Callable[[], _T]:
    """A function that calls another from a stack of so many frames, made anew.

    As a web framework does for each of its requests. A loop at the bottom of a
    deep stack would be too kind: CPython makes a frame's object when it is first
    asked for, and keeps it.

    Args:
        function: What to call.
        depth: Frames above it, if the result is called one level below here.
    """
    return functools.partial(_down, depth - _height() - 1, function)


def _height() -> int:
    """The frames of the caller's caller and above."""
    frame: FrameType | None = sys._getframe(2)
    height = 0
    while frame is not None:
        height += 1
        frame = frame.f_back
    return height


def _down(levels: int, function: Callable[[], _T]) -> _T:
    """One frame deeper."""
    return _down(levels - 1, function) if levels > 1 else function()
