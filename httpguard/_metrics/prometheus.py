"""To Prometheus, by prometheus_client. Needs the extra ``prometheus``."""

from __future__ import annotations

import os
import threading
import weakref
from bisect import bisect_left
from typing import TYPE_CHECKING, Any, Final

from prometheus_client import CollectorRegistry, values
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.utils import floatToGoString

from .._model.redaction import printable
from .._process import process as _process
from .measures import OTHER
from .table import LEASE_BOUNDS, LEASE_NAME, LEASE_TEXT, METRICS, By, Kind, Metric

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from prometheus_client.registry import Collector

    from .._reporting.observers import Source
    from .table import Key

_LABELS: Final = {By.NOTHING: (), By.LEAK: ("kind", "site"), By.POOL: ("pool",)}


def multiprocess() -> bool:
    """Whether prometheus_client keeps its values in files that processes share.

    It decides when it is imported, by ``PROMETHEUS_MULTIPROC_DIR``.
    """
    return bool(values.ValueClass._multiprocess)


def labels_of(key: Key) -> tuple[str, ...]:
    """The label values of a sample.

    Args:
        key: As `Metric.read` gives it.
    """
    if key is None:
        return ()
    if isinstance(key, str):
        return (printable(key),)
    kind, site = key
    return (kind.value, OTHER if site is None else printable(str(site)))


class GuardCollector:
    """Tells the guard's numbers when it is asked: a scrape costs, a request does not.

    Only the histogram of lease times is kept here, filled from sweep to sweep and
    when asked.
    """

    def __init__(self) -> None:
        """No lease has ended yet."""
        self._begin()

    def _begin(self) -> None:
        """Count from 0, in a forked child too."""
        self._pid = os.getpid()
        # Reentrant: a finalizer can run in the middle, and may sweep.
        self._lock = threading.RLock()
        self._buckets = [0] * (len(LEASE_BOUNDS) + 1)
        self._sum = 0.0

    def _begin_in_child(self) -> None:
        """Begin anew in a forked child: what was counted is its parent's."""
        if self._pid != os.getpid():
            self._begin()

    def leases_ended(self, seconds: Sequence[float]) -> None:
        """Count lease times."""
        self._begin_in_child()
        with self._lock:
            for duration in seconds:
                self._buckets[bisect_left(LEASE_BOUNDS, duration)] += 1
                self._sum += duration

    def swept(self, source: Source) -> None:
        """Nothing to do: the rest is read when it is asked for."""

    def describe(self) -> list[Any]:
        """The names are known; registering the collector reads nothing."""
        return [_family(metric) for metric in METRICS] + [_lease_family([], 0.0)]

    def collect(self) -> Iterator[Any]:
        """The metrics now; none where httpguard is not installed."""
        guard = _process.current()
        measures = None if guard is None else guard.measures()
        if guard is None or measures is None:
            return
        guard.notify()
        for metric in METRICS:
            family = _family(metric)
            for key, value in metric.read(measures):
                family.add_metric(labels_of(key), value)
            yield family
        self._begin_in_child()
        with self._lock:
            lease_times = _lease_family(self._buckets, self._sum)
        yield lease_times


class FilePublisher:
    """Keeps the numbers in prometheus_client's files, for multiprocess mode.

    Whichever process is asked reads the files of all. They are brought up to date
    by every sweep, and at exit.
    """

    def __init__(self) -> None:
        """Make the metrics; they belong to no registry, which would add them twice."""
        from prometheus_client import Histogram

        self._metrics = [(metric, _value_metric(metric)) for metric in METRICS]
        self._lease = Histogram(
            LEASE_NAME, LEASE_TEXT, buckets=LEASE_BOUNDS, registry=None
        )
        self._begin()

    def _begin(self) -> None:
        """Begin anew, as a forked child does: its files are its own."""
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._source: weakref.ref[Source] | None = None
        # What was written last, by name and label values.
        self._last: dict[tuple[str, tuple[str, ...]], float] = {}

    def describe(self) -> list[Any]:
        """Nothing: the files are read by prometheus_client's own collector."""
        return []

    def collect(self) -> list[Any]:
        """Nothing, as `describe`; but what is read next is up to date."""
        guard = _process.current()
        if guard is not None:
            guard.notify()
        return []

    def leases_ended(self, seconds: Sequence[float]) -> None:
        """Count lease times."""
        for duration in seconds:
            self._lease.observe(duration)

    def swept(self, source: Source) -> None:
        """Write what has changed."""
        if self._pid != os.getpid():
            self._begin()
        # Whoever is at it writes numbers as fresh as ours; and a finalizer, which
        # can run in the middle, must not wait for the thread it interrupts.
        if not self._lock.acquire(blocking=False):
            return
        try:
            if self._source is None or self._source() is not source:
                self._follow(source)
            measures = source.measures()
            if measures is not None:
                for metric, target in self._metrics:
                    self._write(metric, target, dict(metric.read(measures)))
        finally:
            self._lock.release()

    def _follow(self, source: Source) -> None:
        """Another guard counts from 0, and the counters here go on."""
        self._source = weakref.ref(source)
        for metric, _ in self._metrics:
            if metric.kind is Kind.COUNTER:
                for key in [key for key in self._last if key[0] == metric.name]:
                    self._last[key] = 0.0

    def _write(self, metric: Metric, target: Any, samples: dict[Key, float]) -> None:
        """Write one metric's samples."""
        now = {labels_of(key): value for key, value in samples.items()}
        gone = [
            (labels, 0.0)
            for name, labels in self._last
            if name == metric.name and labels not in now
        ]
        for labels, value in (*now.items(), *gone):
            last = self._last.get((metric.name, labels))
            if value == last:
                continue
            self._last[metric.name, labels] = value
            child = target.labels(*labels) if labels else target
            if metric.kind is not Kind.COUNTER:
                child.set(value)
            elif value > (last or 0):
                child.inc(value - (last or 0))


class _OwnMetrics:
    """Of the files of all processes, httpguard's metrics alone."""

    def __init__(self) -> None:
        """Read when asked."""
        self._files = MultiProcessCollector(None)  # type: ignore[no-untyped-call]

    def collect(self) -> Iterator[Any]:
        """The metrics now."""
        for family in self._files.collect():  # type: ignore[no-untyped-call]
            if family.name.startswith("httpguard_"):
                yield family


class _Exported:
    """The one collector of the process."""

    def __init__(self) -> None:
        """None yet."""
        self.lock = threading.Lock()
        self.collector: GuardCollector | FilePublisher | None = None


_exported: Final = _Exported()


def collector() -> Collector:
    """The collector to register; the same one each time."""
    made = _exported.collector
    if made is None:
        with _exported.lock:
            made = _exported.collector
            if made is None:
                made = FilePublisher() if multiprocess() else GuardCollector()
                _exported.collector = made
    _process.observe(made)
    guard = _process.current()
    if guard is not None:
        guard.notify()
    return made


def render(accept: str = "") -> tuple[bytes, str]:
    """The metrics as text, for an endpoint of one's own.

    Args:
        accept: The request's header ``Accept``, which tells the format.

    Returns:
        The body and its content type.
    """
    own = collector()
    registry = CollectorRegistry()
    registry.register(own)
    if multiprocess():
        # Registered after: what it reads is up to date by then.
        registry.register(_OwnMetrics())
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


def _family(metric: Metric) -> CounterMetricFamily | GaugeMetricFamily:
    """A metric without samples."""
    counts = metric.kind is Kind.COUNTER
    family = CounterMetricFamily if counts else GaugeMetricFamily
    return family(metric.name, metric.text, labels=_LABELS[metric.by])


def _lease_family(buckets: Sequence[int], total: float) -> HistogramMetricFamily:
    """The histogram of lease times."""
    if not buckets:
        return HistogramMetricFamily(LEASE_NAME, LEASE_TEXT)
    return HistogramMetricFamily(
        LEASE_NAME, LEASE_TEXT, list(_cumulative(buckets)), total
    )


def _cumulative(buckets: Iterable[int]) -> Iterator[tuple[str, float]]:
    """Bounds and how many lease times are at most that, as Prometheus counts."""
    count = 0
    for bound, more in zip((*LEASE_BOUNDS, float("inf")), buckets, strict=True):
        count += more
        yield floatToGoString(bound), float(count)  # type: ignore[no-untyped-call]


def _value_metric(metric: Metric) -> Any:
    """A metric that prometheus_client keeps in its files."""
    from prometheus_client import Counter, Gauge

    labels = _LABELS[metric.by]
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
