"""A logger that shows no leak: the exit says so, once."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.program import write
from tests.running import execute

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from tests.server import Server

LEAK = """
import logging, sys
import httpguard
httpguard.install()
{}
import requests
for _ in range(3):
    requests.get(sys.argv[1], stream=True)
"""
OFF = "logging.getLogger('httpguard').setLevel('CRITICAL')"


@pytest.fixture
def url(server: Server) -> str:
    return server.url("/bytes/90000")


def leak(
    url: str, tmp_path: Path, statement: str, **env: str
) -> subprocess.CompletedProcess[str]:
    program = write(tmp_path / "app.py", LEAK.format(statement))
    return execute([sys.executable, str(program), url], env)


@pytest.mark.parametrize(
    "statement",
    [
        OFF,
        "logging.disable(logging.CRITICAL)",
        "logging.getLogger().addHandler(logging.NullHandler())",
        "logging.basicConfig(); logging.getLogger().handlers[0].setLevel('ERROR')",
        "logging.getLogger().setLevel('ERROR')",
    ],
)
def test_leaks_that_no_log_shows(statement: str, url: str, tmp_path: Path) -> None:
    done = leak(url, tmp_path, statement)
    assert done.stderr == (
        "httpguard: found 3 leaked responses, and the logger 'httpguard' shows none: it"
        " is off, or its level or its handlers are above WARNING; HTTPGUARD_LOG=FILE"
        " keeps them all\n"
    )


FILTERED = "structlog.make_filtering_bound_logger(logging.ERROR)"
THROUGH = (
    "structlog.stdlib.BoundLogger, logger_factory=structlog.stdlib.LoggerFactory(),"
    " processors=[structlog.stdlib.render_to_log_kwargs]"
)


@pytest.mark.parametrize(
    ("wrapper", "silent"),
    [
        (FILTERED, True),
        ("structlog.make_filtering_bound_logger(logging.INFO)", False),
        ("structlog.BoundLogger", False),
        (f"{THROUGH}); {OFF}; dict(", True),
        (f"{THROUGH}", False),
    ],
)
def test_leaks_that_structlog_shows_or_not(
    wrapper: str, *, silent: bool, url: str, tmp_path: Path
) -> None:
    statement = f"import structlog; structlog.configure(wrapper_class={wrapper})"
    done = leak(url, tmp_path, statement)
    said = "found 3 leaked responses, and structlog shows none: its level is above"
    assert (said in done.stderr) == silent, done.stderr


@pytest.mark.parametrize("statement", ["", "logging.basicConfig()"])
def test_leaks_that_the_log_shows(statement: str, url: str, tmp_path: Path) -> None:
    done = leak(url, tmp_path, statement)
    assert "leak dropped" in done.stderr
    assert "shows none" not in done.stderr


def test_where_a_file_has_them(url: str, tmp_path: Path) -> None:
    done = leak(url, tmp_path, OFF, HTTPGUARD_LOG=str(tmp_path / "log"))
    assert done.stderr == ""


def test_in_strict_mode_the_error_has_said_it(url: str, tmp_path: Path) -> None:
    done = leak(url, tmp_path, OFF, HTTPGUARD_STRICT="1", HTTPGUARD_MAX_LEAKS="9")
    assert done.stderr == ""


def test_where_nothing_leaked(tmp_path: Path) -> None:
    assert leak("", tmp_path, f"{OFF}; sys.exit()").stderr == ""
