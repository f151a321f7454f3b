"""The frames between a call of a client and the line of the application."""

from __future__ import annotations

from inspect import CO_ASYNC_GENERATOR, CO_COROUTINE, CO_GENERATOR
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from types import CodeType, FrameType

    from .ownership import Origins
    from .raw import RawStack

_MOST_FRAMES: Final = 12
_SUSPENDING: Final = CO_COROUTINE | CO_GENERATOR | CO_ASYNC_GENERATOR


def near_site(origins: Origins, frame: FrameType) -> RawStack:
    """The frames out to the innermost of the application, within the task.

    What resumes a coroutine and is none itself is the loop.

    Args:
        origins: Whose code a file is.
        frame: The innermost to keep.

    Returns:
        Empty where there is none near by.
    """
    stack: list[CodeType | int] = []
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
    return ()
