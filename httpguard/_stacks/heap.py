"""The objects that the collector knows, with no harm to tuples in the making.

Below CPython 3.14 ``tuple(iterable)`` makes a tuple of ten places, lets the iterable's
code run, and then cuts or stretches it, which CPython does to a tuple only as long as
nobody else refers to it: else it raises SystemError in the program. So no such tuple
may be in a list of ours when another thread goes on. There, each list is made by one
call of C, in which none does, and which empties what it has used: what it draws on are
iterators, that do nothing before. (Not by ``tee``: its own objects are among those that
are found.)
"""

from __future__ import annotations

import gc
import sys
from itertools import chain, compress, repeat, starmap
from operator import and_, eq, gt, is_, is_not
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# A tuple in the making has so many places at first, or as many as the iterable says
# that it has items; of those it fills one after the other.
_PLACES: Final = 10


def objects() -> list[Any]:
    """Every object, but for the list itself, and below CPython 3.14 for tuples.

    Nothing else runs for about 15 ms in a million of them, below CPython 3.14 for 75.
    """
    if sys.version_info >= (3, 14):
        return gc.get_objects()
    every: list[Any] = []
    found = list(
        chain(
            _once(map(every.extend, starmap(gc.get_objects, [()]))),
            _of_type(is_not, every),
            _once(starmap(every.clear, [()])),
        )
    )
    # Else it would be a cycle, and keep all of them until the collector comes. It is
    # among the first: the young ones come before the old.
    for number in range(len(found)):
        if found[number] is found:
            found[number] = found[-1]
            found.pop()
            break
    return found


def referrers(*known: object) -> list[Any]:
    """What refers to any of these objects, but for tuples that may be in the making.

    The tuple of all of them may be among the referrers.
    """
    if sys.version_info >= (3, 14):
        return gc.get_referrers(*known)
    every: list[Any] = []
    tuples: list[tuple[Any, ...]] = []
    is_short = map(gt, repeat(_PLACES), map(tuple.__len__, tuples))
    is_full = map(
        eq, map(tuple.__len__, tuples), map(len, map(gc.get_referents, tuples))
    )
    return list(
        chain(
            _once(map(every.extend, starmap(gc.get_referrers, [known]))),
            _of_type(is_not, every),
            _once(map(tuples.extend, [_of_type(is_, every)])),
            compress(tuples, map(and_, is_short, is_full)),
            _once(starmap(every.clear, [()])),
            _once(starmap(tuples.clear, [()])),
        )
    )


def _once(calls: Iterator[None]) -> Iterator[Any]:
    """Do it when it is asked for, and give nothing."""
    return filter(None, calls)


def _of_type(compare: Callable[[Any, Any], bool], every: list[Any]) -> Iterator[Any]:
    """Those that are tuples, or are not. By type(), which runs no code of theirs."""
    return compress(every, map(compare, map(type, every), repeat(tuple)))
