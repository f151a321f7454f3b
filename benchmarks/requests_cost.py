"""What a request costs more under httpguard, OpenTelemetry and Sentry.

In one process, in interleaved blocks, with paired differences. In memory the
CPU time of the process is measured (threads included), on loopback wall time. Then
what httpguard adds in memory where requests are made otherwise: from few or many
frames, in a thread, a task or a greenlet, of a pool that blocks.

Run: ``python -m benchmarks.requests_cost [--quick] [--json FILE]``, with
``--beside CHECKOUT`` the httpguard of another checkout takes its turns too.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich.table import Table

from ._calls import KINDS, Client, memory_client, network_client
from ._circumstances import CIRCUMSTANCES, ORDINARY
from ._loopback import loopback_server
from ._output import console, interval, parser, progress, write
from ._paired import (
    Clock,
    Figures,
    Pair,
    Spread,
    added,
    run_rounds,
    spread,
    time_block,
)
from ._stacks import DEPTH, deepened
from ._variants import (
    BESIDE,
    CONTROL,
    GUARD,
    OTEL,
    OTEL_SDK,
    Variant,
    beside,
    variants,
)

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

_MICRO: Final = 1e6


@dataclass(frozen=True, slots=True)
class Plan:
    """How long to measure.

    Args:
        rounds: Blocks of each variant and kind.
        requests: In each block.
        warm_up: Before each block.
    """

    rounds: int
    requests: int
    warm_up: int


# A class that was patched has the specialized code of whatever uses it miss, some fifty
# times before CPython 3.11 specializes it anew: a program that runs on is past that.
_WARM_UP: Final = 120
# Quick: both together stay under two minutes.
_PLANS: Final = {
    ("memory", False): Plan(rounds=60, requests=100, warm_up=_WARM_UP),
    ("loopback", False): Plan(rounds=60, requests=100, warm_up=_WARM_UP),
    ("places", False): Plan(rounds=60, requests=100, warm_up=_WARM_UP),
    ("memory", True): Plan(rounds=14, requests=50, warm_up=_WARM_UP),
    ("loopback", True): Plan(rounds=10, requests=50, warm_up=_WARM_UP),
    ("places", True): Plan(rounds=5, requests=50, warm_up=_WARM_UP),
}


def measure(
    compared: Mapping[str, Variant],
    client: Client,
    clock: Clock,
    plan: Plan,
    title: str,
) -> Figures[float]:
    """Seconds a request, without and with each variant.

    Args:
        compared: The variants by name.
        client: Where requests go.
        clock: What a second is.
        plan: How long.
        title: For the progress line.
    """
    calls = client.calls()

    def block(kind: str) -> float:
        call = deepened(calls[kind])
        return time_block(
            call, warm_up=plan.warm_up, requests=plan.requests, clock=clock
        )

    with progress(title, plan.rounds) as advance:
        return run_rounds(compared, KINDS, block, plan.rounds, advance)


def measure_places(guard: Variant, plan: Plan) -> dict[str, dict[str, Spread]]:
    """What the guard adds to a request, by the name of the circumstance and the kind.

    Args:
        guard: The variant of it.
        plan: How long.
    """
    calls = {
        name: memory_client(block=place.block).calls()
        for name, place in CIRCUMSTANCES.items()
    }
    blocks = {
        f"{name}: {kind}": (name, kind) for name in CIRCUMSTANCES for kind in KINDS
    }

    def block(key: str) -> float:
        name, kind = blocks[key]
        place = CIRCUMSTANCES[name]
        taken: list[float] = []

        def work() -> None:
            taken.append(
                time_block(
                    deepened(calls[name][kind], place.depth),
                    warm_up=plan.warm_up,
                    requests=plan.requests,
                    clock=time.process_time,
                )
            )

        place.run(work)
        return taken[0]

    with progress("places", plan.rounds) as advance:
        found = run_rounds({GUARD: guard}, tuple(blocks), block, plan.rounds, advance)
    places: dict[str, dict[str, Spread]] = {name: {} for name in CIRCUMSTANCES}
    for key, (name, kind) in blocks.items():
        places[name][kind] = added(found[key][GUARD])
    return places


def places_table(title: str, places: Mapping[str, Mapping[str, Spread]]) -> Table:
    """What is printed of them.

    Args:
        title: Above it.
        places: What `measure_places` found.
    """
    shown = Table(title=title, title_justify="left")
    shown.add_column("us added per request")
    for kind in KINDS:
        shown.add_column(kind, justify="right")
    for name, found in places.items():
        shown.add_row(
            name,
            *(
                f"{interval(each, _MICRO)} "
                f"{each.median / places[ORDINARY][kind].median:.2f}x"
                for kind, each in found.items()
            ),
        )
    return shown


def summarize(figures: Figures[float]) -> dict[str, Any]:
    """The figures as they are written: seconds, by kind and variant.

    Args:
        figures: What `measure` found.
    """
    summary: dict[str, Any] = {}
    for kind, pairs in figures.items():
        found = {name: added(values) for name, values in pairs.items()}
        summary[kind] = {"without": _without(pairs).to_dict()}
        for name, value in found.items():
            summary[kind][name] = value.to_dict() | {
                f"ratio to {other}": value.median / found[other].median
                for other in (OTEL, OTEL_SDK)
                if other in found
            }
    return summary


def table(title: str, figures: Figures[float]) -> Table:
    """What is printed.

    Args:
        title: Above it.
        figures: What `measure` found.
    """
    shown = Table(title=title, title_justify="left")
    shown.add_column("us added per request")
    for kind in figures:
        shown.add_column(kind, justify="right")
    plain = [f"{_without(pairs).median * _MICRO:.0f}" for pairs in figures.values()]
    shown.add_row("(a request without)", *plain, end_section=True)
    for name in next(iter(figures.values())):
        shown.add_row(name, *(_cell(pairs, name) for pairs in figures.values()))
    return shown


def _without(pairs: dict[str, list[Pair[float]]]) -> Spread:
    """A request with nothing put on, over all blocks of a kind."""
    return spread(base for values in pairs.values() for base, _ in values)


def _cell(pairs: dict[str, list[Pair[float]]], name: str) -> str:
    """Microseconds added, their interval, and the ratio to OpenTelemetry."""
    found = added(pairs[name])
    text = interval(found, _MICRO)
    if OTEL not in pairs or name == CONTROL:
        return text
    return f"{text} {found.median / added(pairs[OTEL]).median:.2f}x"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and write.

    Args:
        arguments: Of the command line.
    """
    options = _options(arguments)
    written: dict[str, Any] = {"depth": DEPTH}
    compared = variants()
    if options.beside is not None:
        # Next to each other in the table; the order of the blocks is by chance.
        compared = {
            CONTROL: compared[CONTROL],
            BESIDE: beside(options.beside),
        } | compared

    def run(where: str, title: str, client: Client, clock: Clock) -> None:
        plan = _plan(options, where)
        figures = measure(compared, client, clock, plan, where)
        written[where] = summarize(figures)
        console.print(table(f"{title}; x: to '{OTEL}'; {plan}", figures))

    if options.only in {None, "memory"}:
        run("memory", "In memory, CPU time", memory_client(), time.process_time)
    if options.only in {None, "loopback"}:
        with loopback_server() as url:
            client = network_client(url)
            run("loopback", "Loopback, wall time", client, time.perf_counter)
    if options.only in {None, "places"}:
        plan = _plan(options, "places")
        places = measure_places(compared[GUARD], plan)
        written["places"] = {
            name: {kind: each.to_dict() for kind, each in found.items()}
            for name, found in places.items()
        }
        console.print(places_table(f"In memory; x: to the ordinary; {plan}", places))
    console.print("Medians of the paired differences, 95 % confidence intervals.")
    write(options.json, written)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    made = parser(__doc__)
    made.add_argument("--only", choices=("memory", "loopback", "places"))
    made.add_argument("--beside", type=Path, metavar="CHECKOUT", help="measure it too")
    for name in ("rounds", "requests"):
        made.add_argument(f"--{name}", type=int, help="instead of the plan's")
    return made.parse_args(arguments)


def _plan(options: argparse.Namespace, where: str) -> Plan:
    """The plan, with what the command line says otherwise."""
    plan = _PLANS[where, options.quick]
    return Plan(
        options.rounds or plan.rounds, options.requests or plan.requests, plan.warm_up
    )


if __name__ == "__main__":
    main()
