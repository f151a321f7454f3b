"""The house: what CONTRIBUTING.md says of every file of the package."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

import pytest

from tests.program import ROOT

if TYPE_CHECKING:
    from pathlib import Path

PACKAGE = ROOT / "httpguard"
FILES = sorted(PACKAGE.rglob("*.py"))
TREES = {path: ast.parse(path.read_text("utf-8")) for path in FILES}
CLIENTS = PACKAGE / "_clients"
# Programs of users: they run beside a guard, not inside of it.
PROGRAMS = PACKAGE / "_demo"

MOST_LINES_OF_A_FILE = 300
MOST_LINES_OF_A_CLASS = 200

# All state of a process hangs on the first; functions in classes of other people find
# it by the second. The third holds code objects of urllib3 and requests, by which our
# functions in them recognise a caller: it is the same whoever is installed.
GLOBALS = {"PROCESS", "GATE", "CODES"}
MUTATORS = {
    *("add", "append", "appendleft", "clear", "discard", "extend", "insert", "pop"),
    *("popitem", "popleft", "remove", "setdefault", "update", "sort", "reverse"),
}

# Attributes of urllib3 and requests, most of them private.
FOREIGN = {
    *("_fp", "_fp_bytes_read", "_connection", "_original_response", "_decoder"),
    *("length_remaining", "release_conn", "drain_conn", "auto_close", "enforce_conn"),
    *("_put_conn", "_get_conn", "_new_conn", "_new_pool", "_close_conn", "_body"),
    *("_handle_chunk", "_init_length", "_pool", "poolmanager", "proxy_manager"),
    *("num_connections", "num_requests", "connection_from_url", "pool_kw"),
    *("connection_from_pool_key", "connection_from_host", "connection_pool_kw"),
    *("urlopen", "preload_content", "decode_content", "read_chunked", "iter_content"),
    *("is_redirect", "resolve_redirects", "get_redirect_target", "dispatch_hook"),
    *("get_adapter", "HTTPAdapter", "HTTPConnectionPool", "HTTPResponse"),
    *("PoolManager", "EmptyPoolError", "BaseHTTPResponse", "_content_consumed"),
}
LIBRARIES = {"urllib3", "requests"}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_no_file_is_long() -> None:
    lengths = {name_of(path): path.read_text("utf-8").count("\n") for path in FILES}
    long = {name for name, size in lengths.items() if size > MOST_LINES_OF_A_FILE}
    assert not long


def test_no_class_is_long() -> None:
    lengths = {
        f"{name_of(path)}: {node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }
    long = {name for name, size in lengths.items() if size > MOST_LINES_OF_A_CLASS}
    assert not long


def variables(tree: ast.Module) -> set[str]:
    """What a module defines by an assignment, or imports from another one of ours."""
    found: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.level:
            found |= {one.asname or one.name for one in node.names}
        targets: list[ast.expr] = getattr(node, "targets", None) or [
            getattr(node, "target", ast.Constant(None))
        ]
        found |= {target.id for target in targets if isinstance(target, ast.Name)}
    return found


def changed(tree: ast.Module) -> set[str]:
    """The names to whose values something is done that changes a value."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Global):
            found |= {*node.names}
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr in MUTATORS and isinstance(node.func.value, ast.Name):
                found.add(node.func.value.id)
        elif (
            isinstance(node, (ast.Attribute, ast.Subscript))
            and not isinstance(node.ctx, ast.Load)
            and isinstance(node.value, ast.Name)
        ):
            found.add(node.value.id)
    return found


def test_no_module_has_state() -> None:
    """A dict, list or object of a module that something changes is state."""
    state = {
        name_of(path): names
        for path, tree in TREES.items()
        if (names := (variables(tree) & changed(tree)) - GLOBALS)
    }
    assert state == {}


def test_only_the_clients_name_a_client() -> None:
    """Strings of hints, docstrings and comments may."""
    found = []
    for path, tree in TREES.items():
        if CLIENTS in path.parents or PROGRAMS in path.parents:
            continue
        for node in ast.walk(tree):
            said: set[str] = set()
            if isinstance(node, ast.Attribute):
                said = {node.attr} & FOREIGN
            elif isinstance(node, ast.Import):
                said = {one.name.partition(".")[0] for one in node.names} & LIBRARIES
            elif isinstance(node, ast.ImportFrom) and not node.level:
                said = {(node.module or "").partition(".")[0]} & LIBRARIES
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                said = {node.value} & FOREIGN  # As of getattr().
            found += [f"{name_of(path)}:{node.lineno} {name}" for name in said]  # type: ignore[attr-defined]
    assert found == []


def imports(path: Path) -> set[Path]:
    """The files of the package that a file names, for type checkers and late too."""
    found: set[Path] = set()
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.ImportFrom) and node.level:
            folder = path.parents[node.level - 1].joinpath(
                *(node.module or "").split(".")
            )
            for one in node.names:
                places = (
                    folder / f"{one.name}.py",
                    folder / one.name / "__init__.py",
                    folder.with_suffix(".py"),
                    folder / "__init__.py",
                )
                found |= {*[place for place in places if place in TREES][:1]}
    return found


def test_no_file_imports_itself_by_way_of_others() -> None:
    sorter = TopologicalSorter({path: imports(path) for path in FILES})
    try:
        sorter.prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(map(name_of, error.args[1])))


def test_a_file_imports_only_from_lower_layers() -> None:
    pytest.importorskip("importlinter")
    command = [
        sys.executable,
        "-c",
        "from importlinter.cli import lint_imports_command; lint_imports_command()",
    ]
    done = subprocess.run(
        [*command, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
