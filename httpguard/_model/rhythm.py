"""How often the same thing is said: at 1, 10, 100, … and once a minute at most."""

from __future__ import annotations

from typing import Final

_SECONDS: Final = 60.0


class Rhythm:
    """Decides when a count that only grows is worth a report."""

    __slots__ = ("_last", "_next")

    def __init__(self) -> None:
        self._next = 1
        self._last: float | None = None

    def due(self, count: int, now: float) -> bool:
        """Whether to report now; if so, the next time is set.

        Args:
            count: How often it has happened.
            now: Seconds, monotonic.

        Returns:
            True at the first, then when the count has reached 10, 100, 1000 …
            and the last report is a minute old.
        """
        if count < self._next:
            return False
        if self._last is not None and now - self._last < _SECONDS:
            return False
        while self._next <= count:
            self._next *= 10
        self._last = now
        return True
