"""Which open responses nobody looks after at the end of the process."""

from __future__ import annotations

import gc
import weakref
from types import CodeType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, Final

from .readers import being_read, with_responses

if TYPE_CHECKING:
    from .lease import Lease
    from .registry import Registry

# A context manager in an exit stack is seven steps away from its `close`.
_FAR: Final = 10
_MOST: Final = 2000
_WIDE: Final = (type, ModuleType, FunctionType, CodeType)


def left_alone(registry: Registry) -> list[Lease]:
    """The open leases that no thread reads, and no finalizer has yet to close.

    ``weakref.finalize`` calls what it was given as the interpreter exits, later than
    the end is judged.
    """
    left = registry.left_open(None)
    suspects = with_responses(left)
    busy = being_read(suspects, registry.origins)
    wanted = {id(response) for _, response in suspects} - busy
    busy |= _finalized(wanted) if wanted else set()
    del suspects
    return [lease for lease in left if id(lease()) not in busy]


def _finalized(wanted: set[int]) -> set[int]:
    """Those that what is called at exit leads to."""
    found: set[int] = set()
    registry: dict[Any, Any] = vars(weakref.finalize).get("_registry", {})
    for info in list(registry.values()):
        if not info.atexit:
            continue
        near = [info.func, *info.args, *(info.kwargs or {}).values()]
        if type(info.func) is FunctionType:
            space, names = info.func.__globals__, info.func.__code__.co_names
            near += [space[name] for name in names if name in space]
            near += info.func.__closure__ or ()
        seen: set[int] = set()
        for _ in range(_FAR):
            fresh = [one for one in near if id(one) not in seen]
            seen.update(map(id, fresh))
            if not fresh or len(seen) > _MOST:
                break
            fresh = [one for one in fresh if not issubclass(type(one), _WIDE)]
            near = gc.get_referents(*fresh)
        found |= wanted & seen
    return found
