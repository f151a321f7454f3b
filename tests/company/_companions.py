"""The libraries: how each is put on and taken off, and what it saw."""

from __future__ import annotations

import abc
import contextlib
import os
import tempfile
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Final

import requests

if TYPE_CHECKING:
    from sentry_sdk.types import Event

CLIENTS: Final = frozenset({"requests", "urllib3"})
MOCKED: Final = "http://service.invalid/mocked"


class Companion(abc.ABC):
    """A library that patches urllib3, requests or what lies below them."""

    # What has to be importable.
    module: ClassVar[str]
    # The clients whose responses hold a connection while it is on.
    real: ClassVar[frozenset[str]] = CLIENTS
    # Its un-patching takes off whatever is outermost, so ours if that was put on
    # later: `install` puts it back.
    strips: ClassVar[bool] = False

    @abc.abstractmethod
    def put_on(self) -> None:
        """As its documentation says."""

    @abc.abstractmethod
    def take_off(self) -> None:
        """As its documentation says."""

    @abc.abstractmethod
    def seen(self) -> int:
        """How many requests it has seen so far, to show that it works."""

    def mocked(self) -> None:  # noqa: B027
        """Requests that it answers itself, dropped and kept, if it does so."""


class OpenTelemetry(Companion):
    """Spans, by a wrapper of Session.send and one of urlopen."""

    module = "opentelemetry.instrumentation.requests"
    strips = True

    def __init__(self) -> None:
        from opentelemetry.instrumentation.requests import RequestsInstrumentor
        from opentelemetry.instrumentation.urllib3 import URLLib3Instrumentor
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import (
            InMemorySpanExporter,
        )

        self._exporter = InMemorySpanExporter()
        self._provider = TracerProvider()
        self._provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self._instrumentors = (RequestsInstrumentor(), URLLib3Instrumentor())

    def put_on(self) -> None:
        for instrumentor in self._instrumentors:
            instrumentor.instrument(tracer_provider=self._provider)

    def take_off(self) -> None:
        for instrumentor in self._instrumentors:
            instrumentor.uninstrument()

    def seen(self) -> int:
        return len(self._exporter.get_finished_spans())


class Sentry(Companion):
    """Breadcrumbs, by wrappers in http.client, which it has no way to take off."""

    module = "sentry_sdk"

    def __init__(self) -> None:
        from sentry_sdk.transport import Transport

        events: list[Event] = []

        class Kept(Transport):
            """Sends nothing."""

            def capture_event(self, event: Event) -> None:
                events.append(event)

            def capture_envelope(self, envelope: Any) -> None:
                event = envelope.get_event()
                if event is not None:
                    events.append(event)

        self._events = events
        self._transport = Kept

    def put_on(self) -> None:
        import sentry_sdk
        from sentry_sdk.integrations.stdlib import StdlibIntegration

        sentry_sdk.init(
            dsn="http://key@localhost/1",
            transport=self._transport,
            default_integrations=False,
            auto_enabling_integrations=False,
            integrations=[StdlibIntegration()],
        )

    def take_off(self) -> None:
        import sentry_sdk

        sentry_sdk.get_client().close()
        sentry_sdk.get_global_scope().set_client(None)

    def seen(self) -> int:
        import sentry_sdk

        sentry_sdk.capture_message("how many?")
        if not self._events:
            return 0
        crumbs: Any = self._events[-1].get("breadcrumbs") or {}
        return len(crumbs["values"]) if crumbs else 0


class DDTrace(Companion):
    """Spans, by wrapt wrappers of both clients."""

    module = "ddtrace"
    strips = True

    def __init__(self) -> None:
        # Read as it is imported: no agent, nothing sent.
        os.environ.update(
            DD_INSTRUMENTATION_TELEMETRY_ENABLED="0",
            DD_REMOTE_CONFIGURATION_ENABLED="0",
            DD_TRACE_STARTUP_LOGS="0",
            DD_CRASHTRACKING_ENABLED="0",
        )
        from ddtrace.trace import TraceFilter, tracer

        spans: list[Any] = []

        class Kept(TraceFilter):
            """Keeps the spans and sends nothing."""

            def process_trace(self, trace: list[Any]) -> None:
                spans.extend(trace)

        tracer.configure(trace_processors=[Kept()])
        self._spans = spans

    def put_on(self) -> None:
        import ddtrace

        ddtrace.patch(requests=True, urllib3=True, raise_errors=True)

    def take_off(self) -> None:
        for client in CLIENTS:
            import_module(f"ddtrace.contrib.internal.{client}.patch").unpatch()

    def seen(self) -> int:
        return len(self._spans)


class VCR(Companion):
    """A cassette: what it records and plays it has read itself."""

    module = "vcr"
    real = frozenset()

    def put_on(self) -> None:
        import vcr

        self._stack = contextlib.ExitStack()
        directory = self._stack.enter_context(tempfile.TemporaryDirectory())
        self._cassette = self._stack.enter_context(
            vcr.use_cassette(f"{directory}/tape.yaml", record_mode="all")
        )

    def take_off(self) -> None:
        self._stack.close()

    def seen(self) -> int:
        return len(self._cassette)


class Responses(Companion):
    """A mock of HTTPAdapter.send that lets the local server through."""

    module = "responses"

    def put_on(self) -> None:
        import responses

        self._mock = responses.RequestsMock(assert_all_requests_are_fired=False)
        self._mock.start()
        self._mock.add("GET", MOCKED, body=b"x" * 90_000)
        self._mock.add_passthru("http://127.0.0.1")

    def take_off(self) -> None:
        self._mock.stop()

    def seen(self) -> int:
        return len(self._mock.calls)

    def mocked(self) -> None:
        requests.get(MOCKED, stream=True)
        self._kept = requests.get(MOCKED, stream=True)


class RequestsMock(Companion):
    """A mock of Session.get_adapter that lets the local server through."""

    module = "requests_mock"

    def put_on(self) -> None:
        import requests_mock

        self._mock = requests_mock.Mocker(real_http=True)
        self._mock.start()
        self._mock.get(MOCKED, content=b"x" * 90_000)

    def take_off(self) -> None:
        self._mock.stop()

    def seen(self) -> int:
        return int(self._mock.call_count)

    def mocked(self) -> None:
        requests.get(MOCKED, stream=True)
        self._kept = requests.get(MOCKED, stream=True)


COMPANIONS: Final[dict[str, type[Companion]]] = {
    "opentelemetry": OpenTelemetry,
    "sentry": Sentry,
    "ddtrace": DDTrace,
    "vcrpy": VCR,
    "responses": Responses,
    "requests-mock": RequestsMock,
}
