"""OpenAI's SDK, on httpx2 (before, on httpx): a stream that nobody reads to its end."""

from __future__ import annotations

import asyncio
import gc
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ._case import innocent, leaks
from ._sdk import Later, package_of

if TYPE_CHECKING:
    import openai

    from tests.server import Address
else:
    openai = Later("openai")

CLIENT = package_of("openai")
_WORDS: Any = {"model": "m", "messages": [{"role": "user", "content": "a"}]}


def _client(server: Address) -> openai.OpenAI:
    return openai.OpenAI(base_url=server.url("/openai"), api_key="k", max_retries=0)


def _async_client(server: Address) -> openai.AsyncOpenAI:
    url = server.url("/openai")
    return openai.AsyncOpenAI(base_url=url, api_key="k", max_retries=0)


@leaks(client=CLIENT)
def stream_not_read(server: Address) -> object:
    """A stream is asked for, and not read."""
    client = _client(server)
    client.chat.completions.create(**_WORDS, stream=True)  # LEAK
    return client


@innocent(twin_of=stream_not_read)
def stream_read(server: Address) -> object:
    """Read to its end."""
    client = _client(server)
    stream = client.chat.completions.create(**_WORDS, stream=True)
    assert len(list(stream)) == 300
    return client, stream


@innocent(twin_of=stream_not_read)
def stream_in_with(server: Address) -> object:
    """A with block closes it."""
    client = _client(server)
    with client.chat.completions.create(**_WORDS, stream=True) as stream:
        assert next(iter(stream))
    return client


@innocent(twin_of=stream_not_read)
def not_streamed(server: Address) -> object:
    """The SDK reads the answer."""
    client = _client(server)
    assert client.chat.completions.create(**_WORDS).choices
    return client


@innocent(twin_of=stream_not_read)
def stream_of_an_error(server: Address) -> object:
    """The SDK closes what it raises an error of."""
    client = _client(server)
    with suppress(openai.NotFoundError):
        client.chat.completions.create(**{**_WORDS, "model": "missing"}, stream=True)
    return client


@leaks(client=CLIENT)
def raw_response(server: Address) -> object:
    """A streaming answer entered by hand, and never left."""
    client = _client(server)
    speech = client.audio.speech.with_streaming_response
    manager = speech.create(model="m", voice="v", input="a")
    response = manager.__enter__()  # LEAK
    assert response.status_code == 200
    return client


@innocent(twin_of=raw_response)
def raw_response_in_with(server: Address) -> object:
    """As documented."""
    client = _client(server)
    speech = client.audio.speech.with_streaming_response
    with speech.create(model="m", voice="v", input="a") as response:
        assert next(response.iter_bytes(100))
    return client


@leaks("held", client=CLIENT)
def first_word(server: Address) -> object:
    """The first word is enough, and the stream is kept."""
    client = _client(server)
    stream = client.chat.completions.create(**_WORDS, stream=True)  # LEAK
    assert next(stream)
    return client, stream


@innocent(twin_of=first_word)
def first_word_and_close(server: Address) -> object:
    """The first word is enough, and the stream is closed."""
    client = _client(server)
    stream = client.chat.completions.create(**_WORDS, stream=True)
    assert next(stream)
    stream.close()
    return client, stream


@leaks(client=CLIENT, count=3)
def tasks_that_do_not_read(server: Address) -> None:
    """Tasks ask for streams, and do not read them."""

    async def program() -> None:
        async with _async_client(server) as client:

            async def ask() -> object:
                stream = await client.chat.completions.create(  # LEAK
                    **_WORDS, stream=True
                )
                return stream.response.status_code

            assert set(await asyncio.gather(ask(), ask(), ask())) == {200}
            gc.collect()

    asyncio.run(program())


@innocent(twin_of=tasks_that_do_not_read)
def tasks_that_read(server: Address) -> None:
    """Tasks read theirs."""

    async def program() -> None:
        async with _async_client(server) as client:

            async def ask() -> int:
                stream = await client.chat.completions.create(**_WORDS, stream=True)
                return len([word async for word in stream])

            assert set(await asyncio.gather(ask(), ask(), ask())) == {300}
            gc.collect()

    asyncio.run(program())
