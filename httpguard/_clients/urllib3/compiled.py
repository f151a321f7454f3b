"""What is compiled, where it could be: the Python code does the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

try:
    from ._speedups import begin_lease
except ImportError:  # No compiler, or an interpreter it is not made for.
    if not TYPE_CHECKING:

        def begin_lease(*_: Any) -> bool:
            """Leave it to the Python code."""
            return False

    COMPILED = False
else:
    COMPILED = True

__all__ = ["COMPILED", "begin_lease"]
