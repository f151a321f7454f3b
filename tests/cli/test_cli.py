"""The command httpguard: help, version, errors of use, missing extras."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

import httpguard
from httpguard import cli
from httpguard._cli.app import build
from tests.program import run

# Plain text of a known width, also where a CI service asks for colours.
PLAIN = {"COLUMNS": "80", "_TYPER_FORCE_DISABLE_TERMINAL": "1", "PYTHONUTF8": "1"}
SCRIPT = Path(sys.executable).with_name("httpguard")


def call(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return run("-m", "httpguard.cli", *arguments, env=PLAIN | env, encoding="utf-8")


def call_without(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """As where a module is not installed."""
    program = (
        f"import sys; sys.modules[{module!r}] = None\n"
        f"from httpguard.cli import main; main({list(arguments)!r})"
    )
    return run("-c", program, env=PLAIN)


def test_version() -> None:
    done = call("--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"httpguard {httpguard.__version__}\n"


@pytest.mark.skipif(not SCRIPT.exists(), reason="httpguard is not installed here")
def test_the_installed_script() -> None:
    done = subprocess.run(
        [SCRIPT, "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"httpguard {httpguard.__version__}\n"


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_says_what_it_is_and_where_to_begin(option: str) -> None:
    done = call(option)
    assert (done.returncode, done.stderr) == (0, "")
    text = " ".join(done.stdout.split())
    assert "Find the HTTP responses that a Python program never closes." in text
    assert "httpguard.install()" in text
    assert "Try httpguard demo" in text
    assert "demo Show what httpguard reports" in text


def test_help_of_a_command() -> None:
    done = call("demo", "--help")
    assert (done.returncode, done.stderr) == (0, "")
    text = " ".join(done.stdout.split())
    assert "The exit code is 0 if just the promised leaks were reported" in text
    assert "--source" in text


def test_no_command_shows_the_help_and_is_an_error_of_use() -> None:
    done = call()
    assert done.returncode == 2
    assert "Try httpguard demo" in " ".join(done.stdout.split())


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("nonsense",), "nonsense"),
        (("--bogus",), "--bogus"),
        (("demo", "--bogus"), "--bogus"),
        (("demo", "surplus"), "surplus"),
    ],
)
def test_errors_of_use_name_the_argument(
    arguments: tuple[str, ...], named: str
) -> None:
    done = call(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert named in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("top --interval 0.1 x", "'0.1' is not accepted: a number of seconds from 0.5"),
        ("top --interval soon x", "'soon' is not accepted: a number of seconds"),
        ("attach x", "'x' is not accepted: a whole number from 1 to"),
        ("attach 0", "'0' is not accepted: a whole number from 1 to"),
        ("attach --for -1 5", "'-1' is not accepted: a number of seconds from 0 to"),
        ("attach --look x 5", "'x' is not accepted: a number of seconds from 0 to"),
        ("attach --patience x 5", "'x' is not accepted: a number of seconds from 0"),
        ("attach --max-idle x 5", "'x' is not accepted: a number of seconds from 0"),
        ("attach --serve 99999 5", "'99999' is not accepted: a whole number from 0 to"),
        ("attach --log /none/x 5", "--log='/none/x' is not accepted: there is no"),
        ("attach --log / 5", "--log='/' is not accepted: it is a directory"),
        ("report --top -1 x", "'-1' is not accepted: a whole number from 0 to"),
        ("report --kind x x", "'x' is not one of 'dropped', 'held',"),
        ("report --since x x", "'x' is no time; accepted: an ISO date"),
        ("demo --client x", "'x' is not one of 'requests', 'httpx', 'aiohttp'"),
    ],
)
def test_an_error_names_the_value_and_what_is_accepted(
    arguments: str, told: str
) -> None:
    done = call(*arguments.split())
    assert (done.returncode, done.stdout) == (2, "")
    assert told in " ".join(done.stderr.replace("│", " ").split())


@pytest.mark.parametrize(
    ("module", "arguments", "extra"),
    [
        ("typer", ["report", "x"], "cli"),
        ("rich", ["run", "x"], "cli"),
        ("jinja2", ["report", "--html", "x", "x"], "report"),
        ("typer", ["demo"], "demo"),
        ("rich", ["demo"], "demo"),
        ("requests", ["demo"], "demo"),
        ("urllib3", ["demo"], "demo"),
    ],
)
def test_a_missing_extra_is_named(
    module: str, arguments: list[str], extra: str
) -> None:
    done = call_without(module, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"httpguard: {module} is not installed")
    assert f'python -m pip install "httpguard[{extra}]"' in done.stderr
    assert "Traceback" not in done.stderr


def test_a_client_that_no_extra_brings_is_named() -> None:
    done = call_without("httpx", "demo", "--client", "httpx")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "httpguard: httpx is not installed:\n  python -m pip install httpx\n"
    )


@pytest.mark.parametrize("module", ["typer", "rich"])
def test_version_and_help_need_no_extra(module: str) -> None:
    done = call_without(module, "--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"httpguard {httpguard.__version__}\n"
    for arguments, code in ((["--help"], 0), (["-h"], 0), ([], 2)):
        done = call_without(module, *arguments)
        assert (done.returncode, done.stderr) == (code, "")
        for command in ("demo", "run", "report", "top", "baseline"):
            assert f"\n  {command} " in done.stdout
        assert 'pip install "httpguard[cli]"' in done.stdout


@pytest.mark.parametrize("editable", [False, True])
def test_the_advice_names_the_checkout(tmp_path: Path, *, editable: bool) -> None:
    info = tmp_path / "httpguard-0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: httpguard\nVersion: 0")
    origin = {"url": tmp_path.as_uri(), "dir_info": {"editable": editable}}
    (info / "direct_url.json").write_text(json.dumps(origin))
    program = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); sys.modules['rich'] = None"
        "\nfrom httpguard.cli import main; main(['run', 'x'])"
    )
    done = run("-c", program, env=PLAIN)
    option = "-e " if editable else ""
    assert f'python -m pip install {option}"{tmp_path}[cli]"' in done.stderr


def test_the_sources_need_no_client() -> None:
    assert call_without("requests", "demo", "--source").returncode == 0


@pytest.mark.parametrize("arguments", [("--help",), ("demo", "--source")])
def test_a_terminal_that_knows_ascii_only(arguments: tuple[str, ...]) -> None:
    done = call(*arguments, PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")


def test_the_extras_load_when_the_command_runs() -> None:
    program = "import httpguard.cli, sys; print({'typer', 'rich'} & {*sys.modules})"
    assert run("-c", program).stdout == "set()\n"


def test_main_takes_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exited:
        cli.main(["--version"])
    assert exited.value.code == 0
    assert capsys.readouterr().out == f"httpguard {httpguard.__version__}\n"


def test_main_without_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exited:
        cli.main([])
    assert exited.value.code == 2
    assert "demo" in capsys.readouterr().out


def test_as_a_module() -> None:
    done = run("-m", "httpguard", "--version")
    assert (done.returncode, done.stdout.split()[0]) == (0, "httpguard")


def test_the_help_names_every_command_as_its_own_help_does() -> None:
    text = " ".join(call("--help").stdout.split())
    commands = get_command(build()).commands  # type: ignore[attr-defined]
    assert list(commands) == [
        *("demo", "run", "explain", "report", "top", "attach", "baseline")
    ]
    for name, command in commands.items():
        says = (command.help or command.callback.__doc__).split("\n\n")[0]
        assert f" {name} {' '.join(says.split())}" in text


@pytest.mark.parametrize("arguments", [["--help"], ["run", "-c", "pass"]])
def test_what_has_nothing_to_explain_imports_no_typer(arguments: list[str]) -> None:
    program = (
        "import sys; from httpguard.cli import main\n"
        f"try: main({arguments!r})\n"
        "finally: print({'typer', 'rich', 'asyncio', 'wrapt', 'httpguard._wrapt'}"
        " & {*sys.modules})"
    )
    assert run("-c", program).stdout.endswith("set()\n")
