"""google-genai, on httpx2 (before, on httpx): streams of contents."""

from __future__ import annotations

import asyncio
import gc
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._case import innocent, leaks
from ._sdk import Later, package_of, run_on

if TYPE_CHECKING:
    from google import genai

    from tests.server import Address
else:
    genai = Later("google.genai")

CLIENT = package_of("google-genai")
_WORDS: Any = {"model": "m", "contents": "a"}


def _client(server: Address) -> genai.Client:
    # Else it takes aiohttp where that is installed.
    other = import_module(CLIENT).AsyncClient()
    options = genai.types.HttpOptions(
        base_url=server.url("/genai"), httpx_async_client=other
    )
    return genai.Client(api_key="k", http_options=options)


@leaks("held", client=CLIENT)
def stream_kept(server: Address) -> object:
    """The first part is enough, and the stream is kept."""
    client = _client(server)
    stream = client.models.generate_content_stream(**_WORDS)
    assert next(stream)  # LEAK
    return client, stream


@innocent(twin_of=stream_kept)
def stream_read(server: Address) -> object:
    """Read to its end."""
    client = _client(server)
    stream = client.models.generate_content_stream(**_WORDS)
    assert len(list(stream)) == 100
    return client, stream


@innocent(twin_of=stream_kept)
def not_streamed(server: Address) -> object:
    """The SDK reads the answer."""
    client = _client(server)
    assert client.models.generate_content(**_WORDS).candidates
    return client


@leaks("held", client=CLIENT)
def task_that_keeps_its_stream(server: Address) -> object:
    """An async stream of which the first part is enough, and that is kept."""

    async def program() -> object:
        client = _client(server)
        stream = await client.aio.models.generate_content_stream(**_WORDS)
        assert await stream.__anext__()  # LEAK
        return client, stream

    return run_on(program())


@innocent(twin_of=task_that_keeps_its_stream)
def stream_not_begun(server: Address) -> None:
    """No request is sent before the first part is asked for."""

    async def program() -> None:
        await _client(server).aio.models.generate_content_stream(**_WORDS)
        gc.collect()

    asyncio.run(program())


@innocent(twin_of=task_that_keeps_its_stream)
def task_that_reads(server: Address) -> None:
    """It is read."""

    async def program() -> None:
        client = _client(server)
        stream = await client.aio.models.generate_content_stream(**_WORDS)
        assert len([part async for part in stream]) == 100
        gc.collect()

    asyncio.run(program())
