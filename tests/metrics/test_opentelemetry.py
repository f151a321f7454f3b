from __future__ import annotations

import contextlib
import contextvars
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import requests
import structlog
import urllib3

import httpguard
from httpguard import LeakKind
from httpguard._process import process as _process
from httpguard._reporting.context import Bound, bound_now
from tests.program import run, run_without_packages, write

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.trace import SpanContext

    from httpguard._metrics.measures import Measures
    from tests.conftest import GuardControl
    from tests.server import Server

pytest.importorskip("opentelemetry.sdk")

from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import (
    InMemoryLogRecordExporter,
    SimpleLogRecordProcessor,
)
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider


@dataclass
class Backend:
    """An OpenTelemetry SDK that keeps what it is given."""

    reader: InMemoryMetricReader = field(default_factory=InMemoryMetricReader)
    exporter: InMemoryLogRecordExporter = field(
        default_factory=InMemoryLogRecordExporter
    )

    def __post_init__(self) -> None:
        self.meters = MeterProvider([self.reader])
        self.loggers = LoggerProvider()
        self.loggers.add_log_record_processor(SimpleLogRecordProcessor(self.exporter))
        self.tracer = TracerProvider().get_tracer("test")
        self.instrumentation = httpguard.instrument_opentelemetry(
            self.meters, self.loggers
        )

    def metrics(self) -> dict[str, Any]:
        """The metrics of one collection, by name."""
        data: Any = self.reader.get_metrics_data()
        return {
            metric.name: metric
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }

    def points(self, name: str) -> list[tuple[dict[str, Any], float]]:
        """A metric's attributes and values."""
        return [
            (dict(point.attributes), point.value)
            for point in self.metrics()[name].data.data_points
        ]

    def records(self) -> list[Any]:
        """The log records."""
        return [one.log_record for one in self.exporter.get_finished_logs()]

    def record(self) -> tuple[Any, dict[str, Any]]:
        """The only log record, and its attributes."""
        (record,) = self.records()
        return record, dict(record.attributes)


@pytest.fixture
def backend() -> Iterator[Backend]:
    """An SDK that httpguard sends to."""
    backend = Backend()
    yield backend
    backend.instrumentation.close()
    backend.meters.shutdown()
    backend.loggers.shutdown()


def leak(url: str) -> int:
    """Drop a response; the line where."""
    requests.get(url, stream=True)
    return sys._getframe().f_code.co_firstlineno + 2


def test_a_leak_is_counted_at_its_site(
    guard: GuardControl, server: Server, backend: Backend
) -> None:
    guard.install()
    line = 0
    for _ in range(3):
        line = leak(server.url("/bytes/90000"))
    metrics = backend.metrics()["httpguard.leaks"]
    assert metrics.unit == "{leak}"
    assert metrics.data.is_monotonic
    found = [point for point in backend.points("httpguard.leaks") if point[1]]
    site = {
        "httpguard.leak.kind": "dropped",
        "code.file.path": __file__,
        "code.line.number": line,
        "code.function.name": "leak",
    }
    assert found == [(site, 3)]


def test_innocent_requests_are_counted_as_such(
    guard: GuardControl, server: Server, backend: Backend
) -> None:
    guard.install()
    requests.get(server.url("/bytes/90000"))
    with requests.get(server.url("/bytes/90000"), stream=True) as response:
        assert response.content
    guard.check()
    assert [value for _, value in backend.points("httpguard.leaks")] == [0] * len(
        LeakKind
    )
    assert backend.points("httpguard.response.released") == [({}, 1)]
    assert backend.records() == []


def test_open_responses_by_server(
    guard: GuardControl, server: Server, backend: Backend
) -> None:
    guard.install()
    kept = requests.get(server.url("/bytes/90000"), stream=True)
    address = {
        "url.scheme": "http",
        "server.address": server.host,
        "server.port": server.port,
    }
    rest = ({"server.address": "other"}, 0)
    assert backend.points("httpguard.response.open") == [rest, (address, 1)]
    assert backend.points("httpguard.pool.size") == [rest, (address, 10)]
    guard.advance(60)
    guard.check()
    assert backend.points("httpguard.response.held") == [({}, 1)]
    assert backend.points("httpguard.response.oldest") == [({}, 60)]
    kept.close()
    assert backend.points("httpguard.response.held") == [({}, 0)]


def test_lease_times(guard: GuardControl, server: Server, backend: Backend) -> None:
    guard.install()
    for seconds in (0.3, 7.0):
        with requests.get(server.url("/bytes/90000"), stream=True):
            guard.advance(seconds)
    guard.check()
    metric = backend.metrics()["httpguard.lease.duration"]
    (point,) = metric.data.data_points
    assert metric.unit == "s"
    assert (point.count, point.sum) == (2, pytest.approx(7.3))
    assert dict(zip(point.explicit_bounds, point.bucket_counts, strict=False)) == {
        **dict.fromkeys(point.explicit_bounds, 0),
        0.5: 1,
        10.0: 1,
    }


def test_one_look_at_the_guard_for_a_collection(
    guard: GuardControl,
    server: Server,
    backend: Backend,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    guard.install()
    current = _process.current()
    assert current is not None
    looks = []
    look = current.measures

    def counted() -> Measures | None:
        looks.append(1)
        return look()

    monkeypatch.setattr(current, "measures", counted)
    for turn in (1, 2, 3):
        leak(server.url("/bytes/90000"))
        assert sum(value for _, value in backend.points("httpguard.leaks")) == turn
        assert len(looks) == turn


def test_a_leak_is_a_log_record_in_the_trace_that_opened_it(
    guard: GuardControl, server: Server, backend: Backend
) -> None:
    guard.install()
    with backend.tracer.start_as_current_span("request") as span:
        line = leak(server.url("/bytes/90000?secret=1"))
    with backend.tracer.start_as_current_span("another"):
        guard.check()
    record, attributes = backend.record()
    opened = span.get_span_context()
    assert (record.trace_id, record.span_id) == (opened.trace_id, opened.span_id)
    assert record.trace_flags == opened.trace_flags
    assert record.event_name == "httpguard.leak"
    assert record.severity_text == "WARN"
    assert record.body.startswith(f"leak dropped tests/metrics/{Path(__file__).name}")
    assert attributes["httpguard.leak.kind"] == "dropped"
    assert attributes["httpguard.leak.count"] == 1
    assert attributes["code.line.number"] == line
    assert attributes["code.file.path"] == __file__
    assert attributes["http.request.method"] == "GET"
    assert attributes["http.response.status_code"] == 200
    assert attributes["http.response.body.size"] == 90000
    assert attributes["server.address"] == server.host
    assert attributes["server.port"] == server.port
    assert "secret=…" in attributes["url.full"]
    assert "secret=1" not in str(record)


def test_of_a_held_response_too_long_after_its_span(
    guard: GuardControl, server: Server, backend: Backend
) -> None:
    guard.install()
    with backend.tracer.start_as_current_span("request") as span:
        kept = requests.get(server.url("/bytes/90000"), stream=True)
    guard.check()
    guard.advance(60)
    guard.check()
    kept.close()
    guard.check()
    leaked, resolved = backend.records()
    assert [leaked.event_name, resolved.event_name] == [
        "httpguard.leak",
        "httpguard.resolved",
    ]
    opened = span.get_span_context()
    assert {leaked.span_id, resolved.span_id} == {opened.span_id}
    assert {leaked.trace_id, resolved.trace_id} == {opened.trace_id}


def test_without_a_span_a_record_is_in_no_trace(
    guard: GuardControl, server: Server, backend: Backend
) -> None:
    guard.install()
    leak(server.url("/bytes/90000"))
    with backend.tracer.start_as_current_span("another"):
        guard.check()
    (record,) = backend.records()
    assert (record.trace_id, record.span_id) == (0, 0)


def test_too_many_open_names_the_sites(
    guard: GuardControl, server: Server, backend: Backend
) -> None:
    guard.install(max_open=1)
    with (
        requests.get(server.url("/bytes/90000"), stream=True),
        requests.get(server.url("/bytes/90000"), stream=True),
    ):
        pass
    record, attributes = backend.record()
    assert record.event_name == "httpguard.too_many_open"
    assert attributes["httpguard.max_open"] == 1
    assert len(attributes["httpguard.sites"]) == 2
    assert all(__file__ in site for site in attributes["httpguard.sites"])


def test_a_starved_pool_is_named(
    guard: GuardControl, server: Server, backend: Backend
) -> None:
    guard.install(max_wait=1.0)
    pool = urllib3.HTTPConnectionPool(server.host, server.port, maxsize=1, block=True)
    held = pool.urlopen("GET", "/bytes/90000", preload_content=False)
    waiter = threading.Thread(
        target=pool.request, args=("GET", "/bytes/10"), daemon=True
    )
    waiter.start()
    while not httpguard.snapshot().pools[0].waiting:
        time.sleep(0.01)
    guard.advance(2.0)
    guard.check()
    held.drain_conn()
    waiter.join()
    record, attributes = backend.record()
    assert record.event_name == "httpguard.pool_starved"
    assert attributes["server.address"] == server.host
    assert attributes["server.port"] == server.port
    assert attributes["httpguard.waiting"] == 1
    assert attributes["httpguard.longest_wait"] == 2.0
    # What has no place in an attribute is in the text alone.
    plain = (str, int, float)
    assert [name for name, it in attributes.items() if not isinstance(it, plain)] == []
    assert backend.points("httpguard.pool.starved") == [({}, 1)]


def test_a_session_has_no_request(
    guard: GuardControl, server: Server, backend: Backend
) -> None:
    guard.install(max_sessions=1, max_idle=0)
    kept = [requests.Session() for _ in range(2)]
    for session in kept:
        session.get(server.url("/bytes/10"))
    guard.check()
    _, attributes = backend.record()
    assert attributes["httpguard.leak.kind"] == "session"
    assert attributes["code.file.path"] == __file__
    assert "http.request.method" not in attributes
    assert "url.full" not in attributes


def ordinary_log(
    guard: GuardControl,
    server: Server,
    backend: Backend,
    caplog: pytest.LogCaptureFixture,
    **bound: str,
) -> tuple[SpanContext, dict[str, Any]]:
    """Leak in a span; the span, and the fields of the record of logging."""
    guard.install()
    with (
        backend.tracer.start_as_current_span("request") as span,
        structlog.contextvars.bound_contextvars(**bound),
    ):
        leak(server.url("/bytes/90000"))
    guard.check()
    (record,) = caplog.records
    return span.get_span_context(), record.httpguard  # type: ignore[attr-defined]


def test_ids_of_the_trace_are_in_ordinary_logs_too(
    guard: GuardControl,
    server: Server,
    backend: Backend,
    caplog: pytest.LogCaptureFixture,
) -> None:
    opened, fields = ordinary_log(guard, server, backend, caplog, request_id="r1")
    assert fields["request_id"] == "r1"
    assert fields["trace_id"] == f"{opened.trace_id:032x}"
    assert fields["span_id"] == f"{opened.span_id:016x}"


def test_a_trace_id_that_the_program_binds_itself_stays(
    guard: GuardControl,
    server: Server,
    backend: Backend,
    caplog: pytest.LogCaptureFixture,
) -> None:
    opened, fields = ordinary_log(guard, server, backend, caplog, trace_id="mine")
    assert fields["trace_id"] == "mine"
    assert backend.record()[0].trace_id == opened.trace_id


def test_only_the_identity_of_the_span_is_kept(backend: Backend) -> None:
    big = contextvars.ContextVar[object]("big")
    big.set(object())
    with backend.tracer.start_as_current_span("request") as span:
        told = bound_now()
    assert told is not None
    kept = told()
    assert kept.span == span.get_span_context()
    assert set(kept) == {"trace_id", "span_id", "trace_flags"}


@pytest.mark.parametrize(
    "span",
    [
        SimpleNamespace(),
        SimpleNamespace(is_valid=True, trace_id=1, span_id=None, trace_flags=1),
        SimpleNamespace(is_valid=False, trace_id=1, span_id=2, trace_flags=1),
    ],
)
def test_what_is_no_span_takes_no_values_along(span: Any) -> None:
    bound = Bound({"request_id": "r1"}, span)
    assert (dict(bound), bound.span) == ({"request_id": "r1"}, None)


def test_the_same_providers_are_sent_to_once(
    guard: GuardControl, server: Server, backend: Backend
) -> None:
    again = httpguard.instrument_opentelemetry(backend.meters, backend.loggers)
    assert again is backend.instrumentation
    guard.install()
    leak(server.url("/bytes/90000"))
    guard.check()
    assert len(backend.records()) == 1


def test_two_backends_have_the_same(
    guard: GuardControl, server: Server, backend: Backend
) -> None:
    other = Backend()
    guard.install()
    leak(server.url("/bytes/90000"))
    guard.check()
    assert backend.points("httpguard.leaks") == other.points("httpguard.leaks")
    assert len(backend.records()) == len(other.records()) == 1
    other.instrumentation.close()


def test_nothing_after_close(
    guard: GuardControl, server: Server, backend: Backend
) -> None:
    guard.install()
    backend.instrumentation.close()
    leak(server.url("/bytes/90000"))
    guard.check()
    requests.get(server.url("/bytes/90000"), stream=True).close()
    guard.check()
    assert backend.records() == []
    assert backend.reader.get_metrics_data() is None


def test_again_after_close(
    guard: GuardControl, server: Server, backend: Backend
) -> None:
    guard.install()
    backend.instrumentation.close()
    again = httpguard.instrument_opentelemetry(backend.meters, backend.loggers)
    assert again is not backend.instrumentation
    leak(server.url("/bytes/90000"))
    guard.check()
    assert len(backend.records()) == 1
    again.close()


def test_strict_mode_is_an_error(
    guard: GuardControl, server: Server, backend: Backend
) -> None:
    guard.install(strict=True)
    leak(server.url("/bytes/90000"))
    with pytest.raises(httpguard.LeakError):
        guard.check()
    assert backend.record()[0].severity_text == "ERROR"


def test_names_are_plain_text(
    guard: GuardControl, server: Server, backend: Backend
) -> None:
    guard.install()
    code = compile("get(url, stream=True)", "a\x1b[2J\udc80.py", "exec")
    exec(code, {"get": requests.get, "url": server.url("/bytes/90000")})
    guard.check()
    _, attributes = backend.record()
    assert attributes["code.file.path"] == "a\\x1b[2J\\udc80.py"
    (point,) = (point for point in backend.points("httpguard.leaks") if point[1])
    assert point[0]["code.file.path"] == attributes["code.file.path"]


@pytest.mark.parametrize(
    ("port", "told"), [(80, {"server.port": 80}), (99999, {})], ids=["left out", "none"]
)
def test_a_port_that_no_name_has(
    port: int,
    told: dict[str, int],
    guard: GuardControl,
    server: Server,
    backend: Backend,
) -> None:
    guard.install()
    with urllib3.HTTPConnectionPool(server.host, port) as pool:
        with contextlib.suppress(OverflowError, urllib3.exceptions.HTTPError):
            pool.request("GET", "/", retries=False)
        points = backend.points("httpguard.pool.size")
    assert ({"url.scheme": "http", "server.address": server.host, **told}, 1) in points


def test_an_exporter_that_fails_leaves_the_program_alone(
    guard: GuardControl,
    server: Server,
    backend: Backend,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    guard.install()
    monkeypatch.setattr(
        backend.instrumentation._logger,  # type: ignore[attr-defined]
        "emit",
        lambda _: [].pop(),
        raising=True,
    )
    for turn in (1, 2):
        leak(server.url("/bytes/90000"))
        assert guard.check().counters["dropped"] == turn
    assert guard.check().counters["errors"] == 1


def test_urllib3_alone(guard: GuardControl, server: Server, backend: Backend) -> None:
    guard.install()
    with backend.tracer.start_as_current_span("request") as span:
        urllib3.PoolManager().request(
            "GET", server.url("/bytes/90000"), preload_content=False
        )
    guard.check()
    (record,) = backend.records()
    assert record.span_id == span.get_span_context().span_id
    assert dict(record.attributes)["httpguard.leak.client"] == "urllib3"


LATE = """
import httpguard
httpguard.install(check_interval=0)
httpguard.instrument_opentelemetry()
from opentelemetry import metrics, _logs
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
reader = InMemoryMetricReader()
metrics.set_meter_provider(MeterProvider([reader]))
import sys, requests
requests.get(sys.argv[1], stream=True)
print(reader.get_metrics_data().to_json())
"""


def test_a_global_provider_that_is_set_later(server: Server, tmp_path: Path) -> None:
    done = run(write(tmp_path / "program.py", LATE), server.url("/bytes/90000"))
    assert '"code.line.number": 11' in done.stdout, done.stderr


ALONE = """
import sys
import httpguard
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import (
    InMemoryLogRecordExporter, SimpleLogRecordProcessor,
)
from opentelemetry.sdk.trace import TracerProvider
exporter = InMemoryLogRecordExporter()
loggers = LoggerProvider()
loggers.add_log_record_processor(SimpleLogRecordProcessor(exporter))
httpguard.instrument_opentelemetry(logger_provider=loggers)
httpguard.install(check_interval=0)
import requests
with TracerProvider().get_tracer("test").start_as_current_span("request") as span:
    requests.get(sys.argv[1], stream=True)
print("structlog" in sys.modules)
httpguard.check()
(record,) = exporter.get_finished_logs()
print(record.log_record.span_id == span.get_span_context().span_id)
"""


def test_the_span_is_kept_though_structlog_is_not_there_yet(
    server: Server, tmp_path: Path
) -> None:
    done = run(write(tmp_path / "program.py", ALONE), server.url("/bytes/90000"))
    assert done.stdout.split() == ["False", "True"], done.stderr


def test_without_opentelemetry(tmp_path: Path) -> None:
    done = run_without_packages("httpguard.instrument_opentelemetry()", tmp_path)
    assert "httpguard[otel]" in done.stdout, done.stderr


def test_a_bare_namespace_is_no_opentelemetry(tmp_path: Path) -> None:
    """As an instrumentation leaves it that was installed without the API."""
    source = """
    import sys, types
    namespace = types.ModuleType("opentelemetry")
    namespace.__path__ = []
    sys.modules["opentelemetry"] = namespace
    import httpguard
    try:
        httpguard.instrument_opentelemetry()
    except httpguard.HTTPGuardError as error:
        print(error)
    """
    done = run(write(tmp_path / "program.py", source))
    assert "httpguard[otel]" in done.stdout, done.stderr
