"""The table [tool.httpguard] of a pyproject.toml, for `httpguard run` and pytest."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import pytest

from httpguard import ConfigError, Settings
from httpguard._model.project import read_project, with_project
from httpguard._model.settings import load_settings
from tests.program import run

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server import Server

pytestmark = pytest.mark.skipif(
    sys.version_info < (3, 11), reason="3.10 reads no TOML by itself"
)
TABLE = """
[project]
name = "app"
[tool.httpguard]
max_idle = 7
max_open = 3
sample = 0.5
strict = true
app = ["one", "two"]
log = "leaks.jsonl"
serve = 8765
"""


def write(folder: Path, text: str) -> None:
    (folder / "pyproject.toml").write_text(text, "utf-8")


def told(folder: Path, **environment: str) -> Settings:
    return load_settings({}, with_project(environment, str(folder)))


def test_the_nearest_file_is_read(tmp_path: Path) -> None:
    write(tmp_path, TABLE)
    below = tmp_path / "src" / "app"
    below.mkdir(parents=True)
    assert told(below) == Settings(
        max_idle=7,
        max_open=3,
        sample=0.5,
        strict=True,
        app=("one", "two"),
        log=str(tmp_path / "leaks.jsonl"),
        serve=("127.0.0.1", 8765),
    )
    write(below, "[tool.httpguard]\nstrict = false\n")
    assert told(below) == Settings()


def test_variables_win_unless_they_are_empty(tmp_path: Path) -> None:
    write(tmp_path, TABLE)
    settings = told(tmp_path, HTTPGUARD_MAX_IDLE="2", HTTPGUARD_MAX_OPEN=" ")
    assert (settings.max_idle, settings.max_open) == (2.0, 3)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('max_idle = "soon"', r"\[tool.httpguard\] max_idle='soon' is not accepted: a"),
        (
            "max_idel = 3",
            r"there is no setting \[tool.httpguard\] max_idel; did you mean max_idle",
        ),
        ("stack_depth = 2.0", r"stack_depth=2.0 is not accepted"),
        ("max_idle = ", "pyproject.toml cannot be read"),
    ],
)
def test_what_is_not_accepted(tmp_path: Path, text: str, said: str) -> None:
    write(tmp_path, f"[tool.httpguard]\n{text}\n")
    with pytest.raises(ConfigError, match=said):
        told(tmp_path)


@pytest.mark.parametrize("text", ["", "[tool.other]\nx = 1\n", "no TOML at all = ="])
def test_a_file_that_does_not_name_us_says_nothing(tmp_path: Path, text: str) -> None:
    write(tmp_path, text)
    assert told(tmp_path) == Settings()


LEAK = """
import requests, sys
requests.get(sys.argv[1], stream=True)
"""


def test_httpguard_run_reads_it(server: Server, tmp_path: Path) -> None:
    write(tmp_path, '[tool.httpguard]\nignore = ["*/bytes/*"]\n')
    (tmp_path / "app.py").write_text(LEAK, "utf-8")
    arguments = ("-m", "httpguard", "run", "--fail", "app.py")
    url = server.url("/bytes/90000")
    assert run(*arguments, url, cwd=tmp_path).returncode == 0
    env = {"HTTPGUARD_IGNORE": "nothing"}
    assert run(*arguments, url, cwd=tmp_path, env=env).returncode == 23
    write(tmp_path, "[tool.httpguard]\nmax_idel = 3\n")
    done = run(*arguments, url, cwd=tmp_path)
    assert (done.returncode, "max_idel" in done.stderr) == (2, True)


def test_pytest_reads_it(server: Server, tmp_path: Path) -> None:
    (tmp_path / "test_app.py").write_text(
        "import requests\ndef test():\n"
        f"    requests.get({server.url('/bytes/90000')!r}, stream=True)\n",
        "utf-8",
    )
    arguments = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "--httpguard")
    write(tmp_path, "[tool.pytest.ini_options]\n")
    done = run(*arguments, cwd=tmp_path)
    assert "1 failed" in done.stdout, done.stdout
    write(
        tmp_path,
        '[tool.pytest.ini_options]\n[tool.httpguard]\nignore = ["*/bytes/*"]\n',
    )
    done = run(*arguments, cwd=tmp_path)
    assert "1 passed" in done.stdout, done.stdout


OPTIONS = """
[tool.httpguard]
baseline = "known.json"
[tool.httpguard.run]
fail = true
[tool.httpguard.report]
fail = true
root = "src"
top = 3
"""


def test_options_of_commands(tmp_path: Path) -> None:
    write(tmp_path, OPTIONS)
    project = read_project(str(tmp_path))
    assert project.variables == {}
    assert project.baseline == str(tmp_path / "known.json")
    assert project.options == {
        "run": {"fail": True},
        "report": {"fail": True, "root": str(tmp_path / "src"), "top": 3},
    }


@pytest.mark.parametrize("no", ["", "none"])
def test_no_file(tmp_path: Path, no: str) -> None:
    text = f'[tool.httpguard]\nbaseline = "{no}"\nlog = "{no}"\n'
    write(tmp_path, f'{text}[tool.httpguard.report]\nroot = "{no}"\n')
    project = read_project(str(tmp_path))
    assert (project.baseline, project.options["report"]) == ("", {"root": None})
    assert told(tmp_path).log is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("baselin = 'x'", r"\[tool.httpguard\] baselin; did you mean baseline\?"),
        ("runn = 1", r"\[tool.httpguard\] runn; did you mean run\?"),
        ("run = 1", r"tool.httpguard.run is no table"),
        ("[tool.httpguard.run]\nfial = 1", r"\.run\] fial; did you mean fail\?"),
        ("[tool.httpguard.report]\ntop = -1", r"\.report\] top=-1 is not accepted: a"),
        ("baseline = 3", r"\[tool.httpguard\] baseline=3 is not accepted"),
    ],
)
def test_options_that_are_not_accepted(tmp_path: Path, text: str, said: str) -> None:
    write(tmp_path, f"[tool.httpguard]\n{text}\n")
    with pytest.raises(ConfigError, match=said):
        read_project(str(tmp_path))


def test_run_heeds_fail_and_the_baseline(server: Server, tmp_path: Path) -> None:
    write(tmp_path, OPTIONS)
    (tmp_path / "app.py").write_text(LEAK, "utf-8")
    url = server.url("/bytes/90000")
    command = ("-m", "httpguard", "run")
    done = run(*command, "app.py", url, cwd=tmp_path)
    assert done.returncode == 2
    assert "httpguard baseline update" in " ".join(done.stderr.split())
    none = ("--baseline", "", "--log", "leaks.jsonl")
    assert run(*command, *none, "app.py", url, cwd=tmp_path).returncode == 23
    words = (*command, *none, "--no-fail", "app.py", url)
    assert run(*words, cwd=tmp_path).returncode == 0
    # The file is that of the project, for the command that looks after it too.
    baseline = ("-m", "httpguard", "baseline")
    done = run(*baseline, "update", "leaks.jsonl", cwd=tmp_path)
    assert "1 known leak" in done.stdout, done.stderr
    assert run(*baseline, "show", cwd=tmp_path).returncode == 0
    assert run(*command, "app.py", url, cwd=tmp_path).returncode == 0
    # So do the report and pytest.
    report = ("-m", "httpguard", "report", "leaks.jsonl")
    assert run(*report, cwd=tmp_path).returncode == 0
    assert run(*report, "--baseline", "", cwd=tmp_path).returncode == 23
    assert run(*report, "--baseline", "", "--no-fail", cwd=tmp_path).returncode == 0
    write(tmp_path, "[tool.httpguard.report]\ntopp = 1\n")
    done = run(*report, cwd=tmp_path)
    told = re.sub(r"[\s│]+", " ", done.stderr)
    assert (done.returncode, "did you mean top?" in told) == (2, True), told


def test_pytest_heeds_the_baseline(server: Server, tmp_path: Path) -> None:
    (tmp_path / "test_app.py").write_text(
        "import requests\ndef test():\n"
        f"    requests.get({server.url('/bytes/90000')!r}, stream=True)\n",
        "utf-8",
    )
    write(tmp_path, f"[tool.pytest.ini_options]\n{OPTIONS}")
    arguments = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "--httpguard")
    done = run(*arguments, "--httpguard-baseline-update", cwd=tmp_path)
    assert (tmp_path / "known.json").exists(), done.stdout + done.stderr
    done = run(*arguments, cwd=tmp_path)
    assert "1 passed" in done.stdout, done.stdout
