"""structlog set up to hand its fields over to the standard library."""

from __future__ import annotations

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
