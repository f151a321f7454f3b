"""Who closes a response that the cycle collector has taken: the program, or nobody.

The collector clears weak references before it runs finalizers. One of the program, or
a generator or coroutine that ends then, may close the response, which ends it well. A
``BufferedReader`` or ``TextIOWrapper`` closes what it wraps too, by the same call but
without a frame of its own: its caller seems to be whoever was running when the
collector came, and that one can not refer to what is garbage.

All of it runs in finalizers: no lock, no log.
"""

from __future__ import annotations

import gc
import inspect
import io
import sys
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Any, Final

from .._stacks.variables import READABLE, first_argument, variables

# So many objects are followed from one frame, and so far: an attribute is two steps,
# an instance and its dictionary.
_MOST: Final = 2000
_FAR: Final = 8
_WIDE: Final = (type, ModuleType, FunctionType, CodeType, FrameType)
_IS_PYPY: Final = sys.implementation.name == "pypy"
_SUSPENDED: Final = (
    inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
)


def is_closed_by_program(response: object, frame: FrameType | None) -> bool:
    """Whether code of the program closes a response whose reference is cleared.

    The frame is of who called its ``close``, or what else ends it; None: C code.
    """
    if not READABLE:
        # PyPy's collector clears the reference to all that it finalizes.
        return not _IS_PYPY or _is_inside_an_ending(frame)
    last = None
    while frame is not None and _refers(frame, response):
        last = frame
        frame = frame.f_back
    if last is not None and not _is_of_file(last):
        # What `urllib.error.HTTPError` derives from closes as the interpreter does.
        return last.f_globals.get("__name__") != "tempfile"
    return frame is not None and _is_ending(frame)


def _is_inside_an_ending(frame: FrameType | None) -> bool:
    while frame is not None and not _is_ending(frame):
        frame = frame.f_back
    return frame is not None


def _is_of_file(frame: FrameType) -> bool:
    """Whether it is the ``close`` of a file object, which a wrapper calls too."""
    return frame.f_code.co_name == "close" and isinstance(
        first_argument(frame), io.IOBase
    )


def _is_ending(frame: FrameType) -> bool:
    """Whether it is a finalizer of the program, or a generator or coroutine that ends.

    A ``with`` of these may have no name for the response.
    """
    return frame.f_code.co_name == "__del__" or (
        bool(frame.f_code.co_flags & _SUSPENDED)
        and isinstance(sys.exc_info()[1], GeneratorExit)
    )


def _refers(frame: FrameType, thing: object) -> bool:
    """Whether a thing can be reached from the variables of a frame."""
    found: list[Any] = [value for _, value in variables(frame)]
    seen: set[int] = set()
    for _ in range(_FAR):
        if any(value is thing for value in found):
            return True
        near = {id(value): value for value in found if not isinstance(value, _WIDE)}
        further = [near[key] for key in near.keys() - seen]
        seen.update(near)
        if len(seen) > _MOST:
            break
        found = gc.get_referents(*further)
    return False
