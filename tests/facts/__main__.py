"""Puts the table into docs/what-really-happens.md: ``python -m tests.facts``."""

from __future__ import annotations

from tests.program import ROOT

from .table import lines

PAGE = ROOT / "docs" / "what-really-happens.md"


def main() -> None:
    """What was between the first line of the table and its end goes."""
    text = PAGE.read_text("utf-8").splitlines()
    begin = next(number for number, line in enumerate(text) if line.startswith("|"))
    end = begin
    while text[end].startswith("|"):
        end += 1
    text[begin:end] = lines()
    PAGE.write_text("\n".join(text) + "\n", "utf-8")


if __name__ == "__main__":
    main()
