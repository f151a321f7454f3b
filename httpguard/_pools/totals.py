"""The figures of connection pools that are gone, by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .pool import PoolRef


@dataclass(slots=True)
class Totals:
    """The figures of pools of one name that are gone. Times are seconds."""

    pools: int = 0
    taken: int = 0
    connected: int = 0
    discarded: int = 0
    waited: int = 0
    reclaimed: int = 0
    peak: int = 0
    maxsize: int = 0
    wait_total: float = 0.0
    wait_max: float = 0.0

    def add(self, pool: PoolRef) -> None:
        """Take a pool's figures in."""
        self.pools += 1
        self.taken += pool.taken.value
        self.connected += pool.connected.value
        self.discarded += pool.discarded.value
        self.waited += pool.waits.count
        self.reclaimed += pool.reclaimed
        self.wait_total += pool.waits.total
        self.wait_max = max(self.wait_max, pool.waits.longest)
        self.peak = max(self.peak, pool.peak)
        self.maxsize = max(self.maxsize, pool.maxsize)

    def merge(self, other: Totals) -> None:
        for name in ("pools", "taken", "connected", "discarded", "waited"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.reclaimed += other.reclaimed
        self.wait_total += other.wait_total
        self.wait_max = max(self.wait_max, other.wait_max)
        self.peak = max(self.peak, other.peak)
        self.maxsize = max(self.maxsize, other.maxsize)

    def to_dict(self) -> dict[str, Any]:
        reused = max(self.taken - self.connected, 0)
        return {
            "pools": self.pools,
            "maxsize": self.maxsize,
            "peak": self.peak,
            "connected": self.connected,
            "reused": reused,
            "reuse_rate": rate(reused, self.taken),
            "discarded": self.discarded,
            "waited": self.waited,
            "wait_total": round(self.wait_total, 3),
            "wait_max": round(self.wait_max, 3),
            "reclaimed": self.reclaimed,
        }


def rate(part: int, whole: int) -> float:
    """A share, 0 of nothing."""
    return round(part / whole, 4) if whole else 0.0
