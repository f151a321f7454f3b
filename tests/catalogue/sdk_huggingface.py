"""huggingface_hub: 1 on httpx, 2 on httpx2. Its streams are generators."""

from __future__ import annotations

import gc
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import huggingface_hub
from huggingface_hub.utils._http import http_stream_backoff

from ._case import innocent, leaks
from ._sdk import package_of, run_on

if TYPE_CHECKING:
    from tests.server import Address

CLIENT = package_of("huggingface_hub")
_WORDS: Any = {"model": "m", "messages": [{"role": "user", "content": "a"}]}


def _client(server: Address) -> huggingface_hub.InferenceClient:
    return huggingface_hub.InferenceClient(base_url=server.url("/openai"), token="k")


@leaks("held", client=CLIENT)
def stream_kept(server: Address) -> object:
    """The first word is enough, and the stream is kept."""
    client = _client(server)
    stream = client.chat_completion(messages=_WORDS["messages"], stream=True)  # LEAK
    assert next(iter(stream))
    return client, stream


@innocent(twin_of=stream_kept)
def stream_read(server: Address) -> object:
    """Read to its end."""
    with _client(server) as client:
        stream = client.chat_completion(messages=_WORDS["messages"], stream=True)
        assert len(list(stream)) == 300
        return stream


@innocent(twin_of=stream_kept)
def not_streamed(server: Address) -> object:
    """The SDK reads the answer."""
    client = _client(server)
    assert client.chat_completion(messages=_WORDS["messages"]).choices
    return client


@leaks("held", client=CLIENT)
def download_not_left(server: Address) -> object:
    """A download that is entered and kept."""
    stack = ExitStack()
    download = http_stream_backoff("GET", server.url("/lines"))
    return stack, stack.enter_context(download)  # LEAK


@innocent(twin_of=download_not_left)
def download_in_with(server: Address) -> object:
    """As documented."""
    with http_stream_backoff("GET", server.url("/lines")) as response:
        assert next(response.iter_bytes(10))
    return response


@leaks(client=CLIENT)
def of_the_shared_session(server: Address) -> None:
    """A request through the SDK's own session, whose answer is dropped."""
    session = huggingface_hub.get_session()
    request = session.build_request("GET", server.url("/lines"))
    session.send(request, stream=True)  # LEAK


@innocent(twin_of=of_the_shared_session)
def of_the_shared_session_and_read(server: Address) -> None:
    """The same, read."""
    session = huggingface_hub.get_session()
    with session.stream("GET", server.url("/lines")) as response:
        assert response.read()


@leaks("held", client=CLIENT)
def task_that_keeps_its_stream(server: Address) -> object:
    """An async stream of which the first word is enough, and that is kept."""
    url = server.url("/openai")

    async def program() -> object:
        client = huggingface_hub.AsyncInferenceClient(base_url=url, token="k")
        stream = await client.chat_completion(**_WORDS, stream=True)  # LEAK
        assert await stream.__anext__()
        return client, stream

    return run_on(program())


@innocent(twin_of=task_that_keeps_its_stream)
def task_that_reads(server: Address) -> object:
    """It is read."""
    url = server.url("/openai")

    async def program() -> None:
        client = huggingface_hub.AsyncInferenceClient(base_url=url, token="k")
        async with client:
            stream = await client.chat_completion(**_WORDS, stream=True)
            assert len([word async for word in stream]) == 300
        gc.collect()

    return run_on(program())
