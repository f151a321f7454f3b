"""What `import httpguard` imports, and what only `install` does."""

from __future__ import annotations

import json
import pickle
from typing import TYPE_CHECKING

import pytest

import httpguard
from httpguard import Frame, LeakKind, Settings
from tests.program import bare, run

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server import Server

LIGHT = {
    "httpguard",
    "httpguard._api",
    "httpguard._api.ending",
    "httpguard._api.install",
    "httpguard._api.metrics",
    "httpguard._api.pages",
    "httpguard._api.public",
    "httpguard._api.scopes",
    "httpguard._model",
    "httpguard._model.errors",
    "httpguard._model.failure",
    "httpguard._model.fork",
    "httpguard._model.report",
    "httpguard._model.scope",
    "httpguard._model.streams",
    "httpguard._model.version",
    "httpguard._process",
    "httpguard._process.exits",
    "httpguard._process.forks",
    "httpguard._process.installing",
    "httpguard._process.process",
    "httpguard._reporting",
    "httpguard._reporting.logs",
}
# Each takes milliseconds.
HEAVY = {
    *("ast", "asyncio", "dataclasses", "dis", "http.server", "importlib.metadata"),
    *("inspect", "json", "multiprocessing", "socketserver", "subprocess", "sysconfig"),
    *("opentelemetry", "prometheus_client", "psutil", "rich", "structlog", "typer"),
    *("requests", "urllib3", "wrapt"),
}
OURS = '[name for name in sys.modules if name.split(".")[0] == "httpguard"]'


def python(source: str, *arguments: str) -> str:
    """What a program prints; nothing goes to stderr."""
    done = run("-c", source, *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_the_import_is_light() -> None:
    source = f"import json, sys, httpguard; print(json.dumps({OURS}))"
    assert set(json.loads(python(source))) == LIGHT


@bare
@pytest.mark.parametrize("name", ["httpguard", "httpguard.pytest_plugin"])
def test_the_import_imports_nothing_heavy(name: str) -> None:
    source = """
import logging  # Which takes some of these along, from CPython 3.14 on.
import sys
if "pytest" in sys.argv[1]:
    import pytest
before = {*sys.modules}
__import__(sys.argv[1])
print(*{*sys.modules} - before)
"""
    imported = {*python(source, name).split()}
    assert imported & LIGHT
    assert not imported & HEAVY
    ours = {each for each in imported if each.startswith("httpguard")}
    assert ours <= LIGHT | {name}


@bare
def test_the_functions_import_nothing_where_there_is_no_guard() -> None:
    """They may be called where an import fails: at exit, or without descriptors."""
    source = """
import sys, httpguard
sys.meta_path.clear()
before = {*sys.modules}
httpguard.uninstall()
httpguard.touch(None)
with httpguard.allow("a reason"):
    pass
try:
    raise httpguard.LeakError("a message")
except (httpguard.ConfigError, httpguard.BaselineError):
    pass
except httpguard.LeakError:
    pass
print({*sys.modules} - before)
"""
    assert python(source) == "set()\n"


def test_disabled_nothing_is_imported_after_install() -> None:
    source = """
import sys, httpguard
httpguard.install(enabled=False)
sys.meta_path.clear()
before = {*sys.modules}
print(httpguard.check() == httpguard.snapshot() == httpguard.Snapshot())
httpguard.uninstall()
print({*sys.modules} - before, "httpguard._guard.guard" in before)
"""
    assert python(source).split("\n")[:2] == ["True", "set() False"]


# What neither the engine nor what it has of wrapt needs.
UNNEEDED = {
    *("aiohttp", "asyncio", "httpx", "multiprocessing", "pickle", "requests"),
    *("rich", "structlog", "typer", "urllib3", "wrapt"),
}


def test_install_imports_nothing_that_the_engine_does_not_need() -> None:
    source = """
import sys, httpguard
before = {*sys.modules}
httpguard.install()
print(*{*sys.modules} - before)
"""
    imported = {*python(source).split()}
    assert "httpguard._guard.guard" in imported
    assert not imported & UNNEEDED


def test_a_client_that_is_not_imported_is_not_looked_into() -> None:
    source = """
import sys, httpguard
httpguard.install()
def ours(name):
    start = f"httpguard._clients.{name}."
    return sorted(one for one in sys.modules if one.startswith(start))
print(*ours("httpx"), *ours("aiohttp"))
import httpx
print(len(ours("httpx")) > 5, len(ours("aiohttp")))
"""
    before, after = python(source).splitlines()
    assert not before
    assert after == "True 0"


ENGINE = f"""
import os, sys, httpguard
httpguard.install(check_interval=0, max_idle=0, strict=len(sys.argv) > 2)
import requests
before = {{*{OURS}}}
kept = requests.get(sys.argv[1], stream=True)
try:
    requests.get(sys.argv[1], stream=True)
    httpguard.check()
    httpguard.check()
except httpguard.LeakError:
    pass
if hasattr(os, "fork"):
    child = os.fork()
    if not child:
        requests.get(sys.argv[1], stream=True)
        print(*{{*{OURS}}} - before, flush=True)
        os._exit(0)
    os.waitpid(child, 0)
httpguard.snapshot().to_dict()
print(*{{*{OURS}}} - before)
"""


@pytest.mark.parametrize("strict", [(), ("strict",)])
def test_the_engine_comes_whole(server: Server, strict: tuple[str, ...]) -> None:
    """What the first report needs is there."""
    done = run("-c", ENGINE, server.url("/bytes/90000"), *strict)
    assert {*done.stdout.split()} == set(), done.stderr
    assert "leak held" in done.stderr
    assert "leak dropped" in done.stderr


@pytest.mark.parametrize(
    "module",
    ["_model.settings", "_guard.guard", "_model.redaction", "_clients.patching"],
)
def test_an_engine_that_cannot_be_imported(module: str) -> None:
    source = """
import sys, httpguard
class Broken:
    def find_spec(self, name, path=None, target=None):
        if name == "httpguard." + sys.argv[1]:
            raise OSError("no descriptor is left")
finder = Broken()
sys.meta_path.insert(0, finder)
httpguard.install()
try:
    with httpguard.no_leaks():
        print("watched")
except httpguard.HTTPGuardError as error:
    print(type(error.__cause__).__name__)
sys.meta_path.remove(finder)
httpguard.install()
print(httpguard.snapshot().counters["errors"])
httpguard.uninstall()
"""
    done = run("-c", source, module)
    assert done.stdout.split() == ["OSError", "0"], done.stderr
    assert done.returncode == 0
    said = [line for line in done.stderr.splitlines() if "stepped aside" in line]
    assert [line.split()[3] for line in said] == ["install"], done.stderr


# The names are what they are where all is imported at once.


def test_every_name_is_there() -> None:
    source = """
import httpguard
assert {*httpguard.__all__} <= {*dir(httpguard)}
for name in httpguard.__all__:
    value = getattr(httpguard, name)
    assert value is getattr(httpguard, name)
    assert vars(httpguard)[name] is value
from httpguard import *
assert {*httpguard.__all__} <= {*globals()}
"""
    assert python(source) == ""


def test_a_star_import_in_a_fresh_process() -> None:
    source = "from httpguard import *; print(LeakKind.HELD, Settings().max_idle)"
    assert python(source) == "held 60.0\n"


def test_a_name_that_is_not_there() -> None:
    with pytest.raises(
        AttributeError, match=r"^module 'httpguard' has no attribute 'x'"
    ):
        httpguard.x  # type: ignore[attr-defined]  # noqa: B018  # That is tested.
    assert not hasattr(httpguard, "__path_of_nothing__")
    assert "x" not in dir(httpguard)


def test_help() -> None:
    source = "import pydoc, httpguard; print(pydoc.plain(pydoc.render_doc(httpguard)))"
    shown = python(source)
    for name in httpguard.__all__:
        assert name in shown


def test_what_was_pickled_elsewhere(tmp_path: Path) -> None:
    source = """
import pickle, sys
with open(sys.argv[1], "rb") as file:
    frame, kind, settings, error = pickle.load(file)
print(frame, kind, settings.max_leaks, type(error).__name__, error)
"""
    values = (
        Frame("app.py", 3, "main"),
        LeakKind.HELD,
        Settings(max_leaks=3),
        httpguard.LeakError("a message"),
    )
    path = tmp_path / "pickled"
    path.write_bytes(pickle.dumps(values))
    shown = "app.py:3 in main held 3 LeakError a message\n"
    assert python(source, str(path)) == shown
