"""Suites of their own, run by pytest as a user would run it."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING

from tests.program import ROOT, line_of

if TYPE_CHECKING:
    import pytest

SHOP = """\
    import requests

    URL = "{url}"

    def status():
        return requests.get(URL, stream=True).status_code  # leaks

    def opened():
        return requests.get(URL, stream=True)  # opens
"""
LEAKS = line_of(SHOP, "# leaks")
OPENS = line_of(SHOP, "# opens")


class Suite:
    """A suite in a directory of its own, run in a process of its own."""

    def __init__(
        self, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, url: str
    ) -> None:
        self.pytester = pytester
        self.path = pytester.path
        self.monkeypatch = monkeypatch
        monkeypatch.setenv("PYTHONPATH", str(ROOT))
        monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
        self.write("shop.py", SHOP.replace("{url}", url))

    def write(self, name: str, source: str) -> str:
        """Write a dedented file."""
        file = self.path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(textwrap.dedent(source).lstrip("\n"), encoding="utf-8")
        return source

    def test(self, source: str, name: str = "test_it.py") -> str:
        """Write a test module."""
        head = "import pytest, requests, shop\n"
        body = textwrap.dedent(source).lstrip("\n")
        return self.write(name, head + body) and head + body

    def run(
        self,
        *arguments: str,
        plugins: tuple[str, ...] = (),
        stdin: bytes = b"",
        asked: bool = True,
    ) -> pytest.RunResult:
        """Run it, with our plugin and those named and no others."""
        self.monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        loaded = [f"-p{name}" for name in ("httpguard.pytest_plugin", *plugins)]
        mode = ["--httpguard"] if asked else []
        return self.pytester.run(
            *self.pytester._getpytestargs(), *loaded, *mode, *arguments, stdin=stdin
        )


def found(result: pytest.RunResult) -> list[str]:
    """The summary's lines about sites: ``1 dropped at shop.py:6 in status``."""
    site = re.compile(r"\d+ (?:dropped|held|open|unreleased|session|max_open) at .+")
    return sorted(line for line in result.outlines if site.fullmatch(line))


def dropped(count: int) -> str:
    """The summary's line about the function that leaks."""
    return f"{count} dropped at shop.py:{LEAKS} in status"


def left_open(count: int) -> str:
    """The summary's line about the function that only opens."""
    return f"{count} open at shop.py:{OPENS} in opened"


def errors(result: pytest.RunResult) -> list[str]:
    """What the short summary names as failed or in error."""
    lines = [line for line in result.outlines if line.startswith(("FAILED", "ERROR "))]
    return [line.partition(" - ")[0] for line in lines if "::" in line]
