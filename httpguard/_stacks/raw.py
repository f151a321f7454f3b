"""A stack as it is captured: cheap to make, and to be read when it is needed."""

from __future__ import annotations

from types import CodeType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

RawStack = tuple[CodeType | int, ...]
"""Code objects and instruction offsets in turn, the innermost first."""


def pairs(stack: RawStack) -> Iterable[tuple[CodeType, int]]:
    """The flat tuple, two by two."""
    items: Iterator[Any] = iter(stack)
    return zip(items, items, strict=True)
