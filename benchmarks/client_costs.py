"""What a request costs more under httpguard, by client, beside OpenTelemetry.

In one process, over connections in memory. CPU time, in interleaved blocks, with paired
differences. ``get`` is read inside of the client, ``stream`` by the program. A request
of threads is made from a stack of 25 frames, one of tasks from ten within its task.

Run: ``python -m benchmarks.client_costs [--only CLIENT] [--beside CHECKOUT] [--quick]
[--json FILE]``. A minute.
"""

from __future__ import annotations

import contextlib
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.table import Table

from ._client_calls import OTEL, clients, opentelemetry
from ._counted import NEVER
from ._output import console, interval, parser, progress, write
from ._paired import added as added_by
from ._paired import run_rounds, spread, time_block
from ._variants import BESIDE, CONTROL, GUARD, beside, guard

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ._client_calls import Kind
    from ._variants import Variant

_ROUNDS: Final = {True: 5, False: 15}
_MICRO: Final = 1e6


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and write.

    Args:
        arguments: Of the command line.
    """
    made = parser(__doc__)
    known = clients()
    made.add_argument("--only", choices=known)
    made.add_argument("--beside", type=Path, metavar="CHECKOUT", help="measure it too")
    options = made.parse_args(arguments)
    chosen = [options.only] if options.only else list(known)
    table = Table(title="Microseconds of CPU time of a request", title_justify="left")
    columns = ("without", "httpguard", "of that", BESIDE, OTEL, CONTROL)
    table.add_column("")
    for column in columns:
        table.add_column(column, justify="right")
    other = beside(options.beside, check_interval=NEVER) if options.beside else None
    rounds = _ROUNDS[options.quick]
    figures = {}
    with progress("clients", len(chosen) * rounds) as advance:
        for name in chosen:
            variants = _variants(name, other)
            kinds = known[name]
            found = run_rounds(
                variants,
                list(kinds),
                lambda kind, kinds=kinds: _seconds(kinds[kind]),  # type: ignore[misc]
                rounds,
                advance,
            )
            for kind, by_variant in found.items():
                figures[f"{name} {kind}"] = _row(table, f"{name} {kind}", by_variant)
    console.print(table)
    write(options.json, {"clients": figures})


def _row(
    table: Table, name: str, found: dict[str, list[tuple[float, float]]]
) -> dict[str, float]:
    """Add a row, and return its figures."""
    alone = spread(base for base, _ in found[GUARD]).median
    more = {variant: added_by(pairs) for variant, pairs in found.items()}
    text = {variant: interval(one, scale=_MICRO) for variant, one in more.items()}
    table.add_row(
        name,
        f"{alone * _MICRO:.0f}",
        text[GUARD],
        f"{more[GUARD].median / alone:+.1%}",
        text.get(BESIDE, ""),
        text.get(OTEL, ""),
        text[CONTROL],
    )
    return {
        "without": alone * _MICRO,
        **{variant: one.median * _MICRO for variant, one in more.items()},
    }


def _variants(client: str, other: Variant | None) -> dict[str, Variant]:
    found: dict[str, Variant] = {
        CONTROL: contextlib.nullcontext,
        GUARD: partial(guard, check_interval=NEVER),
    }
    if other is not None:
        found[BESIDE] = other
    instrumented = opentelemetry(client)
    if instrumented is not None:
        found[OTEL] = instrumented
    return found


def _seconds(kind: Kind) -> float:
    """Of a request, of a client that is made under the variant of the moment."""
    batch, requests = (10, 10) if kind.in_tasks else (1, 60)
    with kind.opened() as many:
        return (
            time_block(
                lambda: many(batch),
                warm_up=120 // batch,
                requests=requests,
                clock=time.process_time,
            )
            / batch
        )


if __name__ == "__main__":
    main()
