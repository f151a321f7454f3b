"""Patches: one file for each client, put on and taken off together.

Each client's file says only what is wrapped and how its response maps to a
lease. wrapt's post-import hooks apply it whether the client is imported before
`install` or after, and never import it.
"""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Final

from . import executors, requests, sessions
from .patching import STATE, Hub, connect, disconnect, remove, step_aside
from .urllib3 import pools as _pools
from .urllib3 import responses as _urllib3

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Hub", "apply", "connect", "disconnect", "follow_executors", "remove"]

# A module may be there twice: a hook runs the patches of its own row.
_CLIENTS: Final = (
    ("urllib3.connectionpool", _urllib3.apply),
    ("urllib3.connectionpool", _pools.apply),
    ("urllib3.poolmanager", sessions.apply_urllib3),
    ("requests.sessions", requests.apply),
    ("requests.sessions", sessions.apply_requests),
)
_hooked: Final[set[Callable[[], None]]] = set()


def apply(hub: Hub) -> None:
    """Patch every client that is imported, and each other one when it is.

    Args:
        hub: Whom the patches tell.
    """
    connect(hub)
    for module, patch in _CLIENTS:
        _put_on(module, patch)


def follow_executors() -> None:
    """Patch thread pools, for the time until `remove`."""
    _put_on("concurrent.futures.thread", executors.apply)


def _put_on(module: str, patch: Callable[[], None]) -> None:
    """Patch a module now or when it is imported."""
    # Imported here and not with httpguard: wrapt brings asyncio, 20 ms.
    import wrapt

    if patch not in _hooked:
        _hooked.add(patch)
        wrapt.register_post_import_hook(partial(_on_import, patch), module)
    elif module in sys.modules:
        # A hook runs once; after `remove` the patch is put on from here.
        _on_import(patch, None)


def _on_import(patch: Callable[[], None], _module: object) -> None:
    """Patch a client, unless httpguard was uninstalled before it came."""
    if STATE.hub is not None:
        try:
            patch()
        except Exception as error:  # Of a version that we do not know, say.
            step_aside("patches", error)
