"""Which open responses are in good hands at the end of the process."""

from __future__ import annotations

import gc
import weakref
from types import CodeType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, Final

from .readers import being_read

if TYPE_CHECKING:
    from collections.abc import Collection

    from .._stacks.ownership import Origins
    from .lease import Lease

# A context manager in an exit stack is seven steps away from its `close`.
_FAR: Final = 10
_MOST: Final = 2000
_WIDE: Final = (type, ModuleType, FunctionType, CodeType)


def cared_for(suspects: Collection[tuple[Lease, Any]], origins: Origins) -> set[int]:
    """The ids of those that a thread reads, or that a finalizer has yet to close.

    ``weakref.finalize`` calls what it was given as the interpreter exits, later than
    the end is judged.

    Args:
        suspects: As of `being_read`.
        origins: Whose code a file is.
    """
    found = being_read(suspects, origins)
    wanted = {id(response) for _, response in suspects} - found
    return found | (_finalized(wanted) if wanted else set())


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
