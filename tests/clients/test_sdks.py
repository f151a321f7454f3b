"""SDKs on httpx: what their errors say where forgotten streams hold the connections."""

from __future__ import annotations

import asyncio
import gc
import importlib
import sys
from typing import TYPE_CHECKING, Any

import pytest

import httpguard
from httpguard import LeakKind
from tests.catalogue._sdk import package_of

if TYPE_CHECKING:
    from tests.conftest import GuardControl
    from tests.server import Server

pytestmark = pytest.mark.skipif(sys.version_info < (3, 11), reason="no notes")

WORDS: Any = {"model": "m", "messages": [{"role": "user", "content": "a"}]}


def small(sdk: Any, kind: str) -> Any:
    """A client of httpx or httpx2 with two connections, for which it does not wait."""
    package = importlib.import_module(package_of(sdk.__name__))
    limits = package.Limits(max_connections=2)
    return getattr(package, kind)(limits=limits, timeout=package.Timeout(30, pool=0.1))


def assert_says_who_has_them(error: BaseException) -> None:
    (note,) = error.__notes__
    assert note.startswith("httpguard: ")
    assert "test_sdks.py" in note


@pytest.fixture(params=["openai", "anthropic"])
def sdk(request: pytest.FixtureRequest) -> Any:
    """Either SDK that a generator of Stainless has made."""
    return pytest.importorskip(request.param)


@pytest.mark.parametrize("imported", ["before", "after"])
def test_a_time_out_names_the_streams_that_nobody_reads(
    imported: str, sdk: Any, guard: GuardControl, server: Server
) -> None:
    options = {"api_key": "k", "base_url": server.url(f"/{sdk.__name__}")}
    if imported == "before":
        guard.install()
    with small(sdk, "Client") as http:
        if sdk.__name__ == "openai":
            client = sdk.OpenAI(**options, http_client=http, max_retries=1)
            create, words = client.chat.completions.create, WORDS
        else:
            client = sdk.Anthropic(**options, http_client=http, max_retries=1)
            create, words = client.messages.create, {**WORDS, "max_tokens": 1}
        if imported == "after":
            guard.install()
        for _ in range(2):
            create(**words, stream=True)
        with pytest.raises(sdk.APITimeoutError) as raised:
            create(**words)
        assert_says_who_has_them(raised.value)
        del raised
        gc.collect()
        (leak,) = guard.check().leaks
        assert (leak.kind, leak.count) == (LeakKind.DROPPED, 2)
        assert guard.check().counters["errors"] == 0


def test_a_time_out_in_a_task_names_them_too(
    sdk: Any, guard: GuardControl, server: Server
) -> None:
    guard.install()
    options = {"api_key": "k", "base_url": server.url(f"/{sdk.__name__}")}

    async def program() -> None:
        async with small(sdk, "AsyncClient") as http:
            if sdk.__name__ == "openai":
                client = sdk.AsyncOpenAI(**options, http_client=http, max_retries=0)
                create, words = client.chat.completions.create, WORDS
            else:
                client = sdk.AsyncAnthropic(**options, http_client=http, max_retries=0)
                create, words = client.messages.create, {**WORDS, "max_tokens": 1}
            kept = [await create(**words, stream=True) for _ in range(2)]
            with pytest.raises(sdk.APITimeoutError) as raised:
                await create(**words)
            assert_says_who_has_them(raised.value)
            for stream in kept:
                await stream.close()

    asyncio.run(program())
    assert guard.check().leaks == ()


def test_an_error_that_the_pool_has_not_caused_says_nothing(
    sdk: Any, guard: GuardControl
) -> None:
    guard.install()
    options = {"api_key": "k", "base_url": "http://127.0.0.1:9"}
    if sdk.__name__ == "openai":
        client = sdk.OpenAI(**options, max_retries=0)
        create, words = client.chat.completions.create, WORDS
    else:
        client = sdk.Anthropic(**options, max_retries=0)
        create, words = client.messages.create, {**WORDS, "max_tokens": 1}
    with pytest.raises(sdk.APIConnectionError) as raised:
        create(**words)
    assert not hasattr(raised.value, "__notes__")


def test_a_time_out_of_elasticsearch_names_them(
    guard: GuardControl, server: Server
) -> None:
    transport = pytest.importorskip("elastic_transport")
    guard.install()
    one = transport.NodeConfig("http", server.host, server.port, connections_per_node=1)

    async def program() -> None:
        nodes = transport.AsyncTransport([one], node_class="httpxasync", max_retries=0)
        (node,) = nodes.node_pool.all()
        http = node.client
        kept = await http.send(http.build_request("GET", "/elastic"), stream=True)
        with pytest.raises(transport.ConnectionTimeout) as raised:
            await nodes.perform_request("GET", "/elastic", request_timeout=0.1)
        assert_says_who_has_them(raised.value)
        await kept.aclose()
        await nodes.close()

    asyncio.run(program())
    assert guard.check().leaks == ()


def test_uninstall_gives_the_sdks_their_methods_back(
    sdk: Any, guard: GuardControl
) -> None:
    base = importlib.import_module(f"{sdk.__name__}._base_client")
    kinds = base.SyncAPIClient, base.AsyncAPIClient
    before = [dict(vars(kind)) for kind in kinds]
    guard.install()
    assert [dict(vars(kind)) for kind in kinds] != before
    httpguard.uninstall()
    assert [dict(vars(kind)) for kind in kinds] == before
