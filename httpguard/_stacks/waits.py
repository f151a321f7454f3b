"""What a thread waits for, where no frame with a first argument tells.

``select.select``, ``poll`` and ``recv`` are written in C: the line that calls them, and
what its variables lead to, have to tell.
"""

from __future__ import annotations

import gc
import sys
from contextlib import suppress
from functools import lru_cache
from types import (
    BuiltinFunctionType,
    CodeType,
    FrameType,
    FunctionType,
    ModuleType,
    TracebackType,
)
from typing import TYPE_CHECKING, Any, Final, cast

from .variables import READABLE, first_argument, variables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

# Functions and methods that wait; what makes the objects whose methods these are.
_POLLS: Final = frozenset({"select", "poll", "control"})
_FUNCTIONS: Final = ("select", "poll", "epoll", "kqueue", "devpoll")
_READS: Final = frozenset(
    {"read", "read1", "readinto", "readinto1", "readline", "readlines", "peek"}
    | {"recv", "recv_into", "recvfrom", "recvfrom_into", "recvmsg", "recvmsg_into"}
    | {"splice"}
)
_GREEN: Final = ("gevent.select", "eventlet.green.select")
# Whatever a metaclass says.
_MODULE: Final = type.__dict__["__module__"]
# Classes by their id: to compare them may run code of a metaclass.
_LEAD_EVERYWHERE: Final = frozenset(
    map(
        id,
        (
            *(ModuleType, FunctionType, BuiltinFunctionType, CodeType),
            *(FrameType, TracebackType),
        ),
    )
)
_ATOMS: Final = frozenset(map(id, (str, int, bytes, float, bool, type(None))))
_CONTAINERS: Final = frozenset(map(id, (list, tuple, set, frozenset, dict)))
# An attribute is two steps away, an item of a list that is one is three.
_STEPS: Final = 3
_MOST_OBJECTS: Final = 2000


def waited_for(
    frame: FrameType, parts: Mapping[int, int], descriptors: Mapping[int, int]
) -> set[int]:
    """What a thread waits for by a call of a function that has no frame.

    By the ids of objects and the numbers of descriptors. Where it polls, what any
    variable of its functions leads to; where it reads, what those of the line lead to.
    """
    module = frame.f_globals.get("__name__")
    if module == "selectors" or (type(module) is str and module.startswith("asyncio.")):
        # `registered` knows better; and a loop brings in what nobody wants, too.
        return set()
    names = {*_names(frame.f_code, frame.f_lineno or 0)}
    optimised = frame.f_code.co_flags & 1
    space = dict(variables(frame)) if optimised else frame.f_globals
    used = [space.get(name, frame.f_globals.get(name)) for name in names]
    # Under a name of the program's, as in ``receive = sock.recv``.
    methods = [value for value in used if type(value) is BuiltinFunctionType]
    names |= {method.__name__ for method in methods}
    used += [method.__self__ for method in methods]
    if _is_green(frame) or _polls(names, used):
        if not READABLE:
            return {*parts.values(), *descriptors.values()}
        # What a `poll` object waits for is not to be seen: it is the caller's to know.
        found = _among([*space.values(), *used], parts, descriptors)
        for caller in _callers(frame):
            found |= _among(_values(caller), parts, {})
        return found
    return set() if _READS.isdisjoint(names) else _among(used, parts, descriptors)


def registered(frame: FrameType, descriptors: Mapping[int, int]) -> set[int]:
    """What the selector waits for in whose method, or in whose loop, a thread is."""
    read = _LOOPS.get(frame.f_globals.get("__name__", ""))
    if read is None:
        return set()
    if not READABLE:
        return set(descriptors.values())
    try:
        known = list(read(first_argument(frame)))
    except (AttributeError, LookupError, TypeError):  # Another kind, or another frame.
        return set()
    return {descriptors[number] for number in known if number in descriptors}


def _of_selectors(owner: object) -> Iterable[int]:
    """Of a selector or a loop of asyncio, whatever a class derived from them says."""
    space = object.__getattribute__(owner, "__dict__")
    selector = space.get("_selector")  # Of a loop; also of `EpollSelector`.
    if "_fd_to_key" not in space:
        space = object.__getattribute__(selector, "__dict__")
    return cast("Iterable[int]", space["_fd_to_key"])


def _of_trio(owner: object) -> Iterable[int]:
    """Of trio's runner, or of what it polls with."""
    with suppress(AttributeError):
        owner = object.__getattribute__(owner, "io_manager")
    return cast("Iterable[int]", object.__getattribute__(owner, "_registered"))


_LOOPS: Final[dict[str, Callable[[object], Iterable[int]]]] = {
    "selectors": _of_selectors,
    "asyncio.base_events": _of_selectors,
    "trio._core._run": _of_trio,
    "trio._core._io_epoll": _of_trio,
}


def _callers(frame: FrameType) -> Iterator[FrameType]:
    caller: FrameType | None = frame
    while caller is not None:
        yield caller
        caller = caller.f_back


def _values(frame: FrameType) -> list[Any]:
    """The values of the variables that a function has, and of the globals it uses.

    Those of the standard library lead to what others have: `threading` knows each
    thread, and what it was given.
    """
    space = frame.f_globals
    module = space.get("__name__")
    is_program = (
        type(module) is str and module.partition(".")[0] not in sys.stdlib_module_names
    )
    names = frame.f_code.co_names if is_program else ()
    used = [space[name] for name in names if name in space]
    return used + [value for _, value in variables(frame)]


@lru_cache(maxsize=256)
def _names(code: CodeType, lineno: int) -> tuple[str, ...]:
    """The names of variables and attributes that a line uses."""
    import dis  # 3 ms, for suspects only.

    spans = [span[:2] for span in code.co_lines() if span[2] == lineno]
    names: list[str] = []
    for step in dis.get_instructions(code):
        if any(start <= step.offset < end for start, end in spans):
            # From CPython 3.13 on one instruction may load two.
            value = step.argval
            found = value if isinstance(value, tuple) else (value,)
            names += [name for name in found if isinstance(name, str)]
    return tuple(dict.fromkeys(names))


def _polls(names: set[str], used: list[Any]) -> bool:
    """Whether a line calls a function of `select`, under whatever name."""
    select = sys.modules.get("select")
    if select is None:
        return False
    functions = {id(vars(select).get(name)) for name in _FUNCTIONS} - {id(None)}
    if any(id(value) in functions for value in used):
        return True
    if _POLLS.isdisjoint(names):
        return False
    return any(
        item is select or _MODULE.__get__(type(item)) == "select"
        for item in reachable(used)
    )


def _is_green(frame: FrameType) -> bool:
    """Whether a greenlet polls: by a function in Python, below which there is C."""
    module = frame.f_globals.get("__name__")
    return frame.f_code.co_name in _POLLS and module in _GREEN


def _among(
    values: list[Any], parts: Mapping[int, int], descriptors: Mapping[int, int]
) -> set[int]:
    """Which of the wanted objects and descriptors values lead to."""
    found = {parts[id(item)] for item in reachable(values) if id(item) in parts}
    # Of numbers, those that are meant as descriptors: by themselves, or in a list.
    numbers = [item for item in values if type(item) is int]
    for value in values:
        if id(type(value)) in _CONTAINERS:
            numbers += [item for item in tuple(value) if type(item) is int]
    return found | {descriptors[item] for item in numbers if item in descriptors}


def reachable(
    values: Iterable[Any], steps: int = _STEPS, most: int = _MOST_OBJECTS
) -> Iterator[Any]:
    """What values lead to in a few steps, not by way of modules, classes and frames.

    The values come first. An attribute is two steps away at most, an item of a list
    that is one three. After so many objects the next step is not taken.
    """
    seen: set[int] = set()
    level = list(values)
    for step in range(steps + 1):
        fresh = [item for item in level if id(item) not in seen]
        seen.update(map(id, fresh))
        yield from fresh
        if step == steps or len(seen) > most:
            return
        owners = [
            item
            for item in fresh
            if not (issubclass(type(item), type) or id(type(item)) in _LEAD_EVERYWHERE)
        ]
        level = gc.get_referents(*owners)
        level = [item for item in level if id(type(item)) not in _ATOMS]
