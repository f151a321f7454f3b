"""One look over what the collector knows, for what was open before httpguard came.

It takes a bounded time of the processor, in slices: what else runs waits for one of
them at most. Listing the objects is one step, 15 ms for a million.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from .._clients.gate import GATE
from .._stacks.heap import objects

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._clients.package import Adopters

# Objects of a slice, 1 ms; and what others get between two of them, in seconds.
_SLICE: Final = 20_000
PAUSE: Final = 0.004
clock: Final = getattr(time, "thread_time", time.perf_counter)


class _Kinds(dict[type, Any]):
    """Class -> what takes its objects in, None for most.

    Args:
        adopters: By class.
    """

    def __init__(self, adopters: Adopters) -> None:
        super().__init__()
        self._adopters = adopters

    def __missing__(self, kind: type) -> Callable[[Any], object] | None:
        known = self._adopters
        found = next((known[one] for one in type.mro(kind) if one in known), None)
        self[kind] = found
        return found


@dataclass(frozen=True, slots=True)
class Looked:
    """How far a look came.

    Args:
        objects: So many there were.
        seen: So many were looked at.
        seconds: Of processor time.
    """

    objects: int = 0
    seen: int = 0
    seconds: float = 0.0


def look(adopters: Adopters, seconds: float) -> Looked:
    """Have everything taken in that was there before.

    Args:
        adopters: By class.
        seconds: Of processor time, at most.
    """
    if seconds <= 0 or not adopters:
        return Looked()
    began = clock()
    kinds = _Kinds(adopters)
    every = objects()
    count = len(every)
    while every and clock() - began < seconds:
        found = [item for item in every[-_SLICE:] if kinds[type(item)] is not None]
        # What the program drops meanwhile goes here, and not with the last slice.
        del every[-_SLICE:]
        while found:
            _adopt(kinds, found.pop())
        time.sleep(PAUSE)
    return Looked(count, count - len(every), clock() - began)


def _adopt(kinds: _Kinds, item: Any) -> None:
    try:
        kinds[type(item)](item)
    except Exception as error:  # Half made, or half gone.
        GATE.fault("adopt", error)
