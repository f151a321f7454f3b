"""A stack as it is captured: cheap to make, and to be read when it is needed."""

from __future__ import annotations

from functools import lru_cache
from types import CodeType
from typing import Any, Final

RawStack = tuple[CodeType | int, ...]
"""Code objects and instruction offsets in turn, the innermost first."""
Place = tuple[CodeType, int] | tuple[()]
"""Of one frame; empty: none."""


def code_of(function: Any) -> CodeType | None:
    """The code of a function in a stack, below what others have wrapped around it."""
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    return getattr(function, "__code__", None)


def _cut() -> None:
    """Is never called."""


CUT: Final = _cut.__code__
"""Stands at the end of a stack in brief."""
BRIEF: Final = 6
"""Frames of a stack in brief."""

BEFORE: Final = "opened before httpguard came"
"""In the place of a line."""
BEFORE_FILENAME: Final = f"<{BEFORE}>"
"""In the place of a file."""


@lru_cache(maxsize=1000)
def stack_before(pool: str) -> tuple[CodeType, int]:
    """The stack of what was opened before httpguard came, which says so in one frame.

    The pool's name stands in the place of the function.
    """
    code = compile("", BEFORE_FILENAME, "exec")
    return code.replace(co_name=pool, co_firstlineno=0), 0
