"""What the page asks of the program that it shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._leases.registry import Registry
    from .._leases.table import LeakTable
    from .._model.fork import Parts
    from .._model.settings import Settings
    from .._model.snapshot import Snapshot


class Source(Protocol):
    """The guard."""

    settings: Settings
    registry: Registry
    table: LeakTable

    def snapshot(self, most: int | None = None) -> Snapshot:
        """The state; no more than `most` rows. Never waits long for a sweep."""


@dataclass(frozen=True, slots=True)
class Program:
    """The program that a page shows: this process.

    Args:
        find: The guard; None while none is installed.
        metrics: The metrics, in the format that an ``Accept`` header asks for, and
            their content type. Raises `HTTPGuardError` if they are not to be had.
        failed: Told what failed inside, and where.
        parts: Told of every fork.
        addresses: Host and port of our own pages: requests to them get no lease.
    """

    find: Callable[[], Source | None]
    metrics: Callable[[str], tuple[bytes, str]]
    failed: Callable[[str, Exception], None]
    parts: Parts
    addresses: set[tuple[str, int | None]]
