"""Anthropic's SDK, on httpx2 (before, on httpx): streams of messages."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING, Any

from ._case import innocent, leaks
from ._sdk import Later, package_of

if TYPE_CHECKING:
    import anthropic

    from tests.server import Address
else:
    anthropic = Later("anthropic")

CLIENT = package_of("anthropic")
_WORDS: Any = {
    "model": "m",
    "max_tokens": 10,
    "messages": [{"role": "user", "content": "a"}],
}


def _client(server: Address) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=server.url("/anthropic"), api_key="k")


@leaks(client=CLIENT)
def stream_not_read(server: Address) -> object:
    """A stream of events is asked for, and not read."""
    client = _client(server)
    client.messages.create(**_WORDS, stream=True)  # LEAK
    return client


@innocent(twin_of=stream_not_read)
def stream_read(server: Address) -> object:
    """Read to its end."""
    client = _client(server)
    assert len(list(client.messages.create(**_WORDS, stream=True))) == 305
    return client


@innocent(twin_of=stream_not_read)
def not_streamed(server: Address) -> object:
    """The SDK reads the answer."""
    client = _client(server)
    assert client.messages.create(**_WORDS).id
    return client


@leaks("held", client=CLIENT)
def manager_not_left(server: Address) -> object:
    """The manager of a stream, entered by hand and kept."""
    client = _client(server)
    manager = client.messages.stream(**_WORDS)
    stream = manager.__enter__()  # LEAK
    assert next(stream.text_stream)
    return client, manager, stream


@innocent(twin_of=manager_not_left)
def manager_in_with(server: Address) -> object:
    """As documented."""
    client = _client(server)
    with client.messages.stream(**_WORDS) as stream:
        assert next(stream.text_stream)
    return client, stream


@leaks(client=CLIENT, count=2)
def task_that_does_not_read(server: Address) -> None:
    """An async stream is asked for again and again, and not read."""

    async def program() -> None:
        url = server.url("/anthropic")
        async with anthropic.AsyncAnthropic(base_url=url, api_key="k") as client:
            for _ in range(2):
                await client.messages.create(**_WORDS, stream=True)  # LEAK
            gc.collect()

    asyncio.run(program())


@innocent(twin_of=task_that_does_not_read)
def task_that_reads(server: Address) -> None:
    """It is read."""

    async def program() -> None:
        url = server.url("/anthropic")
        async with anthropic.AsyncAnthropic(base_url=url, api_key="k") as client:
            async with client.messages.stream(**_WORDS) as stream:
                assert len([word async for word in stream.text_stream]) == 300
            gc.collect()

    asyncio.run(program())
