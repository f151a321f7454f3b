"""What httpguard keeps: the containers that its modules and objects lead to."""

from __future__ import annotations

import sys
import types
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from typing import Any, Final

import httpguard
from httpguard import Leak

_PACKAGE: Final = httpguard.__name__
_CONTAINERS: Final = (dict, list, tuple, set, frozenset, deque)
_DEEP: Final = 20


def kept() -> Counter[str]:
    """How many items lie in all containers of the same place.

    A place is how one gets there from a module of httpguard: ``_process.process.PROCESS
    .guard.pools._said``, say. Objects of other people are not looked into.
    """
    seen = {id(vars(module)) for module in list(sys.modules.values()) if module}
    seen |= {id(sys.modules)}
    sizes: Counter[str] = Counter()
    todo: deque[tuple[str, Any, int]] = deque()
    for name, module in list(sys.modules.items()):
        # What is loaded of wrapt has our name, and is none of ours.
        if name.partition(".")[0] == _PACKAGE and f"{_PACKAGE}._wrapt" not in name:
            for key, value in list(vars(module).items()):
                todo.append((f"{name.removeprefix(_PACKAGE)}.{key}", value, 0))
    while todo:
        place, value, depth = todo.popleft()
        # The value of a leak is as large as its stack is deep.
        if id(value) in seen or depth > _DEEP or type(value) is Leak:
            continue
        seen.add(id(value))
        if isinstance(value, _CONTAINERS):
            sizes[place] += len(value)
        todo += ((place + step, below, depth + 1) for step, below in _below(value))
    return sizes


def _below(value: Any) -> Iterator[tuple[str, Any]]:
    """What an object of ours, or a container, refers to, and by which step."""
    if isinstance(value, Mapping):
        items = list(value.items())
        yield from (("[key]", key) for key, _ in items)
        yield from (("[]", item) for _, item in items)
    elif isinstance(value, _CONTAINERS):
        yield from (("[]", item) for item in list(value))
    if isinstance(value, types.FunctionType):
        if value.__globals__.get("__name__", _PACKAGE).startswith(_PACKAGE):
            for cell in value.__closure__ or ():
                yield "()", cell.cell_contents
    elif isinstance(value, types.MethodType | types.BuiltinMethodType):
        yield ".__self__", value.__self__
    elif type(value).__module__.startswith(_PACKAGE):
        yield from ((f".{name}", part) for name, part in _attributes(value))
    elif isinstance(value, type) and value.__module__.startswith(_PACKAGE):
        yield from ((f".{name}", part) for name, part in list(vars(value).items()))


def _attributes(value: Any) -> Iterator[tuple[str, Any]]:
    """The attributes of an instance, those in slots too."""
    yield from list(getattr(value, "__dict__", {}).items())
    for kind in type(value).__mro__:
        slots = vars(kind).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in {"__dict__", "__weakref__"} and hasattr(value, name):
                yield name, getattr(value, name)
