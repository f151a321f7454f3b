"""A stack as it is captured: cheap to make, and to be read when it is needed."""

from __future__ import annotations

from types import CodeType

RawStack = tuple[CodeType | int, ...]
"""Code objects and instruction offsets in turn, the innermost first."""
