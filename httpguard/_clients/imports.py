"""Patches that wait for the import of a module, and cause none.

By no library: to import wrapt, whose hooks do the same, brings asyncio along and takes
as long as a third of `install` (``python -m benchmarks.startup``).
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

    Hook = Callable[[], None]


class Imports:
    """A finder before the others. It finds nothing itself, and sees who is imported."""

    def __init__(self) -> None:
        # By module, what is to be called once.
        self._waiting: dict[str, dict[Hashable, Hook]] = {}

    def wait(self, module: str, key: Hashable, hook: Hook) -> None:
        """Call a function when a module has been imported.

        Args:
            module: Its full name; it is not imported yet.
            key: Only the last hook of a module and a key is called.
            hook: Never raises.
        """
        self._waiting.setdefault(module, {})[key] = hook
        if self not in sys.meta_path:
            sys.meta_path.insert(0, self)

    def stop(self) -> None:
        """Wait for nothing any more."""
        self._waiting.clear()
        if self in sys.meta_path:
            sys.meta_path.remove(self)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: Any = None
    ) -> ModuleSpec | None:
        """What the finders behind this one find, and see to it that we are told."""
        if name not in self._waiting:
            return None
        finders = list(sys.meta_path)
        # Only those: of two finders that ask each other, neither would ever end.
        behind = finders[finders.index(self) + 1 :] if self in finders else []
        for finder in behind:
            find = getattr(finder, "find_spec", None)
            spec: ModuleSpec | None = None if find is None else find(name, path, target)
            if spec is not None:
                if hasattr(spec.loader, "exec_module"):
                    spec.loader = _Loader(spec.loader, self)  # type: ignore[assignment]
                return spec
        return None

    def came(self, module: str) -> None:
        """A module has been imported."""
        for hook in self._waiting.pop(module, {}).values():
            hook()


class _Loader:
    """Stands for the loader of a module until that has been found, and tells when.

    Args:
        loader: The module keeps it.
        imports: Told.
    """

    def __init__(self, loader: Any, imports: Imports) -> None:
        self._loader = loader
        self._imports = imports

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def exec_module(self, module: ModuleType) -> None:
        """Run it."""
        spec = module.__spec__
        if spec is not None and spec.loader is self:  # type: ignore[comparison-overlap]
            spec.loader = self._loader
        if vars(module).get("__loader__") is self:
            module.__loader__ = self._loader
        self._loader.exec_module(module)
        self._imports.came(module.__name__)
