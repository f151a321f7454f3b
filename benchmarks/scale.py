"""What grows: with open responses, with threads, with time.

Run: ``python -m benchmarks.scale [--only open|threads|soak] [--quick] [--json FILE]``
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._open import measure_open
from ._output import parser, write
from ._soak import measure_soak
from ._threads import measure_threads

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and write.

    Args:
        arguments: Of the command line.
    """
    made = parser(__doc__)
    made.add_argument("--only", choices=("open", "threads", "soak"))
    options = made.parse_args(arguments)
    parts = _parts(quick=options.quick)
    written = {
        name: part() for name, part in parts.items() if options.only in (None, name)
    }
    write(options.json, written)


def _parts(*, quick: bool) -> dict[str, Callable[[], Any]]:
    """The parts, and how much of each."""
    if quick:
        return {
            "open": lambda: measure_open((10, 1000, 10_000)),
            "threads": lambda: measure_threads(rounds=4, requests=320),
            "soak": lambda: measure_soak(requests=200_000, step=20_000),
        }
    return {
        "open": lambda: measure_open((10, 1000, 100_000)),
        "threads": lambda: measure_threads(rounds=16, requests=640),
        "soak": lambda: measure_soak(requests=2_000_000, step=100_000),
    }


if __name__ == "__main__":
    main()
