"""What an engine hands back: plain rows, few enough for one machine."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

MOST_DAMAGED: Final = 20
"""So many damaged lines are named; all are counted."""


@dataclass(frozen=True, slots=True)
class Damaged:
    """A line that could not be read.

    Args:
        file: As given on the command line.
        number: From 1; None where the engine does not count lines.
        problem: What is wrong with it.
    """

    file: str
    number: int | None
    problem: str

    def __str__(self) -> str:
        """``file:line: problem``."""
        where = self.file if self.number is None else f"{self.file}:{self.number}"
        return f"{where}: {self.problem}"


@dataclass(slots=True)
class Tables:
    """Rows as dictionaries, by the function of `_grouping` that made them.

    Args:
        lines: How many lines were read.
        span_hours: The length of a span in `by_time`, in hours.
        damaged: The first of them.
    """

    lines: int = 0
    span_hours: int = 1
    by_site: list[dict[str, Any]] = field(default_factory=list)
    by_program: list[dict[str, Any]] = field(default_factory=list)
    by_time: list[dict[str, Any]] = field(default_factory=list)
    examples: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    damaged: list[Damaged] = field(default_factory=list)
