"""What is patched later: once there is something to see by it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..patching import Patcher


class Later:
    """Patches that are promised first."""

    def __init__(self, patch: Callable[[Patcher], None]) -> None:
        self._patch = patch
        self._patcher: Patcher | None = None
        self.is_on = False
        # Who puts it on, by the number of the process: a fork may leave it half done.
        self._claims: dict[int, object] = {}

    def promise(self, patcher: Patcher) -> None:
        """It is still to be patched, or again after `uninstall`."""
        self._patcher = patcher
        self.is_on = False
        self._claims.clear()

    def put_on(self) -> None:
        """Patch it now. One thread does; no other waits for that."""
        if self.is_on or self._patcher is None:
            return
        claim = object()
        if self._claims.setdefault(os.getpid(), claim) is not claim:
            return
        self._patch(self._patcher)
        self.is_on = True
