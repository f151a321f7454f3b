"""Memory along a run: the most of each tenth, and whether it stays flat."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, Final

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_TENTHS: Final = 10
# After the first tenth: imports, caches and buffers have come to their size.
_EARLY: Final = slice(1, 4)
_LATE: Final = slice(7, 10)
_MORE: Final = 1.1
_EVERY: Final = 0.5

RULE: Final = (
    "flat: the most of the last three tenths is at most 10 % above the most of the"
    " second to fourth"
)

Reading = tuple[float, float]
"""Seconds of the monotonic clock, and how much."""


def peaks(readings: Iterable[Reading], begin: float, end: float) -> list[float | None]:
    """The most in each tenth of a time; None where there was no reading.

    Args:
        readings: In any order.
        begin: Seconds of the monotonic clock.
        end: The same.
    """
    found: list[float | None] = [None] * _TENTHS
    for at, size in readings:
        tenth = int((at - begin) / (end - begin) * _TENTHS)
        if 0 <= tenth < _TENTHS:
            found[tenth] = max(size, found[tenth] or 0)
    return found


def is_flat(found: Sequence[float | None]) -> bool | None:
    """Whether memory stays flat, by `RULE`; None: there are too few readings."""
    early = [size for size in found[_EARLY] if size is not None]
    late = [size for size in found[_LATE] if size is not None]
    if not early or not late:
        return None
    return max(late) <= _MORE * max(early)


class Sampler:
    """Reads, in a thread, how much memory the largest process of a service takes.

    Args:
        pid: Of its first process; the others descend from that.
    """

    def __init__(self, pid: int) -> None:
        self.readings: list[Reading] = []
        self._pid = pid
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Read no more."""
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(_EVERY):
            with contextlib.suppress(psutil.Error):
                first = psutil.Process(self._pid)
                sizes = [
                    self._size(one) for one in [first, *first.children(recursive=True)]
                ]
                self.readings.append((time.monotonic(), max(sizes)))

    @staticmethod
    def _size(process: psutil.Process) -> int:
        """Resident bytes; 0 of a process that has gone."""
        try:
            return int(process.memory_info().rss)
        except psutil.Error:
            return 0
