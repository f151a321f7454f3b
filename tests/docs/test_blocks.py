"""Each code block of README and the docs does what the page says."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import http.server
import inspect
import json
import linecache
import re
import shlex
import shutil
import sys
import threading
import urllib.request
from typing import TYPE_CHECKING, Any

import aiohttp
import httpx
import pytest
import requests
import urllib3

import httpguard
from httpguard._model.project import read_project
from httpguard._model.settings import TABLE, variable
from httpguard._process.process import PROCESS
from httpguard._run.options import read_quickly
from tests.docs.blocks import BLOCKS, Block
from tests.program import ROOT, run, write

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import GuardControl
    from tests.server import Server

# Pages whose programs say `# leaks` at the line that leaks.
CLIENTS = {
    name: block
    for name, block in BLOCKS.items()
    if block.page.startswith("clients/") and block.language == "python"
}
# Programs that are called with a URL, lines that use what is there already, and
# files for a shell.
PYTHON = [
    *("README.md:1", "getting-started.md:6", "getting-started.md:7"),
    *("fleet.md:1", "live-page.md:1", "live-page.md:2", "metrics.md:1"),
    *("deployment.md:3", "deployment.md:4"),
]
# What a line of a shell ends with; the scene has a program and a test that leak.
SHELL = {
    "README.md:2": [23],
    "deployment.md:2": [0],
    "deployment.md:5": [0, 0],
    "reading-logs.md:1": [0],
    "testing.md:1": [1, 0, 0],
    "testing.md:3": [0, 0],
}
INSTALLS = re.compile(r"^(python -m )?pip install .*$", re.MULTILINE)
COMMAND = re.compile(r"(httpguard|pytest) ")
RECIPES = {
    "ci.md:1": {"httpguard run": 0, "httpguard report": 23},
    "ci.md:2": {"httpguard run": 0, "httpguard report": 23},
    "ci.md:3": {"pytest": 1},
}
ELSEWHERE = {
    "adding-a-client.md:1": "tests/clients/test_toy_client.py",
    "adding-a-client.md:2": "tests/clients/test_toy_client.py",
    "adding-a-client.md:3": "tests/clients/test_toy_client.py",
    **{
        name: "tests/cli/test_explain.py" for name in BLOCKS if name.startswith("kinds")
    },
    **{name: "tests/attach" for name in BLOCKS if name.startswith("attach")},
    "README.md:3": "tests/attach",
    "README.md:4": "tests/demo runs the command; the rest needs the index",
    "README.md:5": ".ci/run runs it as it stands",
    "getting-started.md:1": "needs the index; .ci/run installs the same",
}
NOT_RUN = {
    "how-it-works.md:1": "a drawing",
    "reading-logs.md:2": "an excerpt; tests/report compares the form",
    "reports.md:1": "an excerpt; tests/holders compares the form",
    "testing.md:2": "an excerpt; tests/testing compares the form",
    "troubleshooting.md:1": "an excerpt; tests/pressure compares the form",
    "troubleshooting.md:2": "an excerpt; tests/pressure compares the form",
    "troubleshooting.md:3": "an excerpt; tests/pressure compares the form",
    "troubleshooting.md:4": "an excerpt; tests/pressure compares the form",
}
HERE = {
    *CLIENTS,
    *PYTHON,
    *SHELL,
    *RECIPES,
    *(f"getting-started.md:{number}" for number in range(2, 6)),
    *("deployment.md:1", "json-lines.md:1", "run.md:1", "settings.md:1"),
}


def test_each_block_is_run_or_has_a_reason() -> None:
    assert HERE | ELSEWHERE.keys() | NOT_RUN.keys() == BLOCKS.keys()
    assert not HERE & (ELSEWHERE.keys() | NOT_RUN.keys())


def execute(name: str, space: dict[str, Any]) -> dict[str, Any]:
    """Run a block with what the page takes as given."""
    code = BLOCKS[name].text
    path = str(ROOT / f"{re.sub(r'[^a-z]', '_', name)}.py")
    linecache.cache[path] = (len(code), None, code.splitlines(keepends=True), path)
    space |= {"__name__": name, "httpguard": httpguard, "requests": requests}
    exec(compile(code, path, "exec"), space)
    return space


@pytest.mark.parametrize("name", CLIENTS)
def test_a_program_leaks_where_it_says(
    name: str, guard: GuardControl, server: Server
) -> None:
    guard.install(max_sessions=None)
    modules = {"httpx": httpx, "aiohttp": aiohttp, "http": http, "urllib": urllib}
    code = CLIENTS[name].text
    space = execute(name, {**modules, "urllib3": urllib3})
    function = space[re.findall(r"^(?:async )?def (\w+)", code, re.MULTILINE)[-1]]
    url = server.url("/bytes/900000")
    with contextlib.suppress(ValueError):
        if inspect.iscoroutinefunction(function):
            asyncio.run(function(url))
        elif inspect.isgeneratorfunction(function):
            assert sum(map(len, function(url))) == 900000
        else:
            function(url)
    gc.collect()
    guard.check()
    guard.advance(100)
    found = [leak.site.lineno for leak in guard.check().leaks]
    lines = enumerate(code.splitlines(), 1)
    assert found == [number for number, line in lines if "# leaks" in line]
    for value in (*space.get("KEPT", []), space.get("CLIENT")):
        if value is not None:
            value.close()


@pytest.mark.parametrize("name", PYTHON)
def test_lines_of_python(
    name: str, guard: GuardControl, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    prometheus = pytest.importorskip("prometheus_client")
    flask = pytest.importorskip("flask")
    starlette = pytest.importorskip("starlette.applications")
    dispatcher = pytest.importorskip("werkzeug.middleware.dispatcher")
    pytest.importorskip("opentelemetry.metrics")
    monkeypatch.setenv("HTTPGUARD_CHECK_INTERVAL", "0")
    space: dict[str, Any] = {
        "DispatcherMiddleware": dispatcher.DispatcherMiddleware,
        "REGISTRY": prometheus.CollectorRegistry(),
        "fastapi_app": starlette.Starlette(),
        "flask_app": flask.Flask("shop"),
        "handle": lambda url: requests.get(url, timeout=5),
        "request": server.url("/bytes/9"),
        "url": server.url("/bytes/90000"),
    }
    execute(name, space)
    if "post_fork" in space:
        space["post_fork"](None, None)
    if "page" in space:
        assert requests.get(f"{space['page'].url}healthz", timeout=5).ok
        space["page"].close()
    if "feed" in space:
        space["feed"].close()
    # Whatever the blocks have not closed themselves would see the tests after this one.
    for feed in PROCESS.instrumentations:
        feed.close()
    assert [name for name, _ in PROCESS.destinations.members] == ["logs"]


@pytest.fixture
def scene(tmp_path: Path, server: Server) -> Path:
    """A folder with what the pages speak of: a program, a test, logs."""
    bin_ = tmp_path / "bin"
    for name in ("httpguard", "pytest"):
        call = f'#!/bin/sh\nexec "{sys.executable}" -m {name} "$@"\n'
        write(bin_ / name, call).chmod(0o755)
    write(bin_ / "python", f'#!/bin/sh\nexec "{sys.executable}" "$@"\n').chmod(0o755)
    leaky = f"requests.get({server.url('/bytes/90000')!r}, stream=True)"
    write(tmp_path / "app.py", f"import requests\n{leaky}\n")
    test = f"import requests\ndef test_status():\n    {leaky}\n"
    write(tmp_path / "test_shop.py", test)
    return tmp_path


def shell(line: str, scene: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """A line of a shell as the page has it."""
    program = (
        "import os, subprocess, sys; os.environ['PATH'] = sys.argv[1] + os.pathsep"
        " + os.environ['PATH']; sys.exit(subprocess.call(['sh', '-euc', sys.argv[2]]))"
    )
    env |= {"PYTEST_ADDOPTS": "-p no:cacheprovider -p no:ddtrace", "COLUMNS": "80"}
    env |= {"PYTHONUTF8": "1"}
    return run("-c", program, scene / "bin", line, cwd=scene, env=env)


@pytest.mark.skipif(sys.platform == "win32", reason="the pages speak of a shell")
@pytest.mark.parametrize("name", SHELL)
def test_lines_of_a_shell(name: str, scene: Path) -> None:
    assert shell("httpguard run --log leaks.jsonl app.py", scene).returncode == 0
    lines = INSTALLS.sub("", BLOCKS[name].text).split("\n")
    codes = []
    for line in filter(str.strip, lines):
        done = shell(line, scene)
        codes.append(done.returncode)
    assert codes == SHELL[name], done.stdout + done.stderr


def test_variables_that_are_exported_are_settings() -> None:
    named = re.findall(r"HTTPGUARD_\w+", BLOCKS["deployment.md:5"].text)
    assert set(named) <= set(map(variable, TABLE))


def texts(value: Any) -> Iterator[str]:
    """All texts in what YAML says."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for part in value.values() if isinstance(value, dict) else value:
            yield from texts(part)


@pytest.mark.skipif(sys.platform == "win32", reason="the pages speak of a shell")
@pytest.mark.parametrize("name", RECIPES)
def test_recipes(name: str, scene: Path) -> None:
    yaml = pytest.importorskip("yaml")
    pytest.importorskip("jinja2")
    codes = {}
    for line in filter(COMMAND.match, texts(yaml.safe_load(BLOCKS[name].text))):
        words = shlex.split(line)
        command = " ".join(words[: 1 + (words[0] == "httpguard")])
        codes[command] = shell(line, scene).returncode
    assert codes == RECIPES[name]
    if name == "ci.md:1":
        sarif = json.loads((scene / "leaks.sarif").read_text("utf-8"))
        assert [one["ruleId"] for one in sarif["runs"][0]["results"]] == ["HG101"]
    elif name == "ci.md:2":
        assert "test_shop.py" in (scene / "leaks.html").read_text("utf-8")


def plain(text: str) -> list[str]:
    """Words of an output, without the ports that differ from run to run."""
    text = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", text)
    return re.sub(r"[\u2500-\u257f]+", " ", text).split()


@pytest.mark.skipif(sys.platform == "win32", reason="the pages speak of a shell")
def test_from_it_leaks_to_it_is_repaired(scene: Path) -> None:
    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler
    ) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for program, shown in ((2, 3), (4, 5)):
            write(scene / "app.py", BLOCKS[f"getting-started.md:{program}"].text)
            url = f"http://127.0.0.1:{server.server_port}/"
            assert_shown(BLOCKS[f"getting-started.md:{shown}"], scene, url)
        server.shutdown()


@pytest.mark.skipif(sys.platform == "win32", reason="the pages speak of a shell")
def test_the_example_of_run(scene: Path) -> None:
    shutil.copytree(ROOT / "examples", scene / "examples")
    assert_shown(BLOCKS["run.md:1"], scene)


def assert_shown(block: Block, scene: Path, url: str = "") -> None:
    """The commands of a block print what stands below them."""
    said = re.sub(r"^\$ .+$", "", block.text, flags=re.MULTILINE)
    commands = re.findall(r"^\$ (.+)$", block.text, re.MULTILINE)
    script = "\n".join(commands).replace("http://127.0.0.1:8000/", url)
    done = shell(f"set +e; exec 2>&1\n{script}", scene)
    assert plain(done.stdout) == plain(said)


def test_a_line_of_the_log() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    path = ROOT / "httpguard" / "_reporting" / "json_lines.schema.json"
    line = json.loads(BLOCKS["json-lines.md:1"].text.replace("[...]", "[]"))
    jsonschema.validate(line, json.loads(path.read_text("utf-8")))


@pytest.mark.skipif(sys.version_info < (3, 11), reason="3.10 reads no TOML by itself")
def test_a_table_of_pyproject(tmp_path: Path) -> None:
    write(tmp_path / "pyproject.toml", BLOCKS["settings.md:1"].text)
    project = read_project(str(tmp_path))
    assert project.variables["HTTPGUARD_MAX_IDLE"] == "30"
    assert project.baseline == str(tmp_path / "known-leaks.json")
    assert project.options["run"] == {"fail": True}


def test_the_command_of_the_container() -> None:
    (words,) = re.findall(r"^CMD (.+)$", BLOCKS["deployment.md:1"].text, re.MULTILINE)
    first, command, *rest = json.loads(words)
    assert (first, command) == ("httpguard", "run")
    read = read_quickly(rest)
    assert read is not None
    program, options = read
    assert options.become
    assert program[0] == "gunicorn"
