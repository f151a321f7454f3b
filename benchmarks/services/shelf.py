"""What a service keeps until it is a leak for certain."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpguard

if TYPE_CHECKING:
    from collections.abc import Callable

    from .truth import Diary


@dataclass(frozen=True, slots=True)
class Kept:
    """Something that is kept.

    Args:
        name: Of the line that leaks it.
        count: How many leaks it makes.
        close: Ends it; may give something to be awaited.
        until: Seconds of the monotonic clock.
    """

    name: str
    count: int
    close: Callable[[], Any]
    until: float


class Shelf:
    """Keeps things for as long as it takes until they are leaks for certain.

    Args:
        diary: Where it is written down that they are closed.
        seconds: How long that is.
    """

    def __init__(self, diary: Diary, seconds: float) -> None:
        self._diary = diary
        self._seconds = seconds
        self._kept: list[Kept] = []
        self._reserved: set[str] = set()
        self._lock = threading.Lock()

    def put(self, name: str, close: Callable[[], Any], count: int = 1) -> None:
        """Write down a leak, and keep it."""
        self._diary.leaked(name, count)
        until = time.monotonic() + self._seconds
        with self._lock:
            self._kept.append(Kept(name, count, close, until))

    def reserve(self, name: str) -> bool:
        """Whether nothing of that name is kept: from now on something is."""
        with self._lock:
            is_free = name not in self._reserved
            self._reserved.add(name)
            return is_free

    def due(self) -> list[Kept]:
        """What has been kept long enough, judged by now: to be closed by the caller."""
        now = time.monotonic()
        with self._lock:
            found = [kept for kept in self._kept if kept.until <= now]
            if not found:
                return []
            self._kept = [kept for kept in self._kept if kept.until > now]
        httpguard.check()
        for kept in found:
            self._diary.resolved(kept.name, kept.count)
            with self._lock:
                self._reserved.discard(kept.name)
        return found

    def left(self) -> float | None:
        """Seconds until all of it is due; None where nothing is kept."""
        with self._lock:
            if not self._kept:
                return None
            last = max(kept.until for kept in self._kept)
        return max(0.0, last - time.monotonic())
