"""What a request of httpx or httpx2 costs more under httpguard and OpenTelemetry.

In one process, over connections in memory: httpcore's own network is replaced, so that
all of httpx runs. CPU time, in interleaved blocks, with paired differences.

Run: ``python -m benchmarks.httpx_cost [--quick] [--json FILE]``. Under 30 seconds.
"""

from __future__ import annotations

import importlib
import time
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from rich.table import Table

import httpguard

from ._output import console, interval, parser, progress, write
from ._paired import added, spread, time_block
from ._stacks import DEPTH, deepened

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._paired import Spread

_ANSWER: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1000\r\n\r\n"
    + b"x" * 1000
)
_URL: Final = "http://service.invalid/path"
_ROUNDS: Final = {True: 4, False: 12}
_MICRO: Final = 1e6


def main() -> None:
    """Measure, print and save."""
    options = parser(__doc__).parse_args()
    figures: dict[str, Any] = {}
    for name in ("httpx", "httpx2"):
        if find_spec(name) is not None:
            figures[name] = _measure(name, _ROUNDS[options.quick])
    write(options.json, {"httpx": figures})


def _measure(name: str, rounds: int) -> dict[str, Any]:
    """The figures of a package, which are printed too."""
    setups = {"guarded": _guarded, "control": _nothing}
    if name == "httpx" and find_spec("opentelemetry.instrumentation.httpx"):
        setups["OpenTelemetry"] = _instrumented
    kinds = {"get": _get, "stream": _stream}
    pairs: dict[tuple[str, str], list[tuple[float, float]]] = {
        (kind, setup): [] for kind in kinds for setup in setups
    }
    with progress(name, rounds) as step:
        for _ in range(rounds):
            for kind, make in kinds.items():
                bare = _block(name, make)
                for setup, put_on in setups.items():
                    take_off = put_on()
                    try:
                        pairs[kind, setup].append((bare, _block(name, make)))
                    finally:
                        take_off()
            step()
    rows = {}
    table = Table(title=f"{name}: microseconds of CPU time of a request")
    for column in ("", "without", "guarded", "of that", "OpenTelemetry", "control"):
        table.add_column(column, justify="right")
    for kind in kinds:
        alone = spread(before for before, _ in pairs[kind, "guarded"])
        more = {setup: added(pairs[kind, setup]) for setup in setups}
        rows[kind] = {
            "without": alone.median * _MICRO,
            **{setup: found.median * _MICRO for setup, found in more.items()},
        }
        share = more["guarded"].median / alone.median
        table.add_row(
            kind,
            f"{alone.median * _MICRO:.0f}",
            _text(more["guarded"]),
            f"{share:+.1%}",
            _text(more["OpenTelemetry"]) if "OpenTelemetry" in more else "",
            _text(more["control"]),
        )
    console.print(table)
    return rows


def _text(found: Spread) -> str:
    return interval(found, scale=_MICRO)


def _block(name: str, make: Callable[[Any], Callable[[], object]]) -> float:
    """Seconds a request, of a client that is made under the setup of the moment."""
    package = importlib.import_module(name)
    core = importlib.import_module(name.replace("httpx", "httpcore"))
    with package.Client(trust_env=False) as client:
        client._transport._pool = core.ConnectionPool(network_backend=_backend(core))
        call = deepened(make(client), DEPTH)
        return time_block(call, warm_up=10, requests=50, clock=time.process_time)


def _backend(core: Any) -> Any:
    """A network that answers each request with the same bytes."""

    class Stream(core.NetworkStream):  # type: ignore[misc]  # either package
        def __init__(self) -> None:
            self.asked = 0

        def read(self, *_: Any, **__: Any) -> bytes:
            if not self.asked:
                return b""
            self.asked = 0
            return _ANSWER

        def write(self, *_: Any, **__: Any) -> None:
            self.asked += 1

        def close(self) -> None:
            """Nothing is open."""

        def get_extra_info(self, _: str) -> None:
            """Nothing is known."""

    class Backend(core.NetworkBackend):  # type: ignore[misc]  # either package
        def connect_tcp(self, *_: Any, **__: Any) -> Stream:
            return Stream()

    return Backend()


def _get(client: Any) -> Callable[[], object]:
    return lambda: client.get(_URL)


def _stream(client: Any) -> Callable[[], object]:
    def call() -> None:
        with client.stream("GET", _URL) as response:
            response.read()

    return call


def _guarded() -> Callable[[], object]:
    httpguard.install(check_interval=0)
    return httpguard.uninstall


def _nothing() -> Callable[[], object]:
    return lambda: None


def _instrumented() -> Callable[[], object]:
    from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
    from opentelemetry.sdk.trace import TracerProvider

    instrumentor: Any = HTTPXClientInstrumentor()
    instrumentor.instrument(tracer_provider=TracerProvider())
    take_off: Callable[[], object] = instrumentor.uninstrument
    return take_off


if __name__ == "__main__":
    main()
