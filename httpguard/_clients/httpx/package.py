"""httpx and httpx2: what is patched, and what is taken in."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Final

from ..package import Package
from ..tasks import LOOPS, patch_tasks
from .client import ASYNC_HTTPX, ASYNC_HTTPX2, HTTPX, HTTPX2
from .notes import SDKS, patch_sdks

if TYPE_CHECKING:
    from ..._leases.leases import Leases
    from ..._leases.patcher import Patcher
    from ..package import Adopters
    from .client import AsyncHttpx, Httpx


def _package(sync: Httpx, other: AsyncHttpx) -> Package:
    """One of the two.

    Args:
        sync: Whose responses `Client` returns.
        other: Whose responses `AsyncClient` returns.
    """
    return Package(
        sync.name,
        (sync.name, sync.core, *LOOPS[1:], *SDKS),
        (sync.name, sync.core),
        partial(_patch, sync=sync, other=other),
        partial(_adopters, sync, other),
    )


def _patch(
    patcher: Patcher, _leases: Leases, *, sync: Httpx, other: AsyncHttpx
) -> None:
    """Called after the import of either package, and of each SDK."""
    from . import pools, responses, streams, transports

    patch_sdks(patcher)
    patch_tasks(patcher)

    # `httpx2.alias_httpx()` lets `import httpx` give httpx2.
    module, core = sys.modules.get(sync.name), sys.modules.get(sync.core)
    if core is not None and core.__name__ == sync.core:
        pools.patch(patcher, sync.core)
        streams.patch(patcher, sync.core)
    if module is not None and module.__name__ == sync.name:
        responses.patch(patcher, module, sync, other)
        transports.patch(patcher, module, sync, other)


def _adopters(sync: Httpx, other: AsyncHttpx) -> Adopters:
    from .adopting import adopters

    return adopters(sync, other)


PACKAGE: Final = _package(HTTPX, ASYNC_HTTPX)
PACKAGE2: Final = _package(HTTPX2, ASYNC_HTTPX2)
