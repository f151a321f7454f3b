"""Instructions a request, which no other program on the machine can change.

Each variant runs in a process of its own under valgrind's callgrind, on a memory
socket: a loop and a longer one in turns, with fixed hashes and the collector off. What
the longer one took more, divided by how much longer it is, is a request: the start, the
imports and what each loop costs by itself fall out. The same code gives the same
figures again, to the last digit or two. Where other code lies in memory moves a request
by up to 0.4 %, so that less than that between two checkouts tells nothing.

What an instruction takes is not told: a miss of a cache counts as one like any other.
These figures are to be read beside those of `benchmarks.requests_cost`.

With `--modes`, what the ways to use httpguard cost beside the ordinary one, and what it
adds where requests are made otherwise: see `_circumstances`. With `--clients`, the
requests of httpx, httpx2, aiohttp, http.client and urllib.request, over connections in
memory, beside OpenTelemetry's instrumentation.

Run: ``python -m benchmarks.instructions [--modes | --clients] [--only VARIANT]
[--beside CHECKOUT] [--quick] [--json FILE]``. Needs valgrind.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.table import Table

from . import _callgrind, _client_instructions
from ._calls import KINDS
from ._circumstances import CIRCUMSTANCES, ORDINARY
from ._counted import Loops
from ._output import console, parser, progress, write
from ._variants import BESIDE, CONTROL, FLOOR, GUARD, INTERPRETED, MODES

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Sequence

_WITHOUT: Final = "a request without"
_VARIANTS: Final = (GUARD, INTERPRETED, FLOOR)
_MODES: Final = (GUARD, *MODES)
_LOOPS: Final = Loops(warm_up=60, short=20, long=120, rounds=3)
_QUICK: Final = Loops(warm_up=40, short=20, long=70, rounds=1)

Found = dict[str, float]
"""Instructions a request, by kind."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Count, print and write.

    Args:
        arguments: Of the command line.
    """
    options = _options(arguments)
    _callgrind.require()
    if options.clients:
        _client_instructions.show(options)
        return
    loops = _QUICK if options.quick else _LOOPS
    names = (
        [options.only] if options.only else list(_MODES if options.modes else _VARIANTS)
    )
    if options.beside is not None:
        names.insert(0, BESIDE)
    places = list(CIRCUMSTANCES) if options.modes else [ORDINARY]
    runs = [(name, ORDINARY) for name in (_WITHOUT, *names)]
    runs += [(name, place) for place in places[1:] for name in (_WITHOUT, GUARD)]
    found: dict[tuple[str, str], Found] = {}
    with progress("variants", len(runs)) as advance:
        for name, place in runs:
            found[name, place] = count(name, loops, place, options.beside)
            advance()
    console.print(table({name: found[name, ORDINARY] for name in (_WITHOUT, *names)}))
    for place in places[1:]:
        here = {name: found[name, place] for name in (_WITHOUT, GUARD)}
        console.print(table(here, f"added {place}"))
    write(
        options.json,
        {
            "loops": loops.to_text(),
            "instructions": {", ".join(run): each for run, each in found.items()},
        },
    )


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    made = parser(__doc__)
    made.add_argument(
        "--clients", action="store_true", help="httpx, aiohttp and the rest"
    )
    made.add_argument("--modes", action="store_true", help="other ways of use")
    known = tuple(dict.fromkeys((*_VARIANTS, *_MODES)))
    made.add_argument("--only", choices=known, help="and a request without")
    made.add_argument("--beside", type=Path, metavar="CHECKOUT", help="count it too")
    return made.parse_args(arguments)


def count(
    variant: str, loops: Loops, place: str = ORDINARY, checkout: Path | None = None
) -> Found:
    """Instructions a request under a variant, by kind.

    Args:
        variant: Its name.
        loops: How often each kind of request is made.
        place: The name of the circumstance in which they are made.
        checkout: Where the httpguard beside this one is.
    """
    name = CONTROL if variant == _WITHOUT else variant
    other = [str(checkout.resolve())] if checkout else []

    def command(loops: Loops) -> list[str]:
        return ["benchmarks._counted", name, place, loops.to_text(), *other]

    return _callgrind.run(command, loops, KINDS)


def table(found: dict[str, Found], title: str = "added per request") -> Table:
    """What is printed.

    Args:
        found: By variant; the request without is among them.
        title: Of the table, behind the word instructions.
    """
    shown = Table(title=f"Instructions {title}", title_justify="left")
    shown.add_column("")
    for kind in KINDS:
        shown.add_column(kind, justify="right")
    base = found[_WITHOUT]
    plain = (f"{base[kind]:,.0f}" for kind in KINDS)
    shown.add_row(f"({_WITHOUT})", *plain, end_section=True)
    for name in found:
        if name != _WITHOUT:
            shown.add_row(name, *_cells(name, found))
    return shown


def _cells(name: str, found: dict[str, Found]) -> Iterable[str]:
    """What a variant adds to each kind, and the ratio to the bare wrappers."""
    for kind in KINDS:
        more = found[name][kind] - found[_WITHOUT][kind]
        text = f"{more:,.0f}"
        if FLOOR in found and name != FLOOR:
            floor = found[FLOOR][kind] - found[_WITHOUT][kind]
            text += f" {more / floor:.2f}x"
        yield text


if __name__ == "__main__":
    main()
