"""Nothing that httpguard keeps grows with the number of requests, whatever their shape.

Run: ``python -m benchmarks.soak_shapes [--only SHAPE] [--requests N] [--quick]
[--json FILE]``
"""

from __future__ import annotations

import gc
import logging
import sys
import time
from typing import TYPE_CHECKING, Any, Final

from rich.table import Table

from ._kept import kept
from ._output import console, parser, write
from ._shapes import SHAPES, Shape, guarded, repeat

if TYPE_CHECKING:
    from collections.abc import Sequence

# The first reading is taken after so many requests: every bound is reached.
_FIRST: Final = 11_000
# What grows by one for so many requests is found.
_SHARE: Final = 20


def main(arguments: Sequence[str] | None = None) -> None:
    """Make requests of each shape, and say what has grown meanwhile.

    Args:
        arguments: Of the command line.
    """
    made = parser(__doc__)
    made.add_argument("--only", choices=sorted(SHAPES), metavar="SHAPE")
    made.add_argument("--requests", type=int, metavar="N", help="of each shape")
    options = made.parse_args(arguments)
    requests = options.requests or (50_000 if options.quick else 200_000)
    if requests < 2 * _FIRST:
        made.error(f"--requests: {requests:,} is not {2 * _FIRST:,} or more")
    logging.getLogger("httpguard").addHandler(logging.NullHandler())
    logging.getLogger("httpguard").propagate = False
    shown = Table(title=f"{requests:,} requests of each", title_justify="left")
    for column in ("shape", "s", "has grown"):
        shown.add_column(column)
    results = {}
    for name, shape in SHAPES.items():
        if options.only in (None, name):
            results[name] = result = _soak(shape, requests)
            grown = str(result["grown"] or "")
            shown.add_row(name, f"{result['seconds']:.0f}", grown)
            # Each may take minutes.
            console.print(name, f"{result['seconds']:.0f} s", grown)
    console.print(shown)
    write(options.json, results)
    if any(result["grown"] for result in results.values()):
        sys.exit(1)


def _soak(shape: Shape, requests: int) -> dict[str, Any]:
    """What has grown by more than a twentieth of the requests."""
    began = time.monotonic()
    with guarded(shape.settings) as tick:
        step = shape.make()
        repeat(step, tick, range(_FIRST))
        gc.collect()
        before = kept()
        repeat(step, tick, range(_FIRST, requests))
        gc.collect()
        after = kept()
    grown = {
        place: (before[place], size)
        for place, size in after.items()
        if size - before[place] > (requests - _FIRST) / _SHARE
    }
    return {"seconds": time.monotonic() - began, "grown": grown}


if __name__ == "__main__":
    main()
