"""What grows: with open responses, with threads, with time.

Run: ``python -m benchmarks.scale [--only open|threads|soak] [--threads N] [--rounds N]
[--quick] [--json FILE]``
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._flat import measure_soak
from ._open import measure_open
from ._output import parser, write
from ._threads import COUNTS, measure_threads

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and write.

    Args:
        arguments: Of the command line.
    """
    made = parser(__doc__)
    made.add_argument("--only", choices=("open", "threads", "soak"))
    made.add_argument("--threads", type=int, metavar="N", help="this many alone")
    made.add_argument("--rounds", type=int, metavar="N", help="of the threads")
    options = made.parse_args(arguments)
    for name in ("threads", "rounds"):
        given = getattr(options, name)
        if given is not None and given < 1:
            made.error(f"--{name}: {given} is not 1 or more")
    parts = _parts(options)
    written = {
        name: part() for name, part in parts.items() if options.only in (None, name)
    }
    write(options.json, written)


def _parts(options: argparse.Namespace) -> dict[str, Callable[[], Any]]:
    """The parts, and how much of each."""
    quick = options.quick
    counts = COUNTS if options.threads is None else (options.threads,)
    rounds = options.rounds or (4 if quick else 16)
    return {
        "open": lambda: measure_open((10, 1000, 10_000 if quick else 100_000)),
        "threads": lambda: measure_threads(counts, rounds, 320 if quick else 640),
        "soak": lambda: (
            measure_soak(requests=200_000, step=20_000)
            if quick
            else measure_soak(requests=2_000_000, step=100_000)
        ),
    }


if __name__ == "__main__":
    main()
