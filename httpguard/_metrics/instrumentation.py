"""What `instrument_opentelemetry` returns; OpenTelemetry need not be installed."""

from __future__ import annotations

import abc

from .observers import Observer


class Instrumentation(Observer, abc.ABC):
    """Metrics and log records on their way to OpenTelemetry, until closed."""

    closed = False

    @abc.abstractmethod
    def close(self) -> None:
        """Send nothing more. The instruments stay, without data."""
