"""What fails on its way to a destination is said once for each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import requests

import httpguard
from httpguard._process.process import PROCESS
from tests.program import run, write

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from httpguard._model.event import Event
    from tests.conftest import GuardControl
    from tests.server import Server


def test_logs_that_break_after_the_collector_are_said(
    server: Server, tmp_path: Path
) -> None:
    """Two destinations whose functions have one name, and then the logs."""
    source = """
    import sys
    import structlog
    from opentelemetry._logs import Logger, LoggerProvider
    import httpguard
    class Broken(Logger):
        def emit(self, *_arguments, **_options):
            raise OSError("the collector is gone")
        def enabled(self, *_arguments, **_options):
            return True
    class Provider(LoggerProvider):
        def get_logger(self, *_arguments, **_options):
            return Broken("x")
    httpguard.instrument_opentelemetry(logger_provider=Provider())
    httpguard.instrument_opentelemetry(logger_provider=Provider())
    httpguard.install(check_interval=0)
    import requests
    def drop():
        requests.get(sys.argv[1], stream=True)
        httpguard.check()
    drop()
    def refuse(logger, method, event):
        raise OSError("the logs are gone")
    structlog.configure(processors=[refuse])
    exec(compile("get(url, stream=True)", "other.py", "exec"),
         {"get": requests.get, "url": sys.argv[1]})
    print(httpguard.check().counters["errors"])
    """
    done = run(write(tmp_path / "app.py", source), server.url("/bytes/90000"))
    said = [line for line in done.stderr.splitlines() if "stepped aside" in line]
    assert [line.split(" and ")[0] for line in said] == [
        "httpguard failed in OpenTelemetry",
        "httpguard failed in OpenTelemetry (2)",
        "httpguard failed in logs",
    ]
    assert done.stdout.split() == ["5"]


def test_a_destination_that_breaks_often_is_said_once(
    guard: GuardControl, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(event: Event) -> None:
        raise OSError(event.name)

    guard.install()
    PROCESS.destinations.add(broken, "broken")
    try:
        for number in range(3):
            code = compile("get(url, stream=True)", f"{number}.py", "exec")
            exec(code, {"get": requests.get, "url": server.url("/bytes/90000")})
        counters = guard.check().counters
    finally:
        PROCESS.destinations.remove(broken)
    assert (counters["dropped"], counters["errors"]) == (3, 3)
    assert caplog.text.count("httpguard failed in broken") == 1
    assert httpguard.snapshot().counters["errors"] == 3
