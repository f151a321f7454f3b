"""Instructions a request of each client that is not urllib3, beside OpenTelemetry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.table import Table

from . import _callgrind
from ._client_calls import OTEL, clients, opentelemetry
from ._counted import Loops
from ._output import console, progress, write
from ._variants import CONTROL, GUARD

if TYPE_CHECKING:
    import argparse

_LOOPS: Final = Loops(warm_up=60, short=20, long=120, rounds=3)
_QUICK: Final = Loops(warm_up=40, short=20, long=70, rounds=1)


def show(options: argparse.Namespace) -> None:
    """Count, print and write.

    Args:
        options: Of `benchmarks.instructions`.
    """
    loops = _QUICK if options.quick else _LOOPS
    known = clients()
    table = Table(title="Instructions of a request", title_justify="left")
    table.add_column("")
    for column in ("without", "httpguard adds", "of that", f"{OTEL} adds", "ratio"):
        table.add_column(column, justify="right")
    figures: dict[str, dict[str, float]] = {}
    with progress("clients", len(known)) as advance:
        for client, kinds in known.items():
            names = [CONTROL, GUARD]
            names += [OTEL] if opentelemetry(client) is not None else []
            found = {name: _count(name, client, list(kinds), loops) for name in names}
            for kind in kinds:
                one = {name: by_kind[kind] for name, by_kind in found.items()}
                figures[f"{client} {kind}"] = one
                table.add_row(f"{client} {kind}", *_cells(one))
            advance()
    console.print(table)
    write(options.json, {"loops": loops.to_text(), "instructions": figures})


def _count(
    variant: str, client: str, kinds: list[str], loops: Loops
) -> dict[str, float]:
    def command(loops: Loops) -> list[str]:
        return ["benchmarks._counted_client", variant, client, loops.to_text()]

    return _callgrind.run(command, loops, kinds)


def _cells(found: dict[str, float]) -> list[str]:
    base = found[CONTROL]
    more = found[GUARD] - base
    cells = [f"{base:,.0f}", f"{more:,.0f}", f"{more / base:.1%}"]
    if OTEL in found:
        other = found[OTEL] - base
        cells += [f"{other:,.0f}", f"{more / other:.2f}x"]
    return cells
