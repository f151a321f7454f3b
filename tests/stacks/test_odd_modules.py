"""What lies in `sys.path` and `sys.modules`, and is not looked at as it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.program import run, write

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server import Server

_HEAD = """
    import importlib.util, pathlib, sys
    import httpguard, requests
    httpguard.install(check_interval=0, max_idle=0.01, ignore=["vendored.client"])
    url = sys.argv[1]
"""
_TAIL = """
    found = httpguard.check()
    print([(leak.kind.value, leak.site.lineno) for leak in found.leaks])
    print(found.counters["errors"])
"""


def _said(folder: Path, server: Server, source: str) -> list[str]:
    program = write(folder / "program.py", _HEAD + source + _TAIL)
    done = run(program, server.url("/lines"))
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("entry", ["pathlib.Path('/of/the/program')", "None"])
def test_sys_path_may_have_what_is_no_text(
    tmp_path: Path, server: Server, entry: str
) -> None:
    source = f"""
    sys.path.append({entry})
    requests.get(url, stream=True)
    """
    assert _said(tmp_path, server, source) == ["[('dropped', 8)]", "0"]


def test_a_module_that_loads_when_asked_is_not_loaded(
    tmp_path: Path, server: Server
) -> None:
    write(tmp_path / "late.py", "print('loaded')")
    source = """
    for name in ("late", "httpx"):
        spec = importlib.util.find_spec(name)
        spec.loader = importlib.util.LazyLoader(spec.loader)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    exec(compile("requests.get(url, stream=True)", "/no/such/file.py", "exec"))
    kept = [requests.get(url, stream=True)]
    import time; time.sleep(0.1)
    print("httpx._client" in sys.modules)
    """
    said = _said(tmp_path, server, source)
    assert said == ["False", "[('dropped', 1), ('held', 14)]", "0"]


def test_a_loader_that_fails_costs_no_report(tmp_path: Path, server: Server) -> None:
    source = """
    class Loader:
        def get_source(self, name):
            raise KeyError(name)
    globals()["__loader__"] = Loader()
    globals()["__file__"] = "/no/such/file.py"
    exec(compile("requests.get(url, stream=True)", __file__, "exec"))
    """
    program = write(tmp_path / "program.py", _HEAD + source + _TAIL)
    done = run(program, server.url("/lines"))
    assert done.stdout.splitlines() == ["[('dropped', 1)]", "0"]
    assert "leak dropped /no/such/file.py:1" in done.stderr
