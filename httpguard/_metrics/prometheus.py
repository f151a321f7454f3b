"""To Prometheus, by prometheus_client. Needs the extra ``prometheus``."""

from __future__ import annotations

import threading
import weakref
from bisect import bisect_left
from collections import defaultdict
from typing import TYPE_CHECKING, Any, TypeAlias

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, values
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.utils import floatToGoString

from .measures import Observer
from .table import LEASE_BOUNDS, LEASE_NAME, LEASE_TEXT, METRICS, Kind, labels_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .measures import Find, Source
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


class FilePublisher(Observer):
    """Keeps the numbers in prometheus_client's files.

    Whichever process is asked reads the files of all. They are brought up to date
    by every sweep, and at exit. The metrics belong to no registry, which would add
    them twice.
    """

    def __init__(self, find: Find) -> None:
        self._find = find
        self._targets = [(metric, _target(metric)) for metric in METRICS]
        self._lease = Histogram(
            LEASE_NAME, LEASE_TEXT, buckets=LEASE_BOUNDS, registry=None
        )
        self.forget()

    def forget(self) -> None:
        """Begin anew, as a forked child does: its files are its own."""
        self._lock = threading.Lock()
        self._source: weakref.ref[Source] | None = None
        # The value that was written last; of a counter, since its guard began.
        self._written: defaultdict[str, dict[tuple[str, ...], float]] = defaultdict(
            dict
        )

    def describe(self) -> list[Any]:
        """Nothing: the files are read by prometheus_client's own collector."""
        return []

    def collect(self) -> list[Any]:
        """Nothing, as `describe`; but what is read next is up to date."""
        guard = self._find()
        if guard is not None:
            guard.notify()
        return []

    def leases_ended(self, seconds: Sequence[float]) -> None:
        for duration in seconds:
            self._lease.observe(duration)

    def swept(self, source: Source) -> None:
        # Whoever is at it writes numbers as fresh as ours; and a finalizer, which
        # can run in the middle, must not wait for the thread it interrupts.
        if not self._lock.acquire(blocking=False):
            return
        try:
            if self._source is None or self._source() is not source:
                # Another guard counts from 0; gauges fall, counters go on from there.
                self._source = weakref.ref(source)
                for metric, target in self._targets:
                    self._write(metric, target, {})
            measures = source.measures()
            if measures is not None:
                for metric, target in self._targets:
                    samples = metric.read(measures)
                    now = {labels_of(key): value for key, value in samples}
                    self._write(metric, target, now)
        finally:
            self._lock.release()

    def _write(
        self, metric: Metric, target: Any, now: dict[tuple[str, ...], float]
    ) -> None:
        written = self._written[metric.name]
        for labels, value in {**dict.fromkeys(written, 0.0), **now}.items():
            last = written.get(labels)
            if value == last:
                continue
            written[labels] = value
            child = target.labels(*labels) if labels else target
            if metric.kind is not Kind.COUNTER:
                child.set(value)
            elif value > (last or 0):
                child.inc(value - (last or 0))


class OwnFiles:
    """Of the files of all processes, httpguard's metrics alone."""

    def __init__(self) -> None:
        self._files = MultiProcessCollector(None)  # type: ignore[no-untyped-call]

    def collect(self) -> Iterator[Any]:
        for family in self._files.collect():  # type: ignore[no-untyped-call]
            if family.name.startswith("httpguard_"):
                yield family


def are_shared() -> bool:
    """Whether prometheus_client keeps its values in files that processes share.

    It decides when it is imported, by ``PROMETHEUS_MULTIPROC_DIR``.
    """
    return bool(values.ValueClass._multiprocess)


def make_collector(find: Find) -> Collector:
    return FilePublisher(find) if are_shared() else GuardCollector(find)


def render(collector: Any, accept: str) -> tuple[bytes, str]:
    """The metrics as text and its content type, in the format that is accepted."""
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
    return family(metric.name, metric.text, labels=metric.by)


def _cumulative(buckets: Sequence[int]) -> Iterator[tuple[str, float]]:
    count = 0
    for bound, more in zip((*LEASE_BOUNDS, float("inf")), buckets, strict=True):
        count += more
        yield floatToGoString(bound), float(count)  # type: ignore[no-untyped-call]


def _target(metric: Metric) -> Any:
    labels = metric.by
    if metric.kind is Kind.COUNTER:
        return Counter(metric.name, metric.text, labels, registry=None)
    return Gauge(
        metric.name,
        metric.text,
        labels,
        registry=None,
        # Of the processes that are still there.
        multiprocess_mode="livesum" if metric.kind is Kind.SUM else "livemax",
    )
