"""To Prometheus, by prometheus_client. Needs the extra ``prometheus``."""

from __future__ import annotations

import threading
from bisect import bisect_left
from typing import TYPE_CHECKING, Any, TypeAlias

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.utils import floatToGoString

from .observers import Observer
from .prometheus_files import FilePublisher, OwnFiles, are_shared
from .table import LEASE_BOUNDS, LEASE_NAME, LEASE_TEXT, METRICS, Kind, labels_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .observers import Find
    from .table import Metric

Collector: TypeAlias = "GuardCollector | FilePublisher"


class GuardCollector(Observer):
    """Tells the guard's numbers when it is asked: a scrape costs, a request does not.

    Only the histogram of lease times is kept here, filled from sweep to sweep and
    when asked.
    """

    def __init__(self, find: Find) -> None:
        self._find = find
        self.forget()

    def forget(self) -> None:
        """Count from 0: what was counted before a fork is the parent's."""
        # Reentrant: a finalizer can run in the middle, and may sweep.
        self._lock = threading.RLock()
        self._buckets = [0] * (len(LEASE_BOUNDS) + 1)
        self._sum = 0.0

    def leases_ended(self, seconds: Sequence[float]) -> None:
        with self._lock:
            for duration in seconds:
                self._buckets[bisect_left(LEASE_BOUNDS, duration)] += 1
                self._sum += duration

    def describe(self) -> list[Any]:
        """The names are known; registering the collector reads nothing."""
        families = [_family(metric) for metric in METRICS]
        return [*families, HistogramMetricFamily(LEASE_NAME, LEASE_TEXT)]

    def collect(self) -> Iterator[Any]:
        """The metrics now; none where httpguard is not installed."""
        guard = self._find()
        measures = None if guard is None else guard.measures()
        if guard is None or measures is None:
            return
        guard.notify()
        for metric in METRICS:
            family = _family(metric)
            for key, value in metric.read(measures):
                family.add_metric(labels_of(key), value)
            yield family
        with self._lock:
            buckets, total = list(_cumulative(self._buckets)), self._sum
        yield HistogramMetricFamily(LEASE_NAME, LEASE_TEXT, buckets, total)


def make_collector(find: Find) -> Collector:
    return FilePublisher(find) if are_shared() else GuardCollector(find)


def render(collector: Collector, accept: str = "") -> tuple[bytes, str]:
    """The metrics as text, for an endpoint of one's own.

    Args:
        collector: Of this process.
        accept: The request's header ``Accept``, which tells the format.

    Returns:
        The body and its content type.
    """
    registry = CollectorRegistry()
    registry.register(collector)
    if are_shared():
        # Registered after: what it reads is up to date by then.
        registry.register(OwnFiles())
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


def _family(metric: Metric) -> CounterMetricFamily | GaugeMetricFamily:
    counts = metric.kind is Kind.COUNTER
    family = CounterMetricFamily if counts else GaugeMetricFamily
    return family(metric.name, metric.text, labels=metric.by.value)


def _cumulative(buckets: Sequence[int]) -> Iterator[tuple[str, float]]:
    count = 0
    for bound, more in zip((*LEASE_BOUNDS, float("inf")), buckets, strict=True):
        count += more
        yield floatToGoString(bound), float(count)  # type: ignore[no-untyped-call]
