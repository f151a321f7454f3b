"""What is compared: each variant is put on before its block and taken off after.

What a variant needs and is not installed leaves that variant out.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.util
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from http.client import HTTPConnection, HTTPResponse
from typing import TYPE_CHECKING, Any, Final
from unittest import mock

import structlog  # noqa: F401  # Its presence makes a lease keep its context.
import wrapt

import httpguard
from httpguard._clients.urllib3 import responses as _responses

if TYPE_CHECKING:
    from pathlib import Path

Variant = Callable[[], AbstractContextManager[None]]
CONTROL: Final = "nothing (noise)"
GUARD: Final = "httpguard"
BESIDE: Final = "httpguard beside"
INTERPRETED: Final = "httpguard, not compiled"
SAMPLED: Final = "httpguard, sample=0.01"
MODES: Final = (
    SAMPLED,
    MAX_OPEN := "httpguard, max_open=1000",
    SCOPED := "httpguard, in no_leaks",
    SERVED := "httpguard, a page served",
    SCRAPED := "httpguard, a Prometheus collector",
    TESTED := "httpguard, a test session",
)
FLOOR: Final = "two bare wrapt wrappers"
OTEL: Final = "OpenTelemetry, no SDK"
OTEL_SDK: Final = "OpenTelemetry, SDK"
SENTRY: Final = "sentry-sdk, errors only"
SENTRY_TRACING: Final = "sentry-sdk, tracing"


@functools.cache  # Sentry's integration sets itself up once a process.
def variants() -> dict[str, Variant]:
    """Every variant whose packages are here, by name."""
    found = own_variants()
    for make in (_opentelemetry, _sentry):
        with contextlib.suppress(ImportError):
            found.update(make())
    return found


def own_variants(**settings: Any) -> dict[str, Variant]:
    """Those that are no other project's.

    Args:
        settings: Those of `httpguard.install`, for every guard.
    """
    return {
        CONTROL: contextlib.nullcontext,
        GUARD: lambda: guard(**settings),
        INTERPRETED: lambda: _interpreted(**settings),
        SAMPLED: lambda: guard(sample=0.01, **settings),
        FLOOR: _floor,
        MAX_OPEN: lambda: guard(max_open=1000, **settings),
        SCOPED: lambda: _scoped(**settings),
        SERVED: lambda: guard(serve=0, **settings),
        SCRAPED: lambda: _scraped(**settings),
        TESTED: lambda: _tested(**settings),
    }


@contextlib.contextmanager
def guard(**settings: Any) -> Iterator[None]:
    """httpguard, with settings.

    Args:
        settings: Those of `httpguard.install`.
    """
    httpguard.install(**settings)
    try:
        yield
    finally:
        httpguard.uninstall()


@contextlib.contextmanager
def _scoped(**settings: Any) -> Iterator[None]:
    with guard(**settings), httpguard.no_leaks():
        yield


@contextlib.contextmanager
def _scraped(**settings: Any) -> Iterator[None]:
    httpguard.prometheus_collector()
    with guard(**settings):
        yield


@contextlib.contextmanager
def _tested(**settings: Any) -> Iterator[None]:
    """As in a test that `pytest --httpguard` judges."""
    from httpguard._model.settings import Settings
    from httpguard._process.session import enter_session, leave_session
    from httpguard._testing.subject import Attribution, Subject

    host = enter_session(Settings(**settings))
    running = Attribution(host.detector, Subject("a session", "outside"))
    test = Subject("a test", "a test")
    host.registry.claim_by(running.claim)
    running.enter(test)
    try:
        yield
    finally:
        running.leave(test)
        host.registry.claim_by(None)
        leave_session()


@contextlib.contextmanager
def _interpreted(**settings: Any) -> Iterator[None]:
    """Httpguard as it is where no compiler was to be had."""
    with mock.patch.object(_responses, "begin_lease", None), guard(**settings):
        yield


def beside(checkout: Path, **settings: Any) -> Variant:
    """The httpguard of another checkout, loaded under another name.

    Args:
        checkout: Its directory.
        settings: Those of `httpguard.install`.
    """
    name = "httpguard_beside"
    package = checkout / "httpguard"
    spec = importlib.util.spec_from_file_location(
        name, package / "__init__.py", submodule_search_locations=[str(package)]
    )
    if spec is None or spec.loader is None:
        msg = f"{checkout} has no httpguard"
        raise FileNotFoundError(msg)
    other: Any = importlib.util.module_from_spec(spec)
    sys.modules[name] = other
    spec.loader.exec_module(other)

    @contextlib.contextmanager
    def on() -> Iterator[None]:
        other.install(**settings)
        try:
            yield
        finally:
            other.uninstall()

    return on


@contextlib.contextmanager
def _floor() -> Iterator[None]:
    """Two wrappers that do nothing: the least that a wrapt patch can cost.

    On the two methods that whoever wants to know about leases has to wrap.
    """
    from urllib3.connectionpool import HTTPConnectionPool
    from urllib3.response import HTTPResponse as Urllib3Response

    def through(
        wrapped: Callable[..., Any],
        _instance: object,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        return wrapped(*args, **kwargs)

    places = ((HTTPConnectionPool, "urlopen"), (Urllib3Response, "release_conn"))
    originals = [(owner, name, owner.__dict__[name]) for owner, name in places]
    for owner, name, original in originals:
        setattr(owner, name, wrapt.FunctionWrapper(original, through))
    try:
        yield
    finally:
        for owner, name, original in originals:
            setattr(owner, name, original)


def _opentelemetry() -> dict[str, Variant]:
    """OpenTelemetry's two instrumentations, both on as its distribution does it."""
    base = "opentelemetry.instrumentation"
    instrumentors = [
        importlib.import_module(f"{base}.requests").RequestsInstrumentor(),
        importlib.import_module(f"{base}.urllib3").URLLib3Instrumentor(),
    ]

    @contextlib.contextmanager
    def instrumented(**providers: Any) -> Iterator[None]:
        for instrumentor in instrumentors:
            # The check reads package metadata, once a process in real life.
            instrumentor.instrument(skip_dep_check=True, **providers)
        try:
            yield
        finally:
            for instrumentor in instrumentors:
                instrumentor.uninstrument()

    found: dict[str, Variant] = {OTEL: instrumented}
    with contextlib.suppress(ImportError):
        providers = _providers()
        found[OTEL_SDK] = lambda: instrumented(**providers)
    return found


def _providers() -> dict[str, Any]:
    """An SDK whose spans and metrics go nowhere: the least that an SDK costs."""
    trace = importlib.import_module("opentelemetry.sdk.trace")
    export = importlib.import_module("opentelemetry.sdk.trace.export")
    metrics = importlib.import_module("opentelemetry.sdk.metrics")
    metrics_export = importlib.import_module("opentelemetry.sdk.metrics.export")

    class Nowhere:
        def export(self, _spans: object) -> Any:
            return export.SpanExportResult.SUCCESS

        def shutdown(self) -> None:
            pass

    tracer_provider = trace.TracerProvider(shutdown_on_exit=False)
    tracer_provider.add_span_processor(export.SimpleSpanProcessor(Nowhere()))
    reader = metrics_export.InMemoryMetricReader()
    meter_provider = metrics.MeterProvider([reader], shutdown_on_exit=False)
    # Each block makes the same instruments again, and the SDK says so each time.
    logging.getLogger("opentelemetry").setLevel(logging.ERROR)
    return {"tracer_provider": tracer_provider, "meter_provider": meter_provider}


def _sentry() -> dict[str, Variant]:
    """sentry-sdk's stdlib integration alone.

    It cannot be taken off, so what it sets on http.client's classes is swapped
    in and out here.
    """
    # It imports eventlet, which fails beside httpx2 and trio: a finding of its own.
    os.environ.setdefault("EVENTLET_NO_GREENDNS", "yes")
    sdk = importlib.import_module("sentry_sdk")
    stdlib = importlib.import_module("sentry_sdk.integrations.stdlib")
    transport = importlib.import_module("sentry_sdk.transport").Transport
    nothing = {"capture_envelope": lambda _self, _envelope: None}
    nowhere = type("Nowhere", (transport,), nothing)

    def start(rate: float | None) -> None:
        sdk.init(
            # Not the host that is asked for: Sentry leaves its own alone.
            dsn="http://key@sentry.test/1",
            transport=nowhere,
            default_integrations=False,
            auto_enabling_integrations=False,
            integrations=[stdlib.StdlibIntegration()],
            traces_sample_rate=rate,
            auto_session_tracking=False,
            enable_backpressure_handling=False,
        )

    before = _attributes()
    start(None)
    after = {k: v for k, v in _attributes().items() if before.get(k) is not v}
    before = {k: before[k] for k in after}
    _put(before)

    @contextlib.contextmanager
    def on(rate: float | None) -> Iterator[None]:
        start(rate)
        _put(after)
        try:
            # Spans are made inside a transaction, as a web framework opens one.
            with sdk.start_transaction(op="http.server", name="benchmark"):
                yield
        finally:
            _put(before)
            sdk.get_client().close(timeout=0)

    return {SENTRY: lambda: on(None), SENTRY_TRACING: lambda: on(1.0)}


def _attributes() -> dict[tuple[type, str], Any]:
    """What http.client's two classes have now."""
    return {
        (owner, name): value
        for owner in (HTTPConnection, HTTPResponse)
        for name, value in vars(owner).items()
    }


def _put(attributes: dict[tuple[type, str], Any]) -> None:
    """Set attributes of http.client's classes."""
    for (owner, name), value in attributes.items():
        setattr(owner, name, value)
