"""httpx and httpx2: what is patched, and what is taken in."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Final

from ..patching import MODULES, LeftAloneError, Package

if TYPE_CHECKING:
    from ..patching import Adopters, Patcher

_MODELS: Final = (("SyncAPIClient", "request"), ("AsyncAPIClient", "request"))
# What a response has of a pool, from httpcore 1.0.3 on.
_STREAM: Final = "PoolByteStream"
# By module, the classes and methods through which all requests of an SDK go.
_SDKS: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "openai._base_client": _MODELS,
    "anthropic._base_client": _MODELS,
    "elastic_transport._node._http_httpx": (
        ("HttpxHttpNode", "perform_request"),
        ("HttpxAsyncHttpNode", "perform_request"),
    ),
}


def _package(name: str, core: str) -> Package:
    """One of the two, whose other files are imported when it is."""
    return Package(
        name,
        (name, core, "uvloop", *_SDKS),
        (name, core),
        partial(_patch, name),
        partial(_adopters, name),
    )


def _patch(name: str, patcher: Patcher) -> None:
    """Called after the import of either package, of each SDK, and of uvloop."""
    from ..tasks import patch_tasks
    from . import cut_off, notes, pools, responses, streams, transports
    from .client import CLIENTS

    notes.patch_sdks(patcher, _SDKS)
    patch_tasks(patcher)

    sync, other = CLIENTS[name]
    # `httpx2.alias_httpx()` lets `import httpx` give httpx2.
    module, core = sys.modules.get(name), sys.modules.get(sync.core)
    if core is not None and core.__name__ == sync.core:
        if not hasattr(sys.modules[f"{sync.core}._sync.connection_pool"], _STREAM):
            raise LeftAloneError(f"{sync.core} is older than 1.0.3")
        pools.patch(patcher, sync.core)
        cut_off.patch(patcher, sync.core)
        streams.patch(patcher, sync.core)
    if module is None or module.__name__ != name:
        return
    # httpx 0.27 imports httpcore in the middle of its own import.
    if hasattr(module, "HTTPTransport"):
        MODULES.note(name)
        responses.patch(patcher, module, sync, other)
        transports.patch(patcher, module, sync, other)


def _adopters(name: str) -> Adopters:
    from .client import CLIENTS
    from .responses import adopters

    return adopters(*CLIENTS[name])


PACKAGE: Final = _package("httpx", "httpcore")
PACKAGE2: Final = _package("httpx2", "httpcore2")
