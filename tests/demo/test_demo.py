"""httpguard demo: what it shows, and that it notices when that is wrong."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from httpguard import LeakKind, cli
from httpguard._demo import program as _program
from httpguard._demo import show as _show
from httpguard._demo.program import Outcome, Place
from httpguard._demo.show import SHOWS
from tests.program import ROOT, run

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

SOURCES = ROOT / "httpguard" / "_demo"
PROGRAM = SHOWS["requests"].program
REPAIRED = ": the same, repaired"
REPORT = re.compile(
    r"^\S+ WARNING httpguard: leak (\w+) (\S+):(\d+) in (\w+) · ", re.MULTILINE
)
SUMMED = re.compile(r"^  > (\d+) (\w+) at (\S+):(\d+) in (\w+)", re.MULTILINE)
# What the user has set must not matter.
HOSTILE = {
    "HTTPGUARD_STRICT": "1",
    "HTTPGUARD_MAX_IDLE": "0",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "http_proxy": "http://127.0.0.1:9",
}
GOOD = Outcome(
    log=("12:00:00 INFO shop: open: True",),
    counters={
        **dict.fromkeys(LeakKind, 0),
        "opened": 8,
        "released": 8,
        "closed": 0,
        "leaks": 0,
        "errors": 0,
    },
    exit_code=0,
)


def guilty_lines() -> dict[str, int]:
    """Kind -> line, from the comments in the program."""
    lines = (SOURCES / PROGRAM).read_text(encoding="utf-8").splitlines()
    marks = (line.partition("# LEAK ")[2] for line in lines)
    return {kind: number for number, kind in enumerate(marks, 1) if kind}


def call(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    env = {"COLUMNS": "80", "PYTHONUTF8": "1", **env}
    return run("-m", "httpguard.cli", "demo", *arguments, env=env, encoding="utf-8")


@pytest.fixture(scope="module")
def shown() -> str:
    """The demo's output, after a run that went well."""
    done = call(**HOSTILE)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.fixture(scope="module")
def leaky_log(shown: str) -> str:
    return shown.partition(REPAIRED)[0]


@pytest.fixture(scope="module")
def fixed_log(shown: str) -> str:
    return shown.partition(REPAIRED)[2]


def test_the_program_has_each_kind_once() -> None:
    # A session is no response: its leaks are shown in examples/.
    assert set(guilty_lines()) == {kind.value for kind in LeakKind} - {"session"}


def test_each_leak_is_reported_once_at_its_line(leaky_log: str) -> None:
    reports = [
        (kind, file, int(line)) for kind, file, line, _ in REPORT.findall(leaky_log)
    ]
    expected = [(kind, PROGRAM, line) for kind, line in guilty_lines().items()]
    assert sorted(reports) == sorted(expected)


def test_each_leak_is_summed_up(leaky_log: str) -> None:
    summary = [
        (int(count), kind, file, int(line))
        for count, kind, file, line, _ in SUMMED.findall(leaky_log)
    ]
    expected = [(1, kind, PROGRAM, line) for kind, line in guilty_lines().items()]
    assert sorted(summary) == sorted(expected)


def test_the_twins_are_not_mentioned(leaky_log: str) -> None:
    found = {function for *_, function in REPORT.findall(leaky_log)}
    found |= {function for *_, function in SUMMED.findall(leaky_log)}
    assert found == {"is_there", "send", "export", "prefetch"}


def test_the_guilty_source_is_quoted(leaky_log: str) -> None:
    source = (SOURCES / PROGRAM).read_text(encoding="utf-8").splitlines()
    for line in guilty_lines().values():
        assert f"\n        {source[line - 1].strip()}\n" in leaky_log


def test_each_report_has_a_heading_of_one_sentence(leaky_log: str) -> None:
    for kind, *_ in REPORT.findall(leaky_log):
        heading, _, _ = leaky_log.partition(f"httpguard: leak {kind} ")
        paragraph = heading.rpartition("\n")[0].rpartition("\n\n")[2]
        assert re.match(rf"{kind}: [^\d]+\.", paragraph.replace("\n", " "))


def test_the_repaired_program_is_silent(fixed_log: str) -> None:
    assert " INFO shop: done" in fixed_log
    assert "httpguard: leak" not in fixed_log
    assert "WARNING" not in fixed_log
    assert "8 responses opened, 8 given back, 0 leaks." in " ".join(fixed_log.split())


def test_each_leaky_function_has_its_twin() -> None:
    source = (SOURCES / PROGRAM).read_text(encoding="utf-8")
    functions = re.findall(r"^def (\w+)", source, re.MULTILINE)
    twins = {name for name in functions if name.endswith("_repaired")}
    assert {name.removesuffix("_repaired") for name in twins} < {*functions}
    assert len(twins) == len(guilty_lines())


def test_the_source_can_be_read() -> None:
    done = call("--source")
    assert done.returncode == 0
    for number, line in enumerate(_program.read_source(PROGRAM), 1):
        assert f"\n{number:4}  {line}".rstrip() in done.stdout


def test_it_fails_where_the_guard_sees_nothing(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import httpguard\nhttpguard.install = lambda **_: None\n"
    )
    done = call(PYTHONPATH=os.pathsep.join([str(ROOT), str(tmp_path)]))
    assert done.returncode == 1
    assert "this is not what was promised" in done.stderr
    assert (
        f"not reported: dropped at {PROGRAM}:{guilty_lines()['dropped']}" in done.stderr
    )
    assert REPAIRED not in done.stdout


def test_it_fails_where_a_program_does(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        f"import sys\nif {PROGRAM!r} in sys.orig_argv: sys.modules['requests'] = None\n"
    )
    done = call(PYTHONPATH=os.pathsep.join([str(ROOT), str(tmp_path)]))
    assert done.returncode == 1
    assert f"{PROGRAM} did not get to its end (exit code 1)" in done.stderr
    # Why, is in its log.
    assert "ModuleNotFoundError: import of requests halted" in done.stdout


def test_it_fails_where_a_promised_leak_is_not_seen(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    marks = [*_program.find_marks(PROGRAM), Place(PROGRAM, 1, "held")]
    monkeypatch.setattr(_show, "find_marks", lambda _: marks)
    with pytest.raises(SystemExit) as exited:
        cli.main(["demo"])
    assert exited.value.code == 1
    assert f"not reported: held at {PROGRAM}:1" in capsys.readouterr().err


def test_a_program_that_hangs_is_ended(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "hang.py").write_text(
        "import sys, time; print('here', file=sys.stderr, flush=True); time.sleep(60)"
    )
    monkeypatch.setattr(_program, "_HERE", str(tmp_path))
    monkeypatch.setattr(_program, "_PATIENCE", 1.0)
    seen: list[str] = []
    outcome = _program.run(["hang.py"], seen.append)
    assert outcome.exit_code != 0
    assert outcome.log == tuple(seen) == ("here",)
    assert outcome.counters == {}


def test_the_judgement_of_a_good_run() -> None:
    assert _program.judge(PROGRAM, GOOD, []) == []


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        (replace(GOOD, exit_code=1), f"{PROGRAM} did not get to its end (exit code 1)"),
        (replace(GOOD, counters={}), f"{PROGRAM} did not get to its end (exit code 0)"),
        (
            replace(GOOD, log=("x ERROR httpguard: oh",)),
            f"{PROGRAM} was to be silent, but its log says: x ERROR httpguard: oh",
        ),
    ],
)
def test_the_judgement_of_a_bad_run(bad: Outcome, sentence: str) -> None:
    assert _program.judge(PROGRAM, bad, []) == [sentence]


def test_a_report_that_is_said_twice_was_not_promised() -> None:
    line = guilty_lines()["held"]
    log = [
        f"12:00:00 WARNING httpguard: leak {kind} {PROGRAM}:{number} in f · GET"
        for kind, number in [*guilty_lines().items(), ("held", line)]
    ]
    counters: dict[str, int] = {
        **GOOD.counters,
        **dict.fromkeys(guilty_lines(), 1),
        "leaks": 4,
        "released": 4,
    }
    outcome = Outcome(tuple(log), counters, 0)
    promised = _program.find_marks(PROGRAM)
    assert _program.judge(PROGRAM, outcome, promised) == [
        f"reported, not promised: held at {PROGRAM}:{line}"
    ]
    once = replace(outcome, log=tuple(log[:-1]))
    assert _program.judge(PROGRAM, once, promised) == []


@pytest.mark.parametrize(
    ("client", "error"), [("httpx", "PoolTimeout("), ("aiohttp", "TimeoutError(")]
)
def test_the_demo_of_a_starved_pool(client: str, error: str) -> None:
    pytest.importorskip(client)
    show = SHOWS[client]
    done = call("--client", client)
    assert done.returncode == 0, done.stderr
    leaky, fixed = done.stdout.split(REPAIRED)
    (place,) = _program.find_marks(show.program)
    line = f"{show.program}:{place.line} in is_open"
    assert f" WARNING httpguard: leak dropped {line} · GET " in leaky
    # Said while a request waits, and with the error that it gets.
    said = leaky.count(f"  > 3 lost by a dropped response opened at {line}")
    assert said == (2 if sys.version_info >= (3, 11) else 1)
    assert f"ERROR shop: no invoice: {error}" in leaky
    assert "INFO shop: invoice: 30000 bytes" in fixed
    assert "WARNING" not in fixed
    # Those of aiohttp that arrive with their head are none.
    summed = r"(\d+) responses opened, \1 given back, 0 leaks\."
    assert re.search(summed, " ".join(fixed.split()))


@pytest.mark.parametrize("client", ["httpx", "aiohttp"])
def test_the_source_of_the_demo_of_a_client(client: str) -> None:
    done = call("--client", client, "--source")
    assert done.returncode == 0
    for line in _program.read_source(SHOWS[client].program):
        assert line in done.stdout


def test_a_client_that_there_is_no_demo_of() -> None:
    done = call("--client", "pycurl")
    assert done.returncode == 2
    text = " ".join(done.stderr.replace("│", " ").split())
    assert "not one of 'requests', 'httpx', 'aiohttp'" in text
