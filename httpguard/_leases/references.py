"""How many references an object has: whether anybody could still use it."""

from __future__ import annotations

import sys
from typing import Any


def references(objects: list[Any]) -> list[int] | None:
    """How many references each object has beside the list's own; None: not to be known.

    They are to be in no variable of the caller: that would be one more.
    """
    if _OURS is None:
        return None
    return [count - _OURS for count in _count(objects)]


def _count(objects: list[Any]) -> list[int]:
    return [sys.getrefcount(objects[number]) for number in range(len(objects))]


class _Known:
    """What has as many references as we say."""


def _calibrated() -> int | None:
    """The references of the list, and of the call, as this interpreter counts them.

    Since CPython 3.14 not every use of a variable counts.
    """
    if not hasattr(sys, "getrefcount"):
        return None
    (ours,) = _count([_Known()])
    kept = [_Known()]
    again = _count([kept[0], kept[0], _Known()])
    return ours if again == [ours + 2, ours + 2, ours] else None


_OURS = _calibrated()
