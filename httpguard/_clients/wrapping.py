"""wrapt's `wrap_object` and post-import hooks, without the rest of it.

All of wrapt brings asyncio, ten times of what these two take. Where the program has not
imported it by itself, the modules that define them are loaded under a name of ours.
"""

from __future__ import annotations

import sys
import threading
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

__all__ = ["register_post_import_hook", "wrap_object"]

# With `httpguard attach` a copy comes along that is found by this name.
_NAME: Final = f"{__name__.partition('.')[0]}._wrapt"
# Compiled, it imports all of wrapt. It is for proxies, of which we make none.
_COMPILED: Final = f"{_NAME}._wrappers"


def _load() -> tuple[Any, Any]:
    spec = find_spec(_NAME)
    if spec is None and "wrapt" not in sys.modules:
        spec = find_spec("wrapt")
    if spec is None or spec.submodule_search_locations is None:
        raise ImportError(name=_NAME)
    package = ModuleType(_NAME)
    package.__loader__ = spec.loader
    package.__path__ = spec.submodule_search_locations
    sys.modules.update({_NAME: package, _COMPILED: None})  # type: ignore[dict-item]
    try:
        importer = import_module(f"{_NAME}.importer")
        patches = import_module(f"{_NAME}.patches")
    finally:
        del sys.modules[_COMPILED]
    return importer.register_post_import_hook, patches.wrap_object


if TYPE_CHECKING:
    from wrapt import register_post_import_hook, wrap_object
else:
    try:
        register_post_import_hook, wrap_object = _load()
    except Exception:  # Of another version, or frozen in a way of its own.
        from wrapt import register_post_import_hook, wrap_object


def forget() -> None:
    """In a forked child: each import takes wrapt's lock, which a thread had."""
    space = register_post_import_hook.__globals__
    space["_post_import_hooks_lock"] = threading.RLock()
