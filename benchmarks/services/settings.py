"""How the services have httpguard installed, and what else they are told."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpguard

MAX_SESSIONS: Final = 3
_PREFIX: Final = "SOAK_"


@dataclass(frozen=True, slots=True)
class Orders:
    """What a service is told, through its environment.

    Args:
        url: Of the server that it asks.
        seed: Of its schedule.
        folder: Where its files lie.
        max_idle: Seconds after which what is kept is a leak.
    """

    url: str
    seed: int
    folder: Path
    max_idle: float

    @property
    def kept(self) -> float:
        """Seconds for which it is kept: it is judged before, on a busy machine too.

        Where a process stands still for more than a second, it is not idle meanwhile.
        """
        return 4 * self.max_idle

    @property
    def log(self) -> Path:
        """The JSON lines of httpguard."""
        return self.folder / "leaks.jsonl"

    @property
    def diary(self) -> Path:
        """What the service writes down of itself."""
        return self.folder / "diary.jsonl"

    def environment(self) -> dict[str, str]:
        """The variables that tell it."""
        return {
            _PREFIX + "URL": self.url,
            _PREFIX + "SEED": str(self.seed),
            _PREFIX + "FOLDER": str(self.folder),
            _PREFIX + "MAX_IDLE": str(self.max_idle),
        }


def orders() -> Orders:
    """What this process was told."""
    names = ("URL", "SEED", "FOLDER", "MAX_IDLE")
    url, seed, folder, max_idle = (os.environ[_PREFIX + name] for name in names)
    return Orders(url, int(seed), Path(folder), float(max_idle))


def install(told: Orders) -> None:
    """Install httpguard as a service would, but for the times."""
    wanted: dict[str, Any] = {
        "max_idle": told.max_idle,
        "check_interval": told.max_idle / 8,
        "max_sessions": MAX_SESSIONS,
        "reclaim": True,
        "log": str(told.log),
    }
    httpguard.install(**wanted)
