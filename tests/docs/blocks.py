"""The code blocks of README and the docs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.program import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

_BLOCK = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A block: its page, its place on it from 1, its language, its text."""

    page: str
    number: int
    language: str
    text: str

    def __str__(self) -> str:
        """The name that the tests give it."""
        return f"{self.page}:{self.number}"


def _blocks() -> Iterator[Block]:
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    for page in pages:
        for number, match in enumerate(_BLOCK.finditer(page.read_text("utf-8")), 1):
            name = str(page.relative_to(ROOT)).removeprefix("docs/")
            yield Block(name, number, match[1], match[2])


BLOCKS = {str(block): block for block in _blocks()}
