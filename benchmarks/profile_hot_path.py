"""Where the microseconds of a guarded request go.

Two ways that check each other: the lines of ours that a sampler finds, and the
single steps timed by themselves.

Run: ``python -m benchmarks.profile_hot_path [--quick] [--json FILE]``
"""

from __future__ import annotations

import logging
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from rich.markup import escape
from rich.table import Table

from ._calls import Call, memory_client
from ._output import console, parser, write
from ._sampler import Line, hot_lines
from ._stacks import deepened
from ._steps import calls_a_request, floors, parts, wrappers
from ._variants import guard

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Sequence

_SHOWN: Final = 15
_MICRO: Final = 1e6
_NANO: Final = 1e9


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and write.

    Args:
        arguments: Of the command line.
    """
    options = parser(__doc__).parse_args(arguments)
    logging.getLogger("httpguard").addHandler(logging.NullHandler())
    # The steps first: after the sampler `capture` came out up to twice as slow.
    calls, added = calls_a_request(), wrappers()
    steps = parts() | {f"empty wrapper: {way}": cost for way, cost in floors().items()}
    lines = {
        kind: _lines(call, 3 if options.quick else 20)
        for kind, call in memory_client().calls().items()
    }
    for kind, found in lines.items():
        console.print(_lines_table(kind, found))
    console.print(_wrappers_table(calls, added))
    console.print(_steps_table(steps))
    write(
        options.json,
        {
            "lines": {
                kind: [asdict(line) for line in found] for kind, found in lines.items()
            },
            "calls": calls,
            "wrappers": added,
            "steps": steps,
        },
    )


def _lines(call: Call, seconds: float) -> list[Line]:
    """Our lines in one kind of request."""
    with guard():
        return hot_lines(deepened(call), seconds)


def _lines_table(kind: str, lines: list[Line]) -> Table:
    """The most expensive ones."""
    total = sum(line.seconds for line in lines) * _MICRO
    shown = Table(title=f"{kind}: {total:.1f} us in our lines", title_justify="left")
    for column in ("us", "samples"):
        shown.add_column(column, justify="right")
    shown.add_column("place")
    shown.add_column("line")
    for line in lines[:_SHOWN]:
        microseconds = f"{line.seconds * _MICRO:.2f}"
        shown.add_row(microseconds, str(line.samples), line.place, escape(line.text))
    return shown


def _wrappers_table(calls: dict[str, Counter[str]], added: dict[str, float]) -> Table:
    """What each patched method costs, and how often it is called."""
    shown = Table(title="Patched methods, nothing held", title_justify="left")
    shown.add_column("")
    shown.add_column("ns a call", justify="right")
    for kind in calls:
        shown.add_column(f"calls: {kind}", justify="right")
    for name, cost in added.items():
        numbers = (str(counts[name]) for counts in calls.values())
        shown.add_row(name, f"{cost * _NANO:.0f}", *numbers)
    sums = (
        sum(added[name] * number for name, number in counts.items()) * _NANO
        for counts in calls.values()
    )
    shown.add_row("together, ns a request", "", *(f"{total:.0f}" for total in sums))
    return shown


def _steps_table(steps: dict[str, float]) -> Table:
    """What single steps cost."""
    shown = Table(title="Single steps", title_justify="left")
    shown.add_column("")
    shown.add_column("ns", justify="right")
    for name, cost in steps.items():
        shown.add_row(name, f"{cost * _NANO:.0f}")
    return shown


if __name__ == "__main__":
    main()
