"""What a leak reads like. The layer that knows says so, as httpguard is imported.

A `Leak` is known by name alone: most programs import none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable


class Report:
    """The text of a leak."""

    def __init__(self) -> None:
        self._describe: Callable[[Any], str] | None = None

    def by(self, describe: Callable[[Any], str]) -> None:
        """Have the text made elsewhere."""
        self._describe = describe

    def text(self, leak: Any) -> str:
        """Kind and site at least, whatever fails: the program may print it."""
        try:
            if self._describe is not None:
                return self._describe(leak)
        except Exception:  # noqa: S110  # Printing shall not end a program.
            pass
        return f"leak {leak.kind} {leak.site}"


REPORT: Final = Report()
