"""What a request costs more under httpguard, by client, beside OpenTelemetry.

In one process, over connections in memory. CPU time, in interleaved blocks, with paired
differences. ``get`` is read inside of the client, ``stream`` by the program. A request
of threads is made from a stack of 25 frames, one of tasks from ten within its task.

Run: ``python -m benchmarks.client_costs [--only CLIENT] [--beside CHECKOUT] [--quick]
[--json FILE]``. A minute.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import time
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich.table import Table

from . import _memory
from ._memory import URL
from ._output import console, interval, parser, progress, write
from ._paired import added as added_by
from ._paired import run_rounds, spread, time_block
from ._stacks import DEPTH, deepened
from ._variants import BESIDE, CONTROL, GUARD, beside, guard

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from ._variants import Variant

_ROUNDS: Final = {True: 5, False: 15}
_MICRO: Final = 1e6
_WITHIN: Final = 10
_OTEL: Final = "OpenTelemetry"
_SECONDS = time.process_time
# Requests of tasks in one run of their loop.
_BATCH: Final = 10
_INSTRUMENTATIONS: Final = {
    "httpx": ("httpx", "HTTPXClientInstrumentor"),
    "aiohttp": ("aiohttp_client", "AioHttpClientInstrumentor"),
    "urllib.request": ("urllib", "URLLibInstrumentor"),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and write.

    Args:
        arguments: Of the command line.
    """
    made = parser(__doc__)
    clients = _clients()
    made.add_argument("--only", choices=clients)
    made.add_argument("--beside", type=Path, metavar="CHECKOUT", help="measure it too")
    options = made.parse_args(arguments)
    chosen = [options.only] if options.only else list(clients)
    table = Table(title="Microseconds of CPU time of a request", title_justify="left")
    columns = ("without", "httpguard", "of that", BESIDE, _OTEL, CONTROL)
    table.add_column("")
    for column in columns:
        table.add_column(column, justify="right")
    other = beside(options.beside, check_interval=0) if options.beside else None
    rounds = _ROUNDS[options.quick]
    figures = {}
    with progress("clients", len(chosen) * rounds) as advance:
        for name in chosen:
            variants = _variants(name, other)
            kinds = clients[name]
            found = run_rounds(
                variants,
                list(kinds),
                lambda kind, kinds=kinds: kinds[kind](),  # type: ignore[misc]
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
        text.get(_OTEL, ""),
        text[CONTROL],
    )
    return {
        "without": alone * _MICRO,
        **{variant: one.median * _MICRO for variant, one in more.items()},
    }


def _variants(client: str, other: Variant | None) -> dict[str, Variant]:
    found: dict[str, Variant] = {
        CONTROL: contextlib.nullcontext,
        GUARD: partial(guard, check_interval=0),
    }
    if other is not None:
        found[BESIDE] = other
    package, instrumentor = _INSTRUMENTATIONS.get(client.partition(" ")[0], ("", ""))
    module = f"opentelemetry.instrumentation.{package}"
    with contextlib.suppress(ImportError):
        if package and find_spec(module) is not None:
            found[_OTEL] = partial(_instrumented, module, instrumentor)
    return found


@contextlib.contextmanager
def _instrumented(module: str, name: str) -> Iterator[None]:
    """With spans that go nowhere."""
    from opentelemetry.sdk.trace import TracerProvider

    instrumentor: Any = getattr(importlib.import_module(module), name)()
    provider = TracerProvider(shutdown_on_exit=False)
    instrumentor.instrument(tracer_provider=provider, skip_dep_check=True)
    try:
        yield
    finally:
        instrumentor.uninstrument()


def _clients() -> dict[str, dict[str, Callable[[], float]]]:
    """By client and kind of request: how a block of it is measured."""
    found: dict[str, dict[str, Callable[[], float]]] = {}
    for name in ("httpx", "httpx2"):
        if find_spec(name) is not None:
            sync = partial(_memory.httpx_client, name)
            tasks = partial(_memory.httpx_async_client, name)
            found[name] = {
                "get": lambda make=sync: _block(make, _get),  # type: ignore[misc]
                "stream": lambda make=sync: _block(make, _stream),  # type: ignore[misc]
            }
            found[f"{name} async"] = {
                "get": lambda make=tasks: _tasks(make, _aget),  # type: ignore[misc]
                "stream": lambda make=tasks: _tasks(make, _astream),  # type: ignore[misc]
            }
    if find_spec("aiohttp") is not None:
        late = partial(_memory.aiohttp_session, late=True)
        found["aiohttp"] = {
            "get": lambda: _tasks(_memory.aiohttp_session, _read),
            "stream": lambda: _tasks(late, _read),
        }
    found["http.client"] = {
        "read": lambda: _block(_memory.http_client_connection, _ask)
    }
    found["urllib.request"] = {"read": lambda: _block(_memory.urllib_opener, _open)}
    return found


def _block(make: Callable[[], Any], ask: Callable[[Any], None]) -> float:
    """Seconds a request, of a client that is made under the variant of the moment."""
    with contextlib.closing(make()) as client:
        call = deepened(partial(ask, client), DEPTH)
        return time_block(call, warm_up=20, requests=60, clock=_SECONDS)


def _tasks(make: Callable[[], Any], ask: Callable[[Any], Awaitable[None]]) -> float:
    """The same, of one that tasks use."""
    loop = asyncio.new_event_loop()

    async def batch(client: Any) -> None:
        for _ in range(_BATCH):
            await _down(_WITHIN, ask, client)

    async def made() -> Any:
        return make()

    client = loop.run_until_complete(made())

    def call() -> None:
        loop.run_until_complete(batch(client))

    try:
        seconds = time_block(call, warm_up=2, requests=10, clock=_SECONDS) / _BATCH
        close = client.aclose if hasattr(client, "aclose") else client.close
        loop.run_until_complete(close())
    finally:
        loop.close()
    return seconds


async def _down(
    levels: int, ask: Callable[[Any], Awaitable[None]], client: Any
) -> None:
    """From a coroutine one deeper."""
    if levels:
        await _down(levels - 1, ask, client)
    else:
        await ask(client)


def _get(client: Any) -> None:
    client.get(URL)


def _stream(client: Any) -> None:
    with client.stream("GET", URL) as response:
        response.read()


async def _aget(client: Any) -> None:
    await client.get(URL)


async def _astream(client: Any) -> None:
    async with client.stream("GET", URL) as response:
        await response.aread()


async def _read(session: Any) -> None:
    async with session.get(URL) as response:
        await response.read()


def _ask(connection: Any) -> None:
    connection.request("GET", "/path")
    connection.getresponse().read()


def _open(opener: Any) -> None:
    with opener.open(URL) as response:
        response.read()


if __name__ == "__main__":
    main()
