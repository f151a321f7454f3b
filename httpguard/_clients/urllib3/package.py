"""urllib3 and copies of it: what is patched, and what is taken in."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Final

from ..package import Package
from ..patching import LeftAloneError
from .callers import CODES

if TYPE_CHECKING:
    from ..package import Adopters
    from ..patching import Patcher
    from .callers import Codes


def urllib3_package(codes: Codes) -> Package:
    """urllib3 1.26 or 2.x, or a copy of it.

    Args:
        codes: Its.
    """
    name = codes.urllib3.name
    return Package(
        name,
        # Where imports are lazy, the one is half imported as the other is there.
        (f"{name}.connectionpool", f"{name}.poolmanager"),
        (name,),
        partial(_patch, codes=codes),
        partial(_adopters, codes),
    )


def _patch(patcher: Patcher, *, codes: Codes) -> None:
    from . import managers, parts, pools, responses

    name = codes.urllib3.name
    if not is_itself(f"{name}.connectionpool"):
        return  # Another name of one that is guarded.
    managers_module = sys.modules.get(f"{name}.poolmanager")
    if managers_module and not hasattr(managers_module, "PoolManager"):
        return  # We are called again.
    unknown = parts.unknown_part(name)
    if unknown:
        # requests on top of it is left alone too.
        raise LeftAloneError(unknown)
    responses.patch(patcher, codes)
    pools.patch(patcher, name)
    managers.patch(patcher, codes)


def _adopters(codes: Codes) -> Adopters:
    from .adopting import adopters

    return adopters(codes.urllib3)


def is_itself(module: str) -> bool:
    """Whether a module that was imported bears its own name."""
    return getattr(sys.modules.get(module), "__name__", None) == module


PACKAGE: Final = urllib3_package(CODES)
