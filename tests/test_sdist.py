"""The sdist has what its own tests need."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.program import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    tomllib = pytest.importorskip("tomli")

BUILD = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]
INCLUDED = set(BUILD["build"]["targets"]["sdist"]["include"])
# hatchling adds them by itself.
ALWAYS = {"pyproject.toml", ".gitignore"}


def test_all_that_is_kept_is_in_it() -> None:
    """A folder that is new at the top goes with the tests that look into it."""
    if not (ROOT / ".git").exists():
        pytest.skip("is no checkout")
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    kept = {name.partition("/")[0] for name in listed.stdout.splitlines()}
    # Templates for those who file issues are of no use there.
    assert kept - ALWAYS - {".github"} == INCLUDED


def test_what_the_tests_name_is_in_it() -> None:
    named: set[str] = set()
    names = re.compile(
        r"""ROOT / "([\w.]+)|^ *from (downstream|benchmarks|examples)\b""", re.MULTILINE
    )
    for path in (ROOT / "tests").rglob("*.py"):
        for found in names.finditer(path.read_text("utf-8")):
            named.add(found[1] or found[2])
    assert named - ALWAYS - {".git"} <= INCLUDED
    for name in INCLUDED:
        assert (ROOT / name).exists(), name
