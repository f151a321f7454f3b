"""What `httpguard baseline` reads: logs of any form, and other baselines."""

from __future__ import annotations

from dataclasses import dataclass, field

from .._baseline.baseline import Baseline
from .._baseline.place import Place, place_of
from .._model.errors import BaselineError
from .._report.counts import LogCounts
from .._report.inputs import STDIN, InputError, look_at, read
from .._report.sites import report_of


@dataclass(slots=True)
class Source:
    """What was read from one file.

    Args:
        name: The file.
        places: The leaks that a log has, each place once.
        baseline: What it is, if it is a baseline.
        damaged: Lines that look like ours and cannot be read.
        foreign: It has no line of httpguard: perhaps it is another program's.
    """

    name: str
    places: dict[Place, None] = field(default_factory=dict)
    baseline: Baseline | None = None
    damaged: int = 0
    foreign: bool = False


def read_source(name: str) -> Source:
    """Read a log or a baseline, whichever it is.

    Args:
        name: The file; ``-``: standard input.

    Raises:
        BaselineError: It cannot be read, or is a baseline with a mistake.
    """
    if _is_baseline(name):
        return Source(name, baseline=Baseline.load(name))
    counts = LogCounts()
    try:
        for source in look_at([name]):
            read(source, counts, lambda _: None)
    except InputError as error:
        raise BaselineError(f"cannot read {error}") from error
    sites = report_of(counts).sites
    places = dict.fromkeys(place_of(site.to_leak()) for site in sites if site.lineno)
    damaged = sum(counts.problems.values())
    damaged += sum(site.events for site in sites if not site.lineno)
    return Source(name, places, None, damaged, not any(counts.ours.values()))


def _is_baseline(name: str) -> bool:
    """Whether a file begins as a baseline does; a line of a log is a whole object."""
    if name == STDIN:
        return False
    try:
        with open(name, "rb") as file:
            return file.readline(100).strip() == b"{"
    except OSError:  # It is said when it is read.
        return False
