"""To OpenTelemetry, by its API. Needs the extra ``otel``."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

# There is no public name for the logs yet: their API is called "in development".
from opentelemetry import _logs, metrics, trace
from opentelemetry._logs import SeverityNumber

from .._model.event import LEAK, RESOLVED
from .._model.redaction import printable
from .._pools.kind import DEFAULT_PORTS
from .._reporting.context import Bound
from .._text.events import render
from .._text.leaks import whole_place
from .measures import OTHER, Instrumentation
from .table import LEASE_BOUNDS, LEASE_OTEL, LEASE_TEXT, METRICS, Kind, Metric

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from opentelemetry._logs import LoggerProvider
    from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation

    from .._model.event import Event
    from .._model.leak import Frame, Leak
    from .._reporting import Destinations, Members
    from .measures import Find, Measures, Observer
    from .table import Key

_SCOPE: Final = "httpguard"
_SEVERITIES: Final = {
    "info": SeverityNumber.INFO,
    "warning": SeverityNumber.WARN,
    "error": SeverityNumber.ERROR,
}


class OpenTelemetry(Instrumentation):
    """Sends them.

    It becomes one of the destinations of events, and may leave the observers, who are
    told after each sweep.
    """

    def __init__(
        self,
        meter_provider: MeterProvider,
        logger_provider: LoggerProvider,
        find: Find,
        destinations: Destinations,
        observers: Members[Observer],
    ) -> None:
        from .._model.version import __version__

        self.providers = (meter_provider, logger_provider)
        self._destinations = destinations
        self._observers = observers
        self._find = find
        # What all metrics of a collection are told, and those that have been told.
        # OpenTelemetry asks each by itself: one that asks again begins a new turn.
        # Without a lock, which a fork could leave locked: at worst two look twice.
        self._turn: tuple[Measures | None, set[str]] = (None, set())
        meter = meter_provider.get_meter(_SCOPE, __version__)
        make = {
            Kind.COUNTER: meter.create_observable_counter,
            Kind.SUM: meter.create_observable_up_down_counter,
            Kind.MOST: meter.create_observable_gauge,
        }
        for metric in METRICS:
            make[metric.kind](
                metric.otel,
                callbacks=[partial(self._observe, metric)],
                unit=metric.unit,
                description=metric.text,
            )
        self._lease = meter.create_histogram(
            LEASE_OTEL,
            unit="s",
            description=LEASE_TEXT,
            explicit_bucket_boundaries_advisory=LEASE_BOUNDS,
        )
        self._logger = logger_provider.get_logger(_SCOPE, __version__)
        destinations.add(self.report, "OpenTelemetry")

    def close(self) -> None:
        self.closed = True
        self._observers.remove(self)
        self._destinations.remove(self.report)

    def leases_ended(self, seconds: Sequence[float]) -> None:
        """Record lease times: OpenTelemetry has no histogram that is asked."""
        for duration in seconds:
            self._lease.record(duration)

    def report(self, event: Event) -> None:
        rendered = render(event)
        if rendered is None:
            return
        severity = _SEVERITIES[event.level]
        span = event.context.span if isinstance(event.context, Bound) else None
        # Not the span of whoever happens to report it.
        opener = trace.INVALID_SPAN if span is None else trace.NonRecordingSpan(span)
        now = time.time_ns()
        self._logger.emit(
            _logs.LogRecord(
                timestamp=now,
                observed_timestamp=now,
                context=trace.set_span_in_context(opener),
                severity_number=severity,
                severity_text=severity.name,
                body=rendered.text,
                attributes=_event_attributes(event, rendered.fields),
                event_name=event.name,
            )
        )

    def _observe(
        self, metric: Metric, _options: CallbackOptions
    ) -> Iterable[Observation]:
        if self.closed:
            return []
        measures, served = self._turn
        if not served or metric.otel in served:
            guard = self._find()
            measures, served = None if guard is None else guard.measures(), set()
            self._turn = (measures, served)
        served.add(metric.otel)
        if measures is None:
            return []
        return [
            metrics.Observation(value, _key_attributes(key))
            for key, value in metric.read(measures)
        ]


def _key_attributes(key: Key) -> dict[str, Any]:
    if key is None:
        return {}
    if isinstance(key, str):
        return _pool_attributes(key)
    kind, site = key
    return {
        "httpguard.leak.kind": kind.value,
        **({} if site is None else _site_attributes(site)),
    }


def _site_attributes(site: Frame) -> dict[str, Any]:
    return {
        "code.file.path": printable(site.filename),
        "code.line.number": site.lineno,
        "code.function.name": printable(site.function),
    }


def _pool_attributes(name: str) -> dict[str, Any]:
    if name == OTHER:
        return {"server.address": OTHER}
    parts = urlsplit(name)
    try:
        port = parts.port or DEFAULT_PORTS.get(parts.scheme)
    except ValueError:  # The program made it up.
        port = None
    attributes: dict[str, Any] = {
        "url.scheme": parts.scheme,
        "server.address": printable(parts.hostname or name),
    }
    if port is not None:
        attributes["server.port"] = port
    return attributes


def _event_attributes(event: Event, fields: Mapping[str, Any]) -> dict[str, Any]:
    """By OpenTelemetry's semantic conventions, where it has one."""
    figures = {f"httpguard.{name}": value for name, value in event.figures.items()}
    if event.name in (LEAK, RESOLVED):
        return {**_leak_attributes(event.leaks[0], fields), **figures}
    sites = fields.get("sites") or [whole_place(leak.site) for leak in event.leaks]
    details = {
        f"httpguard.{name}": fields[name]
        for name in event.details
        if isinstance(fields[name], (str, int, float))
    }
    pool = event.details.get("pool")
    return {
        **({"httpguard.sites": sites} if sites else {}),
        **details,
        **(_pool_attributes(pool) if isinstance(pool, str) else {}),
        **figures,
    }


def _leak_attributes(leak: Leak, fields: Mapping[str, Any]) -> dict[str, Any]:
    own = ("count", "resolved", "client", "age", "idle", "bytes_read", "hint")
    attributes = {
        "httpguard.leak.kind": leak.kind.value,
        **{f"httpguard.leak.{name}": fields[name] for name in own},
        **_site_attributes(leak.site),
        "code.stacktrace": fields["stack"],
        **_pool_attributes(leak.pool),
        "thread.name": leak.thread,
    }
    if leak.method:  # A session has none.
        attributes["http.request.method"] = leak.method
        attributes["http.response.status_code"] = leak.status
        attributes["url.full"] = leak.url
    if leak.length is not None:
        attributes["http.response.body.size"] = leak.length
    return attributes
