"""The variables of a frame that runs, read without leaving a trace.

Below CPython 3.13 ``frame.f_locals`` leaves a copy with the frame: it keeps every
value alive until the function returns, a debugger would write it back, and to clear it
would destroy the names that ``exec`` has made. So that copy is never asked for. No line
of the program runs here, and no lock is taken: finalizers may ask.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from functools import lru_cache
from types import CellType, FrameType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType

    Read = Callable[[FrameType, str], object]

# `inspect.CO_OPTIMIZED`: not set for modules and class bodies, whose variables are the
# items of a namespace.
_OPTIMIZED: Final = 0x1
_WORD: Final = 8


class Unknown:
    """What stands for a value that is not known."""

    __slots__ = ("because",)

    def __init__(self, because: str) -> None:
        self.because = because


UNBOUND: Final = Unknown("There is no such variable, or it has no value.")
UNREADABLE: Final = Unknown("This interpreter does not let us look.")


def first_argument(frame: FrameType) -> object:
    """The value of the first parameter of a running function: of a method, its self.

    `UNBOUND` where there is none, or the function has deleted it; `UNREADABLE`.
    """
    code = frame.f_code
    return variable(frame, code.co_varnames[0]) if code.co_argcount else UNBOUND


def variable(frame: FrameType, name: str) -> object:
    """The value of a variable of a running function, or of one around it.

    The frame is of any thread, or of a generator, coroutine or traceback. `UNBOUND`
    where it has none; `UNREADABLE`.
    """
    return _read(frame, name) if frame.f_code.co_flags & _OPTIMIZED else UNBOUND


def variables(frame: FrameType) -> list[tuple[str, Any]]:
    """The variables of a running function that have a value, as far as is known."""
    if not frame.f_code.co_flags & _OPTIMIZED:
        return []
    return [
        (name, value)
        for name in _places(frame.f_code)
        if type(value := _read(frame, name)) is not Unknown
    ]


@lru_cache(maxsize=256)
def _places(code: CodeType) -> dict[str, int]:
    """Where the value of each variable is, counted from the first."""
    cells = code.co_cellvars
    if sys.version_info >= (3, 11):
        # 3.10 moves a parameter that inner functions use to a cell of its own.
        cells = tuple(name for name in cells if name not in code.co_varnames)
    names = (*code.co_varnames, *cells, *code.co_freevars)
    return {name: place for place, name in enumerate(names)}


def _by_view(frame: FrameType, name: str) -> object:
    """From 3.13 on ``f_locals`` of a function is a view, and leaves nothing."""
    return frame.f_locals.get(name, UNBOUND)


def _by_interface() -> Read:
    """In 3.12 a public function of the C interface gives one variable."""
    import ctypes

    kind = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.py_object, ctypes.py_object)
    get = kind(("PyFrame_GetVar", ctypes.pythonapi))

    def read(frame: FrameType, name: str) -> object:
        try:
            return get(frame, name)
        except NameError:
            return UNBOUND

    return read


def _by_place() -> Read:
    """In 3.10 and 3.11 values lie at a known place behind a pointer of the frame.

    The layout is that of every release of the two. Where it is another one, as in a
    debug build, a size or an address is not what it has to be, and no value is read.
    Each is read by one call that allocates nothing: no other thread can run between the
    look at the pointer and the new reference.
    """
    import ctypes

    size, pointer = (15, 3) if sys.version_info >= (3, 11) else (45, 8)
    sizes = (FrameType.__basicsize__, object.__basicsize__)
    if sizes != (size * _WORD, 2 * _WORD):
        return _unreadable
    words = ctypes.POINTER(ctypes.c_void_p).from_address
    values = ctypes.POINTER(ctypes.py_object).from_address
    word = ctypes.c_void_p.from_address

    def first_310(frame: FrameType, code: CodeType) -> int | None:
        """The pointer is to the end of the values, which are part of the frame."""
        count = code.co_nlocals + len(code.co_cellvars) + len(code.co_freevars)
        end = id(frame) + (size + count - 1) * _WORD
        known = (
            word(id(frame) + 4 * _WORD).value == id(code)
            and word(id(frame) + pointer * _WORD).value == end
        )
        return -count if known else None

    def first_311(frame: FrameType, code: CodeType) -> int | None:
        """The pointer is to words that end in the values.

        Before them are the code and, until the function has returned, the frame.
        """
        behind = words(id(frame) + pointer * _WORD)
        known = behind[4] == id(code) and behind[5] in (id(frame), None)
        return 9 if known else None

    first = first_311 if sys.version_info >= (3, 11) else first_310

    def read(frame: FrameType, name: str) -> object:
        code = frame.f_code
        place, base = _places(code).get(name), first(frame, code)
        if place is None or base is None:
            return UNBOUND if place is None else UNREADABLE
        try:
            value = values(id(frame) + pointer * _WORD)[base + place]
            if type(value) is CellType and name in code.co_cellvars + code.co_freevars:
                value = value.cell_contents
        except ValueError:  # A null pointer, or an empty cell.
            return UNBOUND
        return value

    return read


def _unreadable(_frame: FrameType, _name: str) -> object:
    """On an interpreter that is not known."""
    return UNREADABLE


def _choose() -> Read:
    """The way that this interpreter has."""
    if sys.implementation.name == "cpython":
        if sys.version_info >= (3, 13):
            return _by_view
        # An interpreter may be built without ctypes.
        with suppress(Exception):
            read = _by_interface() if sys.version_info >= (3, 12) else _by_place()
            if read(sys._getframe(), "read") is read:
                return read
    return _unreadable


_read: Final = _choose()
READABLE: Final = _read is not _unreadable
"""Whether variables of running functions can be looked at."""
