"""Monitoring systems, told from sweep to sweep; none of them need be installed."""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .measures import Measures


class Source(Protocol):
    def measures(self) -> Measures | None:
        """The numbers now; None if that fails."""

    def notify(self) -> None:
        """Tell the observers what they have not been told yet."""


Find: TypeAlias = Callable[[], "Source | None"]
"""The guard of this moment, None where httpguard is not installed."""


class Observer:
    """Told after each sweep, under no lock. What it raises is logged once."""

    def leases_ended(self, seconds: Sequence[float]) -> None:
        """Leases ended well, having held their connections for so many seconds."""

    def swept(self, source: Source) -> None:
        """A sweep is over."""

    # A part of the process's state, for which a fork matters: see `Forked`.

    def pause(self) -> None:
        """In the parent, before a fork."""

    def resume(self) -> None:
        """In the parent, after it."""

    def forget(self) -> None:
        """In the child: begin anew."""


class Instrumentation(Observer, abc.ABC):
    """Metrics and log records on their way to OpenTelemetry, until closed."""

    closed = False

    @abc.abstractmethod
    def close(self) -> None:
        """Send nothing more. The instruments stay, without data."""
