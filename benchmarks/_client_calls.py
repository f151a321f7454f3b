"""Requests of each client that is not urllib3, over connections in memory."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from . import _memory
from ._memory import URL
from ._stacks import DEPTH, deepened

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from ._variants import Variant

OTEL: Final = "OpenTelemetry"
# Coroutines between a task and its request.
_WITHIN: Final = 10
_INSTRUMENTATIONS: Final = {
    "httpx": ("httpx", "HTTPXClientInstrumentor"),
    "aiohttp": ("aiohttp_client", "AioHttpClientInstrumentor"),
    "urllib.request": ("urllib", "URLLibInstrumentor"),
}


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of request of a client.

    Args:
        make: The client, under the variant of the moment.
        ask: Makes one request; a coroutine function where tasks do.
        in_tasks: Whether they do.
    """

    make: Callable[[], Any]
    ask: Callable[[Any], Any]
    in_tasks: bool = False

    @contextlib.contextmanager
    def opened(self) -> Iterator[Callable[[int], None]]:
        """What makes so many requests with one client: of tasks in one run."""
        with (_tasks if self.in_tasks else _calls)(self.make, self.ask) as many:
            yield many


def clients() -> dict[str, dict[str, Kind]]:
    """By client and kind of request, of what is installed.

    ``get`` is read inside of the client, ``stream`` by the program.
    """
    found: dict[str, dict[str, Kind]] = {}
    for name in ("httpx", "httpx2"):
        if find_spec(name) is not None:
            sync = partial(_memory.httpx_client, name)
            tasks = partial(_memory.httpx_async_client, name)
            found[name] = {"get": Kind(sync, _get), "stream": Kind(sync, _stream)}
            found[f"{name} async"] = {
                "get": Kind(tasks, _aget, in_tasks=True),
                "stream": Kind(tasks, _astream, in_tasks=True),
            }
    if find_spec("aiohttp") is not None:
        late = partial(_memory.aiohttp_session, late=True)
        found["aiohttp"] = {
            "get": Kind(_memory.aiohttp_session, _read, in_tasks=True),
            "stream": Kind(late, _read, in_tasks=True),
        }
    found["http.client"] = {"read": Kind(_memory.http_client_connection, _ask)}
    found["urllib.request"] = {"read": Kind(_memory.urllib_opener, _open)}
    return found


def opentelemetry(client: str) -> Variant | None:
    """OpenTelemetry's instrumentation of a client, with spans that go nowhere.

    Args:
        client: As of `clients`.
    """
    package, instrumentor = _INSTRUMENTATIONS.get(client.partition(" ")[0], ("", ""))
    module = f"opentelemetry.instrumentation.{package}"
    with contextlib.suppress(ImportError):
        if package and find_spec(module) is not None:
            return partial(_instrumented, module, instrumentor)
    return None


@contextlib.contextmanager
def _instrumented(module: str, name: str) -> Iterator[None]:
    from opentelemetry.sdk.trace import TracerProvider

    instrumentor: Any = getattr(importlib.import_module(module), name)()
    provider = TracerProvider(shutdown_on_exit=False)
    instrumentor.instrument(tracer_provider=provider, skip_dep_check=True)
    try:
        yield
    finally:
        instrumentor.uninstrument()


@contextlib.contextmanager
def _calls(
    make: Callable[[], Any], ask: Callable[[Any], None]
) -> Iterator[Callable[[int], None]]:
    with contextlib.closing(make()) as client:
        call = deepened(partial(ask, client), DEPTH)

        def many(count: int) -> None:
            for _ in range(count):
                call()

        yield many


@contextlib.contextmanager
def _tasks(
    make: Callable[[], Any], ask: Callable[[Any], Awaitable[None]]
) -> Iterator[Callable[[int], None]]:
    loop = asyncio.new_event_loop()

    async def batch(client: Any, count: int) -> None:
        for _ in range(count):
            await _down(_WITHIN, ask, client)

    async def made() -> Any:
        return make()

    client = loop.run_until_complete(made())
    try:
        yield lambda count: loop.run_until_complete(batch(client, count))
        close = client.aclose if hasattr(client, "aclose") else client.close
        loop.run_until_complete(close())
    finally:
        loop.close()


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
