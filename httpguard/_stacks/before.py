"""The stack of what was opened before httpguard came: one frame, which says so."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from types import CodeType

BEFORE: Final = "opened before httpguard came"
"""In the place of a line."""
FILENAME: Final = f"<{BEFORE}>"
"""In the place of a file."""


@lru_cache(maxsize=1000)
def stack_before(pool: str) -> tuple[CodeType, int]:
    """A stack as `capture` makes it, the same for all of one pool.

    Args:
        pool: Its name, which stands in the place of the function.
    """
    code = compile("", FILENAME, "exec")
    return code.replace(co_name=pool, co_firstlineno=0), 0
