"""The examples, each run as a user runs it."""

from __future__ import annotations

import json
import re
import shlex
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from tests.program import ROOT, run

if TYPE_CHECKING:
    import subprocess

EXAMPLES = ROOT / "examples"
REPORT = re.compile(r"^leak (\w+) (\S+):(\d+) in (\S+) · ", re.MULTILINE)
SUMMED = re.compile(r"^  > (\d+) (\w+) at (\S+):(\d+) in (\S+) · ", re.MULTILINE)
PROGRAMS = sorted(path.name for path in EXAMPLES.glob("[a-z]*.py"))


def guilty_line(name: str) -> int:
    """The line that says LEAK."""
    lines = (EXAMPLES / name).read_text(encoding="utf-8").splitlines()
    (line,) = (n for n, text in enumerate(lines, 1) if text.endswith("# LEAK"))
    return line


def example(name: str, *needs: str) -> subprocess.CompletedProcess[str]:
    """The example after a run that went well."""
    for module in needs:
        if find_spec(module) is None:
            pytest.skip(f"needs {module}")
    done = run_printed(name, PYTHONDONTWRITEBYTECODE="1")
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def printed_command(name: str) -> str:
    """How an example says that it is run."""
    source = (EXAMPLES / name).read_text(encoding="utf-8")
    command = re.search(r"^Run:  (.+)$", source, re.MULTILINE)
    assert command is not None
    return command[1]


def run_printed(name: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run an example by its own words, from the directory above."""
    first, *words = shlex.split(printed_command(name))
    if first == "httpguard":
        words = ["-m", "httpguard", *words]
    else:
        assert first == "python"
    return run(*words, env={"PYTHONUTF8": "1", **env}, cwd=ROOT, encoding="utf-8")


def assert_found(stderr: str, name: str, function: str, count: int) -> None:
    """One report and one line of the summary, nothing else."""
    line = str(guilty_line(name))
    file = f"examples/{name}"
    assert REPORT.findall(stderr) == [("dropped", file, line, function)]
    assert SUMMED.findall(stderr) == [(str(count), "dropped", file, line, function)]


def test_script() -> None:
    done = example("script.py")
    assert_found(done.stderr, "script.py", "is_up", 1)
    assert done.stdout.splitlines() == [
        "up: True",
        "up: True",
        f"1 dropped, opened at line {guilty_line('script.py')}",
        "opened: 2",
        "closed: 1",
    ]


def test_flask_service() -> None:
    done = example("flask_service.py", "flask")
    assert_found(done.stderr, "flask_service.py", "leaky", 3)
    assert done.stdout.splitlines() == [
        *["GET /leaky: 502, 34 bytes"] * 3,
        "GET /repaired: 502, 34 bytes",
        "GET /download: 200, 90000 bytes",
        "3 dropped, opened in leaky()",
    ]


def test_worker_pool() -> None:
    done = example("worker_pool.py")
    assert_found(done.stderr, "worker_pool.py", "has_lines", 1)
    assert "too many open" not in done.stderr
    assert done.stdout.splitlines() == [
        "40 jobs read 40000 lines",
        "opened: 40",
        "given back: 40",
        "too many open: 0",
        "leaks: 0",
        "the old job: True",
        f"1 dropped, opened at line {guilty_line('worker_pool.py')}",
        "slots lost: 1 of 4",
    ]


def test_grequests_gevent() -> None:
    done = example("grequests_gevent.py", "grequests")
    # The stack of a greenlet begins in grequests.
    ((kind, file, line, function),) = REPORT.findall(done.stderr)
    assert (kind, function) == ("dropped", "send")
    assert file.endswith("grequests.py")
    assert SUMMED.findall(done.stderr) == [("3", kind, file, line, function)]
    assert "/page/" in done.stderr
    assert done.stdout.splitlines() == [
        "repaired: [200, 200, 200]",
        "leaks: 0",
        "leaky: [200, 200, 200]",
        "3 dropped, opened in send()",
    ]


def test_grequests_sessions() -> None:
    done = example("grequests_sessions.py", "grequests")
    assert done.stdout.splitlines() == [
        "repaired: 90 pages, 30 connections",
        "session leaks: 0",
        "leaky: 90 pages, 90 connections",
        "found: True",
    ]
    line = guilty_line("grequests_sessions.py")
    said = rf"^leak session examples/grequests_sessions\.py:{line} in "
    assert re.search(said, done.stderr, re.MULTILINE), done.stderr


def test_test_strict() -> None:
    done = example("test_strict.py")
    line = str(guilty_line("test_strict.py"))
    found = ("dropped", "examples/test_strict.py", line, "first_line")
    assert "1 leaked response (in a scope that promised none)\n" in done.stdout
    assert REPORT.findall(done.stdout) == [found]
    assert re.search(r"\b3 passed\b", done.stdout)


def test_structlog_json() -> None:
    done = example("structlog_json.py")
    assert done.stderr == ""
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    (leak,) = (line for line in lines if line["event"] == "httpguard.leak")
    assert (leak["kind"], leak["count"], leak["level"]) == ("dropped", 1, "warning")
    line = guilty_line("structlog_json.py")
    assert leak["site"].endswith(f"structlog_json.py:{line} in handle_leaky")
    # Of the moment of opening, though r-3 was bound when it was said.
    assert leak["request_id"] == "r-2"
    handled = [line["request_id"] for line in lines if line["event"] == "handled"]
    assert handled == ["r-1", "r-2", "r-3"]
    (summary,) = (line for line in lines if line["event"] == "httpguard.summary")
    assert "request_id" not in summary
    assert [site["count"] for site in summary["leaks"]] == [1]


def test_unchanged() -> None:
    if find_spec("typer") is None:
        pytest.skip("needs typer")
    done = run_printed("unchanged.py", COLUMNS="79")
    assert (done.returncode, done.stdout) == (23, "done\n")
    table = done.stderr[done.stderr.index("httpguard: ") :]
    port = re.search(r"http://127\.0\.0\.1:(\d+)/", table)
    assert port is not None
    shown = table.replace(f":{port[1]}/", ":40613/")
    page = (ROOT / "docs" / "run.md").read_text(encoding="utf-8")
    # The port may have fewer digits; rich leaves a blank where it breaks a line.
    assert re.sub(" +", " ", re.sub(" +\n", "\n", shown)) in re.sub(" +", " ", page)


@pytest.mark.parametrize("name", PROGRAMS)
def test_each_says_how_to_run_it_as_the_readme_does(name: str) -> None:
    readme = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    rows = [row for row in readme.splitlines() if row.startswith(f"| [{name}]({name})")]
    assert len(rows) == 1
    assert f"`{printed_command(name)}`" in rows[0]


def test_each_has_a_test() -> None:
    assert {f"test_{name.removesuffix('.py')}" for name in PROGRAMS} <= set(globals())
