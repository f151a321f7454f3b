"""Each finding stands by itself: listed, pinned, without the guard, cleared away."""

from __future__ import annotations

import os
import re
import shlex
from typing import TYPE_CHECKING, Final

import pytest

from tests.program import ROOT

if TYPE_CHECKING:
    from pathlib import Path

FOLDER: Final = ROOT / "findings"
SCRIPTS: Final = sorted(FOLDER.glob("*.sh"))
LISTED: Final = re.compile(r"^\| `(\w+\.sh)` \| .+ \|$", re.MULTILINE)
INSTALL: Final = re.compile(r"pip install ((?:[^\n]*\\\n)*[^\n]*)")


def test_each_is_listed_once() -> None:
    listed = LISTED.findall((FOLDER / "README.md").read_text("utf-8"))
    assert sorted(listed) == [script.name for script in SCRIPTS]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_it_stands_by_itself(script: Path) -> None:
    text = script.read_text("utf-8")
    assert os.access(script, os.X_OK)
    assert text.startswith("#!/usr/bin/env bash\n#")
    assert "\n# Seen" in text
    assert "\nset -euo pipefail\n" in text
    assert re.search(r'^trap \'rm -rf "\$\w+"\' EXIT$', text, re.MULTILINE)
    assert "httpguard" not in text
    commands = INSTALL.findall(text)
    assert commands
    for word in shlex.split(" ".join(commands).replace("\\\n", " ")):
        assert word.startswith(("-", "2>")) or "==" in word or word == "$package"
