"""Real Prometheus servers, and the files of ``examples/observability/``."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from httpguard._metrics.table import LEASE_NAME, METRICS, Kind
from tests.metrics.observed import (
    FILES,
    ask,
    prometheus,
    query,
    scraping,
    service,
    total,
    until,
)
from tests.program import ROOT, line_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server import Server

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed"
)
needs_prometheus = pytest.mark.skipif(
    shutil.which("prometheus") is None, reason="Prometheus is not installed"
)
needs_client = pytest.mark.skipif(
    not all(map(find_spec, ("prometheus_client", "gunicorn"))),
    reason="prometheus_client or gunicorn is not installed",
)


def promtool(*arguments: str | Path) -> str:
    """What it prints, when it is content."""
    done = subprocess.run(
        ["promtool", *map(str, arguments)],
        cwd=FILES,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def firing(address: str) -> dict[str, dict[str, str]]:
    """The labels of the alerts that fire, by name."""
    alerts = json.loads(ask(f"{address}/api/v1/alerts"))["data"]["alerts"]
    return {
        alert["labels"]["alertname"]: alert["labels"]
        for alert in alerts
        if alert["state"] == "firing"
    }


def workers(tmp_path: Path) -> set[str]:
    """The workers that gunicorn has started, by their process ids."""
    log = (tmp_path / "gunicorn.txt").read_text()
    return set(re.findall(r"Booting worker with pid: (\d+)", log))


def expressions() -> list[str]:
    """Every query of the dashboard, with its variables set."""
    board = json.loads((FILES / "grafana" / "httpguard.json").read_text("utf-8"))
    found = [
        target["expr"] for panel in board["panels"] for target in panel["targets"]
    ] + [annotation["expr"] for annotation in board["annotations"]["list"]]
    variables = {"$job": ".*", "$instance": ".*"}
    variables |= {"$__rate_interval": "1m", "$__range": "1h"}
    for name, value in variables.items():
        found = [expression.replace(name, value) for expression in found]
    assert not [expression for expression in found if "$" in expression]
    return found


@needs_prometheus
@needs_client
def test_prometheus_sees_a_leaking_gunicorn_and_its_rule_fires(
    server: Server, tmp_path: Path
) -> None:
    upstream = server.url("/bytes/90000")
    with (
        service(upstream, tmp_path) as (address, master),
        prometheus(scraping(address), tmp_path) as watched_by,
    ):
        for _ in range(40):
            ask(f"{address}/fixed")
        closed = "sum(httpguard_responses_closed_total)"
        until(lambda: total(watched_by, closed) == 40)
        # What is innocent raises no alarm, and four workers are one target.
        assert total(watched_by, "sum(httpguard_leaks_total)") == 0
        assert total(watched_by, "httpguard_processes") == 4
        assert total(watched_by, "up") == 1
        assert firing(watched_by) == {}

        for _ in range(40):
            ask(f"{address}/leaky")
        until(lambda: total(watched_by, "sum(httpguard_leaks_total)") == 40)
        alerts = until(lambda: firing(watched_by))
        source = (FILES / "service.py").read_text(encoding="utf-8")
        site = f"{FILES / 'service.py'}:{line_of(source, '# LEAK')} in leaky"
        (found,) = query(watched_by, "httpguard_leaks_total > 0")
        assert (found["metric"]["kind"], found["metric"]["site"]) == ("dropped", site)
        assert list(alerts) == ["HTTPGuardLeak"]
        alert = alerts["HTTPGuardLeak"]
        assert (alert["job"], alert["kind"], alert["site"]) == (
            "service",
            "dropped",
            site,
        )

        assert [text for text in expressions() if not query(watched_by, text)] == []

        # Workers that go take what they have open with them, not what they counted.
        before = workers(tmp_path)
        os.kill(master, signal.SIGHUP)
        until(lambda: len(workers(tmp_path) - before) == 4)
        until(lambda: total(watched_by, "httpguard_processes") == 4)
        ask(f"{address}/leaky")
        until(lambda: total(watched_by, "sum(httpguard_leaks_total)") == 41)


@needs_promtool
def test_rules_and_their_tests() -> None:
    assert "9 rules found" in promtool("check", "rules", "alerts.yml")
    assert "SUCCESS" in promtool("check", "config", "prometheus.yml")
    assert "SUCCESS" in promtool("test", "rules", "alerts_test.yml")


@needs_promtool
@pytest.mark.skipif(
    find_spec("prometheus_client") is None, reason="prometheus_client is missing"
)
def test_names_keep_to_the_conventions_of_prometheus() -> None:
    code = "import httpguard, sys; httpguard.install(); "
    code += "sys.stdout.buffer.write(httpguard.render_prometheus()[0])"
    text = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True
    ).stdout
    assert b"httpguard_leaks_total" in text
    done = subprocess.run(
        ["promtool", "check", "metrics"],
        input=text,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def series() -> set[str]:
    """The names of all series that httpguard has."""
    names = {
        metric.name + ("_total" if metric.kind is Kind.COUNTER else "")
        for metric in METRICS
    }
    return names | {f"{LEASE_NAME}_{part}" for part in ("bucket", "count", "sum")}


def test_rules_and_dashboard_ask_for_series_that_exist() -> None:
    rules = (FILES / "alerts.yml").read_text(encoding="utf-8")
    for text in (rules, *expressions()):
        asked = set(re.findall(r"(?<![\w:])httpguard_[a-z_]+", text))
        assert asked <= series()
    assert len(expressions()) > 10


def test_what_docker_and_the_collector_read_has_the_right_form() -> None:
    yaml = pytest.importorskip("yaml")
    for path in FILES.rglob("*.yml"):
        assert yaml.safe_load(path.read_text(encoding="utf-8")), path
    compose = yaml.safe_load((FILES / "compose.yml").read_text(encoding="utf-8"))
    for name, container in compose["services"].items():
        assert set(container.get("depends_on", ())) <= set(compose["services"]), name
        for volume in container.get("volumes", ()):
            assert (FILES / volume.split(":")[0]).exists(), volume
    collector = yaml.safe_load(
        (FILES / "otel-collector.yml").read_text(encoding="utf-8")
    )
    for pipeline in collector["service"]["pipelines"].values():
        for part, names in pipeline.items():
            assert set(names) <= set(collector[part])
