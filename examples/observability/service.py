"""A WSGI service that leaks its upstream's responses, and can be watched doing it.

Run: ``gunicorn -c gunicorn.conf.py service:application``, from this directory, with
the address of any HTTP server in ``UPSTREAM``. Prometheus reads ``/metrics``; with
``OTEL_EXPORTER_OTLP_ENDPOINT`` set, the same goes to that OpenTelemetry collector.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import requests

import httpguard

if TYPE_CHECKING:
    from collections.abc import Callable


httpguard.prometheus_collector()
httpguard.install()

session = requests.Session()


def send_to_opentelemetry() -> None:
    """Set the SDK up as its own documentation says, then one call for httpguard.

    The SDK reads the endpoint, the protocol and the service's name from the
    variables ``OTEL_...``.
    """
    from opentelemetry import _logs, metrics
    from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import (
        OTLPMetricExporter,
    )
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

    reader = PeriodicExportingMetricReader(OTLPMetricExporter())
    metrics.set_meter_provider(MeterProvider([reader]))
    logs = LoggerProvider()
    logs.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
    _logs.set_logger_provider(logs)
    httpguard.instrument_opentelemetry()


if os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
    send_to_opentelemetry()


def leaky() -> bytes:
    """Look at the status alone."""
    response = session.get(os.environ["UPSTREAM"], stream=True, timeout=10)  # LEAK
    return f"upstream says {response.status_code}\n".encode()


def fixed() -> bytes:
    """The same, with the response closed."""
    with session.get(os.environ["UPSTREAM"], stream=True, timeout=10) as response:
        return f"upstream says {response.status_code}\n".encode()


def application(
    environ: dict[str, Any], start_response: Callable[..., object]
) -> list[bytes]:
    """Serve ``/leaky``, ``/fixed`` and ``/metrics``."""
    path = environ["PATH_INFO"]
    kind = "text/plain"
    if path == "/metrics":
        accept = environ.get("HTTP_ACCEPT", "")
        body, kind = httpguard.render_prometheus(accept)
    elif path in {"/leaky", "/fixed"}:
        body = leaky() if path == "/leaky" else fixed()
    else:
        start_response("404 Not Found", [("Content-Type", kind)])
        return [b"no such page\n"]
    start_response("200 OK", [("Content-Type", kind)])
    return [body]
