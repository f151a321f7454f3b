"""The guard's numbers for monitoring systems, as public functions."""

from __future__ import annotations

from typing import NoReturn

from .._process.process import PROCESS, current, observe
from . import public  # noqa: TC001  # For typing.get_type_hints.


def prometheus_collector() -> public.Collector:
    """A collector of httpguard's metrics, for a registry of prometheus_client.

    In multiprocess mode (``PROMETHEUS_MULTIPROC_DIR``) each process keeps its
    numbers in files from this call on, as prometheus_client's own metrics do, and
    the collector itself has none: its ``MultiProcessCollector`` adds them up.

    Returns:
        The collector, the same one each time. It may be asked for before
        `install`.

    Raises:
        HTTPGuardError: The extra ``prometheus`` is not installed.
    """
    try:
        from .._metrics.prometheus import make_collector
    except ImportError as error:
        _refuse("prometheus", error)
    collector = PROCESS.collector
    if collector is None:
        with PROCESS.lock:
            if PROCESS.collector is None:
                PROCESS.collector = make_collector(current)
            collector = PROCESS.collector
    observe(collector, "Prometheus")
    return collector


def render_prometheus(accept: str = "") -> tuple[bytes, str]:
    """httpguard's metrics as Prometheus reads them, for an endpoint of your own.

    In multiprocess mode, those of all processes together.

    Args:
        accept: The request's header ``Accept``: Prometheus asks for the format.

    Returns:
        The body and its content type.

    Raises:
        HTTPGuardError: The extra ``prometheus`` is not installed.
    """  # noqa: D403  # A name.
    collector = prometheus_collector()
    from .._metrics.prometheus import render

    return render(collector, accept)


def instrument_opentelemetry(
    meter_provider: public.MeterProvider | None = None,
    logger_provider: public.LoggerProvider | None = None,
) -> public.Instrumentation:
    """Send metrics, and leaks as log records, by the API of OpenTelemetry.

    A leak's record belongs to the trace and span in which the response was opened.
    A second call with the same providers changes nothing. It may come before
    `install`.

    Args:
        meter_provider: None: the global one, also if it is set later.
        logger_provider: None: the global one, also if it is set later.

    Returns:
        Its `close()` ends it.

    Raises:
        HTTPGuardError: The extra ``otel`` is not installed, or is too old.
    """
    try:
        from opentelemetry import _logs, metrics

        from .._metrics.opentelemetry import OpenTelemetry
    except ImportError as error:
        _refuse("otel", error)
    meters = meter_provider or metrics.get_meter_provider()
    loggers = logger_provider or _logs.get_logger_provider()
    with PROCESS.lock:
        live = [made for made in PROCESS.instrumentations if not made.closed]
        for made in live:
            if made.providers == (meters, loggers):
                return made
        made = OpenTelemetry(
            meters, loggers, current, PROCESS.destinations, PROCESS.observers
        )
        PROCESS.instrumentations = [*live, made]
    observe(made, "OpenTelemetry")
    return made


def _refuse(extra: str, error: ImportError) -> NoReturn:
    from .._model.extras import MissingExtraError

    raise MissingExtraError(extra, [error.name or str(error)]) from error
