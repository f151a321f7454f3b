"""wrapt: two of its modules are enough, beside the program's own or instead of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.program import bare, line_of, run, write

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server import Server

PROGRAM = """
import sys
{before}
import httpguard
httpguard.install(check_interval=60)
{after}
import requests
requests.get(sys.argv[1], stream=True)  # LEAK
(leak,) = httpguard.check().leaks
print(leak.kind, leak.count, leak.site.lineno)
names = ("asyncio", "wrapt", "httpguard._wrapt")
print(*(name for name in names if name in sys.modules))
"""
HOOK = """
import wrapt
@wrapt.when_imported("urllib3.connectionpool")
def told(module):
    print("told of", module.__name__)
"""


def outcome(tmp_path: Path, server: Server, before: str, after: str = "") -> list[str]:
    """What the program prints, after it has found its leak at its line."""
    source = PROGRAM.format(before=before, after=after)
    done = run(write(tmp_path / "program.py", source), server.url("/bytes/90000"))
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    found = lines.index(f"dropped 1 {line_of(source, '# LEAK')}")
    del lines[found]
    return lines


@bare
def test_no_more_of_wrapt_is_imported_than_is_needed(
    tmp_path: Path, server: Server
) -> None:
    assert outcome(tmp_path, server, "") == ["httpguard._wrapt"]


def test_a_program_s_own_wrapt_is_taken(tmp_path: Path, server: Server) -> None:
    assert outcome(tmp_path, server, "import wrapt") == ["asyncio wrapt"]


@pytest.mark.parametrize("parts", [(HOOK, ""), ("", HOOK)], ids=["first", "later"])
def test_the_program_s_own_hooks_are_called(
    tmp_path: Path, server: Server, parts: tuple[str, str]
) -> None:
    told = outcome(tmp_path, server, *parts)[0]
    assert told == "told of urllib3.connectionpool"


@pytest.mark.parametrize("part", ["importer", "patches"])
def test_where_its_parts_cannot_be_had_all_of_it_is_taken(
    tmp_path: Path, server: Server, part: str
) -> None:
    before = f"sys.modules['httpguard._wrapt.{part}'] = None"
    assert outcome(tmp_path, server, before)[0].startswith("asyncio wrapt")
