"""Values, and what all layers share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

# For annotations of what is imported with httpguard, as dataclasses are not.
if TYPE_CHECKING:
    from .leak import Leak as Leak
else:

    def __getattr__(name: str) -> Any:
        """A leak, imported when it is asked for."""
        if name != "Leak":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from .leak import Leak

        return Leak
