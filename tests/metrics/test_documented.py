"""docs/metrics.md names every metric."""

from __future__ import annotations

import re

from httpguard._metrics.table import LEASE_NAME, LEASE_OTEL, METRICS, Kind
from tests.program import ROOT

TEXT = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")


def test_the_page_names_every_metric_of_prometheus() -> None:
    names = {
        f"{each.name}_total" if each.kind is Kind.COUNTER else each.name
        for each in METRICS
    }
    words = set(re.findall(r"httpguard_[a-z_]+", TEXT))
    assert {*names, LEASE_NAME} == words


def test_the_page_names_every_metric_of_opentelemetry() -> None:
    """Where several are in one cell, by the end of the name."""
    words = set(re.findall(r"`(?:httpguard)?(\.[a-z_.]+)`", TEXT))
    for name in (*(each.otel for each in METRICS), LEASE_OTEL):
        assert any(name.endswith(word) for word in words), name
