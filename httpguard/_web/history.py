"""The last hour in numbers, in a fixed amount of memory."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from .._leases.snapshots import count_open
from .._process import process as _process

if TYPE_CHECKING:
    from collections.abc import Callable

SECONDS: Final = 5.0
"""The time between two samples."""
KEPT: Final = 720
"""Samples kept: an hour."""


class Sample(NamedTuple):
    """The state at one moment."""

    when: float
    open: int
    leaks: int


class History:
    """What was open and what had leaked, every five seconds of the last hour.

    Args:
        clock: Seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Start empty."""
        self._clock = clock
        self._samples: deque[Sample] = deque(maxlen=KEPT)
        self._next = clock()

    def sample(self) -> float:
        """Note the state, if it is time to.

        Returns:
            Seconds until the next sample.
        """
        now = self._clock()
        if now >= self._next:
            self._samples.append(self._look(now))
            # After a pause of the whole machine there is nothing to make up for.
            self._next = max(self._next + SECONDS, now)
        return max(self._next - now, 0.0)

    def to_dict(self) -> dict[str, Any]:
        """The samples as columns, the oldest first, and the state now last."""
        now = self._clock()
        samples = [*self._samples, self._look(now)]
        return {
            "seconds_ago": [round(now - sample.when, 1) for sample in samples],
            "open": [sample.open for sample in samples],
            "leaks": [sample.leaks for sample in samples],
        }

    def clear(self) -> None:
        """Forget the past, as a forked child does."""
        self._samples.clear()
        self._next = self._clock()

    @staticmethod
    def _look(now: float) -> Sample:
        """The state."""
        guard = _process.current()
        if guard is None:
            return Sample(now, 0, 0)
        return Sample(now, count_open(guard.registry), guard.detector.total)
