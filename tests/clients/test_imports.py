"""Patches that wait for the import of a module."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from importlib.machinery import SourceFileLoader
from typing import TYPE_CHECKING, Any

import pytest

from httpguard._clients.imports import Imports
from tests.program import run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME = "waited_for"


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A module that can be imported, and has not been."""
    path = tmp_path / f"{NAME}.py"
    path.write_text("VALUE = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield path
    sys.modules.pop(NAME, None)


@pytest.fixture
def imports() -> Iterator[Imports]:
    made = Imports()
    yield made
    made.stop()


@pytest.mark.usefixtures("module")
def test_a_hook_is_called_once(imports: Imports) -> None:
    called: list[int] = []
    imports.wait(NAME, "key", lambda: called.append(1))
    imports.wait(NAME, "key", lambda: called.append(2))
    imports.wait(NAME, "other", lambda: called.append(3))
    assert importlib.import_module(NAME).VALUE == 1
    assert called == [2, 3]
    importlib.reload(sys.modules[NAME])
    assert called == [2, 3]


@pytest.mark.usefixtures("module")
def test_the_module_has_its_own_loader(imports: Imports) -> None:
    imports.wait(NAME, "key", lambda: None)
    module = importlib.import_module(NAME)
    assert type(module.__loader__) is SourceFileLoader
    assert module.__spec__ is not None
    assert module.__spec__.loader is module.__loader__


@pytest.mark.usefixtures("module")
def test_whoever_only_looks(imports: Imports) -> None:
    called: list[int] = []
    imports.wait(NAME, "key", lambda: called.append(1))
    spec = importlib.util.find_spec(NAME)
    assert spec is not None
    loader: Any = spec.loader
    assert loader.get_source(NAME) == "VALUE = 1\n"
    assert not called
    importlib.import_module(NAME)
    assert called == [1]


def test_an_import_that_fails_first(imports: Imports, module: Path) -> None:
    called: list[int] = []
    imports.wait(NAME, "key", lambda: called.append(1))
    module.write_text("raise KeyError\n")
    with pytest.raises(KeyError):
        importlib.import_module(NAME)
    assert not called
    module.write_text("VALUE = 22\n")
    importlib.invalidate_caches()
    importlib.import_module(NAME)
    assert called == [1]


def test_a_module_that_is_not_there(imports: Imports) -> None:
    imports.wait("there_is_no_such_module", "key", lambda: None)
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("there_is_no_such_module")


@pytest.mark.usefixtures("module")
def test_two_that_wait_for_the_same_module(imports: Imports) -> None:
    other = Imports()
    called: list[int] = []
    imports.wait(NAME, "key", lambda: called.append(1))
    other.wait(NAME, "key", lambda: called.append(2))
    try:
        importlib.import_module(NAME)
    finally:
        other.stop()
    assert sorted(called) == [1, 2]


@pytest.mark.usefixtures("module")
def test_a_finder_that_asks_all_finders(imports: Imports) -> None:
    """As wrapt's, and other tools' that do something after an import."""

    class Asking:
        asking = False

        def find_spec(self, name: str, _path: Any = None, _target: Any = None) -> Any:
            if self.asking or name != NAME:
                return None
            self.asking = True
            try:
                return importlib.util.find_spec(name)
            finally:
                self.asking = False

    called: list[int] = []
    imports.wait(NAME, "key", lambda: called.append(1))
    for place in (0, 1):
        asking = Asking()
        sys.meta_path.insert(place, asking)
        try:
            assert importlib.import_module(NAME).VALUE == 1
        finally:
            sys.meta_path.remove(asking)
            del sys.modules[NAME]
        assert called == [1]
        called.clear()
        imports.wait(NAME, "key", lambda: called.append(1))


@pytest.mark.usefixtures("module")
def test_a_lazy_import(imports: Imports) -> None:
    called: list[int] = []
    imports.wait(NAME, "key", lambda: called.append(1))
    spec = importlib.util.find_spec(NAME)
    assert spec is not None
    assert spec.loader is not None
    spec.loader = importlib.util.LazyLoader(spec.loader)
    module = importlib.util.module_from_spec(spec)
    sys.modules[NAME] = module
    spec.loader.exec_module(module)
    assert not called
    assert module.VALUE == 1
    assert called == [1]


def test_a_loader_of_the_old_kind(imports: Imports) -> None:
    """It has no ``exec_module``: it is left alone."""

    class Old:
        def load_module(self, name: str) -> Any:
            raise AssertionError(name)

    class Finder:
        def find_spec(self, name: str, _path: Any = None, _target: Any = None) -> Any:
            return importlib.util.spec_from_loader(name, old)

    old, finder = Old(), Finder()
    imports.wait(NAME, "key", lambda: None)
    sys.meta_path.insert(1, finder)
    try:
        spec = importlib.util.find_spec(NAME)
    finally:
        sys.meta_path.remove(finder)
    assert spec is not None
    assert spec.loader is old  # type: ignore[comparison-overlap]


def test_uninstall_leaves_no_finder() -> None:
    source = """
import sys, httpguard
before = list(sys.meta_path)
httpguard.install()
assert sys.meta_path != before
httpguard.uninstall()
assert sys.meta_path == before
import requests
assert not hasattr(requests.Session.close, "__wrapped__")
httpguard.install()
assert hasattr(requests.Session.close, "__wrapped__")
"""
    done = run("-c", source)
    assert done.returncode == 0, done.stderr
