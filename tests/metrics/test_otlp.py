"""OTLP over gRPC and HTTP, to a collector that keeps what it receives."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
import requests

import httpguard

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import GuardControl
    from tests.server import Server

pytest.importorskip("opentelemetry.exporter.otlp.proto.grpc")
pytest.importorskip("opentelemetry.exporter.otlp.proto.http")

import grpc
from opentelemetry.exporter.otlp.proto.grpc import (
    _log_exporter as grpc_logs,
)
from opentelemetry.exporter.otlp.proto.grpc import (
    metric_exporter as grpc_metrics,
)
from opentelemetry.exporter.otlp.proto.http import (
    _log_exporter as http_logs,
)
from opentelemetry.exporter.otlp.proto.http import (
    metric_exporter as http_metrics,
)
from opentelemetry.proto.collector.logs.v1 import (
    logs_service_pb2 as logs,
)
from opentelemetry.proto.collector.logs.v1 import (
    logs_service_pb2_grpc as logs_grpc,
)
from opentelemetry.proto.collector.metrics.v1 import (
    metrics_service_pb2 as metrics,
)
from opentelemetry.proto.collector.metrics.v1 import (
    metrics_service_pb2_grpc as metrics_grpc,
)
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider


@dataclass
class Received:
    """What the collector has."""

    metrics: deque[Any] = field(default_factory=deque)
    logs: deque[Any] = field(default_factory=deque)

    def record(self) -> Any:
        """The one log record."""
        (record,) = (
            record
            for request in self.logs
            for resource in request.resource_logs
            for scope in resource.scope_logs
            for record in scope.log_records
        )
        return record

    def metric(self, name: str) -> Any:
        """A metric of the latest export."""
        (metric,) = (
            metric
            for resource in self.metrics[-1].resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == name and scope.scope.name == "httpguard"
        )
        return metric


@contextlib.contextmanager
def grpc_collector(received: Received) -> Iterator[str]:
    """A collector that speaks gRPC; its endpoint."""

    class Metrics(metrics_grpc.MetricsServiceServicer):
        def Export(self, request: Any, _context: Any) -> Any:  # noqa: N802
            received.metrics.append(request)
            return metrics.ExportMetricsServiceResponse()

    class Logs(logs_grpc.LogsServiceServicer):
        def Export(self, request: Any, _context: Any) -> Any:  # noqa: N802
            received.logs.append(request)
            return logs.ExportLogsServiceResponse()

    with ThreadPoolExecutor(2) as threads:
        server = grpc.server(threads)
        add_metrics: Any = metrics_grpc.add_MetricsServiceServicer_to_server
        add_metrics(Metrics(), server)
        add_logs: Any = logs_grpc.add_LogsServiceServicer_to_server
        add_logs(Logs(), server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        yield f"http://127.0.0.1:{port}"
        server.stop(None).wait()


@contextlib.contextmanager
def http_collector(received: Received) -> Iterator[str]:
    """A collector that speaks HTTP; its endpoint."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            paths: dict[str, tuple[deque[Any], Any]] = {
                "/v1/metrics": (received.metrics, metrics.ExportMetricsServiceRequest),
                "/v1/logs": (received.logs, logs.ExportLogsServiceRequest),
            }
            kept, kind = paths[self.path]
            kept.append(kind.FromString(body))
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def exporters(kind: str, endpoint: str) -> tuple[Any, Any]:
    """OpenTelemetry's own, for metrics and logs."""
    if kind == "grpc":
        return (
            grpc_metrics.OTLPMetricExporter(endpoint, insecure=True),
            grpc_logs.OTLPLogExporter(endpoint, insecure=True),
        )
    return (
        http_metrics.OTLPMetricExporter(f"{endpoint}/v1/metrics"),
        http_logs.OTLPLogExporter(f"{endpoint}/v1/logs"),
    )


def plain(attributes: Any) -> dict[str, Any]:
    """Attributes of a message as Python's values."""
    return {
        one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes
    }


@pytest.mark.parametrize(
    ("kind", "collector"), [("grpc", grpc_collector), ("http", http_collector)]
)
def test_a_collector_has_the_metrics_and_the_leak_in_its_trace(
    kind: str, collector: Any, guard: GuardControl, server: Server
) -> None:
    received = Received()
    resource = Resource.create({"service.name": "shop"})
    with collector(received) as endpoint:
        to_metrics, to_logs = exporters(kind, endpoint)
        meters = MeterProvider([PeriodicExportingMetricReader(to_metrics)], resource)
        loggers = LoggerProvider(resource)
        loggers.add_log_record_processor(BatchLogRecordProcessor(to_logs))
        sending = httpguard.instrument_opentelemetry(meters, loggers)
        guard.install()
        tracer = TracerProvider().get_tracer("test")
        with tracer.start_as_current_span("request") as span:
            requests.get(server.url("/bytes/90000"), stream=True)  # LEAK
        with requests.get(server.url("/bytes/90000"), stream=True):
            guard.advance(2.0)
        guard.check()
        loggers.force_flush()
        meters.force_flush()
        # The exporter's own requests leave nothing open, over HTTP too.
        counters = guard.check().counters
        assert (counters["opened"], counters["leaks"]) == (2, 1)
        sending.close()
        loggers.shutdown()
        meters.shutdown()

    opened = span.get_span_context()
    record = received.record()
    assert record.trace_id.hex() == f"{opened.trace_id:032x}"
    assert record.span_id.hex() == f"{opened.span_id:016x}"
    assert record.event_name == "httpguard.leak"
    assert record.severity_text == "WARN"
    attributes = plain(record.attributes)
    source = __file__
    with open(source, encoding="utf-8") as lines:
        line = next(n for n, text in enumerate(lines, 1) if text.endswith("# LEAK\n"))
    site = {
        "code.file.path": source,
        "code.line.number": line,
        "code.function.name": sys._getframe().f_code.co_name,
    }
    assert attributes.items() >= site.items()

    received.metrics.pop()  # What `shutdown` sent, after `close`.
    leaks = received.metric("httpguard.leaks")
    assert leaks.unit == "{leak}"
    assert leaks.sum.is_monotonic
    counts = [
        (plain(point.attributes), point.as_int)
        for point in leaks.sum.data_points
        if point.as_int
    ]
    assert counts == [({"httpguard.leak.kind": "dropped", **site}, 1)]
    (lease,) = received.metric("httpguard.lease.duration").histogram.data_points
    assert (lease.count, lease.sum) == (1, 2.0)
    (exported,) = received.metrics[-1].resource_metrics
    assert plain(exported.resource.attributes)["service.name"] == "shop"
