"""What `httpguard baseline` reads: logs of JSON lines, and other baselines."""

from __future__ import annotations

import gzip
import json
import sys
from dataclasses import dataclass, field
from typing import IO, Any

from .._baseline.baseline import Baseline
from .._baseline.place import Place, place_of
from .._model.errors import BaselineError

_LEAK = "httpguard.leak"
_SUMMARY = "httpguard.summary"


@dataclass(slots=True)
class Source:
    """What was read from one file.

    Args:
        name: The file.
        places: The leaks that a log has, each place once.
        baseline: What it is, if it is a baseline.
        damaged: Lines that look like ours and cannot be read.
    """

    name: str
    places: dict[Place, None] = field(default_factory=dict)
    baseline: Baseline | None = None
    damaged: int = 0


def read_source(name: str) -> Source:
    """Read a log or a baseline, whichever it is.

    Args:
        name: The file, packed if it ends in ``.gz``; ``-``: standard input.

    Raises:
        BaselineError: It cannot be read, or is a baseline with a mistake.
    """
    source = Source(name)
    try:
        if name == "-":
            _read_lines(sys.stdin, source)
            return source
        opened = gzip.open if name.endswith(".gz") else open
        with opened(name, "rt", encoding="utf-8", errors="replace") as file:
            first = file.readline().strip()
            # A baseline begins so; a line of a log is a whole object.
            if first == "{":
                source.baseline = Baseline.load(name)
                return source
            _read_line(first, source)
            _read_lines(file, source)
    except (OSError, EOFError) as error:
        raise BaselineError(f"cannot read {name}: {error}") from error
    return source


def _read_lines(file: IO[str], source: Source) -> None:
    """Read a log, line by line."""
    for line in file:
        _read_line(line, source)


def _read_line(line: str, source: Source) -> None:
    """Read one line; those of other programs are passed over."""
    if _LEAK not in line and _SUMMARY not in line:
        return
    begin = line.find("{")
    try:
        record: Any = json.loads(line[begin:]) if begin >= 0 else None
        if isinstance(record, dict):
            leaks = [record]
            if record.get("event") == _SUMMARY:
                leaks = record["leaks"]
            elif record.get("event") != _LEAK:
                return
            source.places.update(dict.fromkeys(map(place_of, leaks)))
    except (ValueError, KeyError, TypeError):
        source.damaged += 1
