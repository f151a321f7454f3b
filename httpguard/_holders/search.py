"""Who still refers to a response: the shortest chain from a root to it.

Two searches, neither of which runs code of the program: forward, from what
running frames and the application's modules refer to, and backward, by one scan
of all objects for each step, where that takes less than the time given.
"""

from __future__ import annotations

import gc
import sys
import time
from types import FrameType, GeneratorType, ModuleType
from typing import TYPE_CHECKING, Any, Final

from .._stacks.heap import referrers
from .._stacks.ownership import is_own
from .roots import Root, global_roots, local_roots, module_spaces
from .steps import COLLECTIONS, describe, isinstance_of_type, type_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._stacks.ownership import Origins

    Clock = Callable[[], float]

# Of a scan for referrers, for each block of memory in use (`benchmarks.explain`).
_SECONDS_A_BLOCK: Final = 25e-9
_thread_time: Final = getattr(time, "thread_time", time.perf_counter)
_MOST_STEPS: Final = 16
_MOST_KINDS: Final = 4  # Classes that are named of a cycle.
# Of a larger container only the first and the last so many items are looked at.
_MOST_ITEMS: Final = 1024
_CLOCK_EVERY: Final = 512
# Of the time for the search forward, before libraries' frames have their turn.
_SHARE_OF_THE_APPLICATION: Final = 0.75
# What a loop keeps by means that no search sees.
_RUN_BY_A_LOOP: Final = frozenset({"Task", "Greenlet", "greenlet"})


def held_by(
    response: object,
    origins: Origins,
    seconds: float,
    clock: Clock = _thread_time,
    scan: float | None = None,
) -> str | None:
    """What keeps a response alive, in the program's words; None: not found in time.

    Such as ``app.cache (module global) -> [cut: dict['k']] -> Response.raw``, with the
    step in brackets that a person would cut. A scan of all objects, in which nothing
    else runs, is not begun where it would take longer than the search, or than `scan`.
    """
    if not hasattr(gc, "is_tracked"):
        return None  # PyPy's collector does not say.
    most = seconds if scan is None else scan
    search = _Search(response, origins, clock() + seconds, clock, most)
    try:
        return search.forward() or search.backward()
    finally:
        # Nothing of the program shall live on in an object of ours.
        search.clear()


class _Search:
    """One look for one response."""

    def __init__(
        self,
        target: object,
        origins: Origins,
        deadline: float,
        clock: Clock,
        scan: float,
    ) -> None:
        self._target = target
        self._deadline = deadline
        self._clock = clock
        self._spaces = module_spaces()
        self._longest_scan = scan
        in_time = self._may_scan()
        self._roots = [
            *local_roots(self._spaces, origins, greenlets=in_time),
            *global_roots(self._spaces, origins),
        ]
        # Objects in the order found, and the index of who refers to each; a
        # root's is -1 less its own index.
        self._found: list[object] = []
        self._owners: list[int] = []
        # Backward: id -> object, and id of what it refers to on the way.
        self._known: dict[int, tuple[object, int]] = {}

    def clear(self) -> None:
        self._target = None
        self._roots.clear()
        self._spaces.clear()
        self._found.clear()
        self._known.clear()

    def _may_scan(self) -> bool:
        """Whether there is time for a walk over all objects."""
        seconds = sys.getallocatedblocks() * _SECONDS_A_BLOCK
        return seconds < self._longest_scan and self._clock() + seconds < self._deadline

    def forward(self) -> str | None:
        """From what the application's own code refers to, then from the rest."""
        seen = {id(self), id(vars(self)), id(sys.modules), *self._spaces}
        seen.update(id(part) for part in vars(self).values())
        seen.discard(id(self._target))
        now = self._clock()
        most = now + (self._deadline - now) * _SHARE_OF_THE_APPLICATION
        return self._spread(seen, most, application=True) or self._spread(
            seen, self._deadline, application=False
        )

    def _spread(
        self, seen: set[int], deadline: float, *, application: bool
    ) -> str | None:
        """Breadth first from one kind of roots, until a time on the clock."""
        position = len(self._found)
        for index, root in enumerate(self._roots):
            if root.application is application:
                if root.value is self._target:
                    return self._said(root, [self._target])
                self._enqueue(root.value, -1 - index, seen)
        found, owners, target = self._found, self._owners, self._target
        is_tracked = gc.is_tracked
        looked = 0
        while position < len(found):
            if looked >= _CLOCK_EVERY:
                looked = 0
                if self._clock() >= deadline:
                    break
            for child in _referents(found[position]):
                looked += 1
                key = id(child)
                if key not in seen and is_tracked(child):
                    if child is target:
                        return self._path(position)
                    seen.add(key)
                    found.append(child)
                    owners.append(position)
            position += 1
        return None

    def _enqueue(self, item: object, owner: int, seen: set[int]) -> None:
        """Look at an object later, once."""
        if id(item) not in seen and gc.is_tracked(item):
            seen.add(id(item))
            self._found.append(item)
            self._owners.append(owner)

    def _path(self, position: int) -> str:
        chain = [self._target]
        while position >= 0:
            chain.insert(0, self._found[position])
            position = self._owners[position]
        return self._said(self._roots[-1 - position], chain)

    def _said(self, root: Root, chain: list[Any]) -> str:
        """A chain in words; by the collection that keeps what a variable has, too."""
        first = chain[0]
        if id(type(first)) not in COLLECTIONS:
            for other in self._roots:
                if (
                    other.application
                    and id(type(other.value)) in COLLECTIONS
                    and any(item is first for item in _referents(other.value))
                ):
                    return describe(str(other), [other.value, *chain])
        return describe(str(root), chain)

    def backward(self) -> str | None:
        """From the response to a root, one scan of all objects a step."""
        self._found.clear()
        values = {id(root.value): root for root in reversed(self._roots)}
        self._known[id(self._target)] = (self._target, 0)
        level = [self._target]
        for _ in range(_MOST_STEPS):
            if not level or not self._may_scan():
                break
            level = self._referrers(level)
            for item in level:
                root = values.get(id(item))
                if root is not None:
                    return describe(str(root), self._way(item))
                space = self._spaces.get(id(item))
                if space is not None:
                    first, *way = self._way(item)[1:]
                    named = (name for name, one in space[1].items() if one is first)
                    name = str(next(named, "..."))
                    return describe(str(Root(first, name, space[0])), [first, *way])
                if isinstance_of_type(item) or type_name(type(item)) in _RUN_BY_A_LOOP:
                    name = type_name(item if isinstance_of_type(item) else type(item))  # type: ignore[arg-type]
                    return describe(name, self._way(item))
        return None if level else self._cycle()

    def _cycle(self) -> str | None:
        """Nothing else refers to the response: whether these refer to each other."""
        owners = [item for item, _ in self._known.values()]
        referred = {id(item) for owner in owners for item in gc.get_referents(owner)}
        if not all(id(owner) in referred for owner in owners):
            return None  # What is written in C keeps one of them.
        kinds = dict.fromkeys(type_name(type(owner)) for owner in owners)
        return f"only a reference cycle ({', '.join(list(kinds)[:_MOST_KINDS])})"

    def _referrers(self, level: list[Any]) -> list[Any]:
        """What refers to the objects of one level, one step further away."""
        wanted = {id(item) for item in level}
        # By it the arguments of the call are known, which CPython 3.13 finds, too.
        mark = object()
        found = referrers(*level, mark)
        entries = {id(entry) for entry in self._known.values()}
        ours = {id(part) for part in (*vars(self).values(), level, vars(self), self)}
        following = []
        for referrer in found:
            key = id(referrer)
            if key in self._known or key in ours or key in entries or _is_own(referrer):
                continue
            if type(referrer) is tuple and referrer and referrer[-1] is mark:
                continue
            for item in gc.get_referents(referrer):
                if id(item) in wanted:
                    self._known[key] = (referrer, id(item))
                    following.append(referrer)
                    break
        found.clear()
        return following

    def _way(self, item: object) -> list[Any]:
        way = []
        key = id(item)
        while key:
            item, key = self._known[key]
            way.append(item)
        return way


def _referents(owner: Any) -> list[Any]:
    """What an object refers to, less what leads everywhere."""
    kind = type(owner)
    if kind is ModuleType or (kind is FrameType and _is_own(owner)):
        return []
    # Not `in`: the metaclass of another class may answer `==` by code of its own.
    if (kind is list or kind is tuple or kind is dict) and len(owner) > 2 * _MOST_ITEMS:
        return _ends_of(owner)
    referents = gc.get_referents(owner)
    if isinstance_of_type(owner):
        return [item for item in referents if type(item) is dict]
    # The class of an object is no holder of it.
    return [item for item in referents if not isinstance_of_type(item)]


def _ends_of(container: Any) -> list[Any]:
    if type(container) is not dict:
        return [*container[:_MOST_ITEMS], *container[-_MOST_ITEMS:]]
    places = range(_MOST_ITEMS)
    ends = (container.values(), reversed(container.values()))
    return [value for end in ends for _, value in zip(places, end, strict=False)]


def _is_own(referrer: Any) -> bool:
    if type(referrer) is FrameType:
        return is_own(referrer.f_code.co_filename)
    return type(referrer) is GeneratorType and is_own(referrer.gi_code.co_filename)
