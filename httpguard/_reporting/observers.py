"""Monitoring systems that follow the guard from sweep to sweep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._metrics.measures import Measures


class Source(Protocol):
    """The guard, as an observer sees it."""

    def measures(self) -> Measures | None:
        """The numbers now; None if that fails."""


class Observer(Protocol):
    """Told after each sweep, under no lock. What it raises is logged once."""

    def leases_ended(self, seconds: Sequence[float]) -> None:
        """Leases ended well since the last time.

        Args:
            seconds: How long each response held its connection.
        """

    def swept(self, source: Source) -> None:
        """A sweep is over.

        Args:
            source: Whoever swept.
        """


_observers: Final[list[Observer]] = []


def observe(observer: Observer) -> None:
    """Tell an observer from the next sweep on."""
    if observer not in _observers:
        _observers.append(observer)


def unobserve(observer: Observer) -> None:
    """Tell it no more."""
    if observer in _observers:
        _observers.remove(observer)


def observers() -> tuple[Observer, ...]:
    """Who is told."""
    return tuple(_observers)
