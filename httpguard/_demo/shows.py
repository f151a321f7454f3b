"""What there is to show: for each client, a leaky program and the same one repaired."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Show:
    """Two programs.

    Args:
        leaky: The file of the one whose comments say which of its lines leak.
        fixed: The file of the other one.
        what: What the first is.
        needs: The packages they import.
    """

    leaky: str
    fixed: str
    what: str
    needs: tuple[str, ...]


SHOWS: Final = {
    "requests": Show(
        "leaky.py",
        "fixed.py",
        "a shop's nightly job that leaks in four ways",
        ("requests", "urllib3"),
    ),
    "httpx": Show(
        "httpx_leaky.py",
        "httpx_fixed.py",
        "a shop's watcher that starves its own pool",
        ("httpx",),
    ),
    "aiohttp": Show(
        "aiohttp_leaky.py",
        "aiohttp_fixed.py",
        "a shop's mirror that starves its own connector",
        ("aiohttp",),
    ),
}
"""By client."""
