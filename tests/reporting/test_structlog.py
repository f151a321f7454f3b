"""structlog set up to hand its fields over to the standard library."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.program import run, write

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server import Server

SOURCE = """
import logging, sys
import structlog
class Show(logging.Handler):
    def emit(self, record):
        print(record.getMessage(), vars(record).get("kind"),
              vars(record).get("thread_name"), type(record.thread).__name__)
logging.basicConfig(handlers=[Show()])
structlog.configure(
    processors=[structlog.stdlib.add_log_level, structlog.stdlib.{renderer}],
    logger_factory=structlog.stdlib.LoggerFactory(),
)
import httpguard; httpguard.install(check_interval=0)
import requests
requests.get(sys.argv[1], stream=True)
state = httpguard.check()
print("errors", state.counters["errors"])
"""


@pytest.mark.parametrize(
    "renderer", ["render_to_log_kwargs", "render_to_log_args_and_kwargs"]
)
def test_fields_that_become_attributes_of_a_record(
    server: Server, tmp_path: Path, renderer: str
) -> None:
    import structlog

    if not hasattr(structlog.stdlib, renderer):
        pytest.skip("this structlog does not have it")
    program = write(tmp_path / "app.py", SOURCE.replace("{renderer}", renderer))
    done = run(program, server.url("/bytes/90000"))
    assert done.stdout.splitlines()[:2] == [
        "httpguard.leak dropped MainThread int",
        "errors 0",
    ], done.stderr


CONTEXT = """
import json, sys
import structlog
from structlog import stdlib
{configure}
NAMES = ["event", "level", "timestamp", "logger", "name", "self", "args", "kwargs",
         "method_name", "event_args", "event_kw", "positional_args", "exc_info",
         "stack_info", "exception", "_record", "_from_structlog", "kind", "stack",
         "open_now", "thread", "message", "filename", "process", "request_id"]
structlog.contextvars.bind_contextvars(**{{name: f"mine {{name}}" for name in NAMES}})
import httpguard; httpguard.install(check_interval=0)
import requests
requests.get(sys.argv[1], stream=True)
structlog.contextvars.clear_contextvars()
state = httpguard.check()
print(json.dumps(NAMES))
print(state.counters["errors"])
"""
CHAIN = """
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso"),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(),
    ],
    wrapper_class={wrapper},
)
"""


@pytest.mark.parametrize(
    "wrapper",
    [
        "structlog.make_filtering_bound_logger(0)",
        "structlog.BoundLogger",
        "stdlib.BoundLogger",
    ],
)
def test_context_variables_of_any_name(
    server: Server, tmp_path: Path, wrapper: str
) -> None:
    """Each is there: those whose names are taken with a prefix."""
    source = CONTEXT.format(configure=CHAIN.format(wrapper=wrapper))
    done = run(write(tmp_path / "app.py", source), server.url("/bytes/90000"))
    report, names, errors = map(json.loads, done.stdout.splitlines()[:3])
    assert (errors, done.stderr) == (0, "")
    assert (report["event"], report["kind"]) == ("httpguard.leak", "dropped")
    assert (report["level"], report["open_now"]) == ("warning", 0)
    assert "requests.get(sys.argv[1]" in report["stack"]
    assert report["request_id"] == "mine request_id"
    assert (report["self"], report["name"]) == ("mine self", "mine name")
    for name in names:
        kept = report.get(f"context_{name}", report.get(name))
        assert kept == f"mine {name}", name


def test_context_variables_of_any_name_that_become_attributes(
    server: Server, tmp_path: Path
) -> None:
    configure = """
import logging
class Show(logging.Handler):
    def emit(self, record):
        print(json.dumps(vars(record), default=str))
logging.basicConfig(handlers=[Show()])
structlog.configure(
    processors=[stdlib.add_log_level, stdlib.render_to_log_kwargs],
    logger_factory=stdlib.LoggerFactory(),
    wrapper_class=stdlib.BoundLogger,
)
"""
    source = CONTEXT.format(configure=configure)
    done = run(write(tmp_path / "app.py", source), server.url("/bytes/90000"))
    report, names, errors = map(json.loads, done.stdout.splitlines()[:3])
    assert (errors, done.stderr) == (0, "")
    assert (report["msg"], report["kind"]) == ("httpguard.leak", "dropped")
    assert report["thread_name"] == "MainThread"
    for name in names:
        kept = report.get(f"context_{name}", report.get(name))
        assert kept == f"mine {name}", name
