"""What metrics cost, how soon a leak is seen, and what a fleet of processes gives.

Run: ``python -m benchmarks.metrics [--only cost|delay|fleet] [--quick] [--json FILE]``
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._delay import measure_delay
from ._fleet import measure_fleet
from ._output import parser, write
from ._scrapes import measure_cost

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and write.

    Args:
        arguments: Of the command line.
    """
    made = parser(__doc__)
    made.add_argument("--only", choices=("cost", "delay", "fleet"))
    options = made.parse_args(arguments)
    quick = options.quick
    parts: dict[str, Callable[[], Any]] = {
        "cost": lambda: measure_cost((10, 1000, 10_000), repeats=5 if quick else 30),
        "delay": lambda: measure_delay(leaks=5 if quick else 20),
        "fleet": lambda: measure_fleet(targets=200 if quick else 1000),
    }
    written = {
        name: part() for name, part in parts.items() if options.only in (None, name)
    }
    write(options.json, written)


if __name__ == "__main__":
    main()
