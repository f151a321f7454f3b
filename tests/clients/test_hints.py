"""Hints for whoever has called a library, and not the client: by what it gave him."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import inspect
import sys
import textwrap
from typing import TYPE_CHECKING, Any
from xmlrpc.client import ProtocolError, ServerProxy

import httpx
import pytest
import requests

import httpguard
from httpguard import LeakKind
from tests.program import installed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from httpguard import Leak
    from tests.conftest import GuardControl
    from tests.server import Server

LIBRARY = """
import contextlib
import httpx
import pydantic
import requests
import urllib3
import xmlrpc.client

HTTP = urllib3.PoolManager()

@pydantic.validate_call
def checked(url: str):
    return HTTP.request("GET", url, preload_content=False)

def quiet(function):
    def _wrapper(*arguments):
        return function(*arguments)

    return _wrapper

@quiet
def quietly(url):
    return HTTP.request("GET", url, preload_content=False)

def of_requests(url):
    return requests.get(url, stream=True)

class Transport(xmlrpc.client.Transport):
    def single_request(self, host, handler, body, verbose=False):
        self.response = requests.get(f"http://{host}{handler}", stream=True)
        raise xmlrpc.client.ProtocolError(host, 500, "error", {})

class Service:
    def __init__(self, url=""):
        self.session = requests.Session()
        if url:
            self.body = self.session.get(url, stream=True).raw

    def ask(self, url):
        return self.session.get(url).status_code

class Httpx:
    def __init__(self, url=""):
        self.client = httpx.Client()

    def stream(self, url):
        return self.client.send(self.client.build_request("GET", url), stream=True)

    def ask(self, url):
        return self.client.get(url).status_code

@contextlib.contextmanager
def block(client, url):
    with client.stream("GET", url) as response:
        yield response

@contextlib.asynccontextmanager
async def ablock(client, url):
    async with client.stream("GET", url) as response:
        yield response

class Block:
    def __init__(self, client, url):
        self.block = block(client, url)

    def __enter__(self):
        return self.block.__enter__()

    def __exit__(self, *error):
        return self.block.__exit__(*error)

class AsyncHttpx:
    async def stream(self, url):
        self.client = httpx.AsyncClient()
        request = self.client.build_request("GET", url)
        return await self.client.send(request, stream=True)
"""


@pytest.fixture(scope="module")
def sdk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("installed")
    with installed(folder, "hintlib", LIBRARY) as module:
        yield module


def only(guard: GuardControl, kind: LeakKind, count: int, mark: str) -> Leak:
    """The one leak, at the line of the calling test that has the mark."""
    frame = inspect.currentframe()
    assert frame is not None
    assert frame.f_back is not None
    lines, first = inspect.getsourcelines(frame.f_back.f_code)
    (leak,) = guard.check().leaks
    assert (leak.kind, leak.count) == (kind, count)
    at = first + next(at for at, text in enumerate(lines) if f"# {mark}" in text)
    assert (leak.site.filename, leak.site.lineno) == (__file__, at)
    return leak


@pytest.mark.parametrize("name", ["checked", "quietly"])
def test_a_decorator_is_passed_over(
    name: str, guard: GuardControl, server: Server, sdk: Any
) -> None:
    """Another package's, and one of the library's own."""
    guard.install()
    getattr(sdk, name)(server.url("/bytes/90000"))  # HERE
    leak = only(guard, LeakKind.DROPPED, 1, "HERE")
    assert leak.hint == (
        f"read to its end what `{name}` of hintlib returned, or close it (a response:"
        " `close()` and then `release_conn()`); if that was no response and no stream,"
        " hintlib should do so, and is to be told"
    )


@pytest.mark.parametrize("name", ["mechanize", "pydruid"])
def test_a_library_whose_close_closes_nothing(
    name: str, guard: GuardControl, server: Server, tmp_path: Path
) -> None:
    """mechanize's pages and browsers, pydruid's cursors and connections."""
    source = """
    import urllib.request

    class Browser:
        def open(self, url):
            return urllib.request.urlopen(url)
    """
    guard.install(max_idle=30)
    with installed(tmp_path, name, textwrap.dedent(source)) as library:
        page = library.Browser().open(server.url("/bytes/900000"))  # HERE
        guard.advance(40)
        leak = only(guard, LeakKind.HELD, 1, "HERE")
    assert leak.hint == (
        f"read to its end what `open` of {name} returned when done with it: its"
        " `close()` leaves the connection open until the cycle collector comes"
    )
    page.close()


@pytest.mark.parametrize("name", ["block", "Block"])
def test_a_block_that_is_never_left(
    name: str, guard: GuardControl, server: Server, sdk: Any
) -> None:
    """Entered by an exit stack, or by hand; its twin is closed."""
    guard.install(max_idle=30)
    with httpx.Client() as client, contextlib.ExitStack() as closed:
        kept = contextlib.ExitStack()
        make, url = getattr(sdk, name), server.url("/bytes/900000")
        closed.enter_context(make(client, url))
        kept.enter_context(make(client, url))  # HERE
        closed.close()
        guard.advance(40)
        leak = only(guard, LeakKind.HELD, 1, "HERE")
        kept.close()
    assert leak.hint == (
        "leave the block of hintlib that is entered here when done with it: `with ..."
        " as ...:` does so at its end, and an exit stack when it is closed; where the"
        " response stays open even then, hintlib should close it, and is to be told"
    )


def test_a_block_of_a_task_that_is_never_left(
    guard: GuardControl, server: Server, sdk: Any
) -> None:
    async def program() -> Leak:
        async with httpx.AsyncClient() as client:
            block = sdk.ablock(client, server.url("/bytes/900000"))
            await block.__aenter__()  # HERE
            async with sdk.ablock(client, server.url("/bytes/900000")):
                pass
            guard.advance(40)
            leak = only(guard, LeakKind.HELD, 1, "HERE")
            await block.__aexit__(None, None, None)
            return leak

    guard.install(max_idle=30)
    leak = asyncio.run(program())
    assert leak.hint.startswith(
        "leave the block of hintlib that is entered here when done with it: `async with"
    )


def test_a_block_of_httpx_itself_has_httpx_s_hint(
    guard: GuardControl, server: Server
) -> None:
    guard.install(max_idle=30)
    with httpx.Client() as client:
        kept = contextlib.ExitStack()
        kept.enter_context(client.stream("GET", server.url("/bytes/900000")))  # HERE
        guard.advance(40)
        leak = only(guard, LeakKind.HELD, 1, "HERE")
        kept.close()
    assert leak.hint.startswith("call `response.close()` when done with it")


def test_what_a_constructor_opens(
    guard: GuardControl, server: Server, sdk: Any
) -> None:
    guard.install()
    service = sdk.Service(server.url("/bytes/90000"))  # HERE
    del service
    gc.collect()
    leak = only(guard, LeakKind.DROPPED, 1, "HERE")
    assert leak.hint.startswith(
        "read to its end the object of hintlib that is made here, or close it"
        " (a response: `close()`);"
    )


def aws(server: Server, service: str) -> Any:
    boto3 = pytest.importorskip("boto3")
    return boto3.client(
        service,
        endpoint_url=server.url(""),
        region_name="us-east-1",
        aws_access_key_id="access",
        aws_secret_access_key="secret",
    )


@pytest.mark.usefixtures("small_heap")  # What holds it is found in time.
def test_a_stream_of_events_of_botocore(guard: GuardControl, server: Server) -> None:
    bedrock = aws(server, "bedrock-runtime")
    guard.install(max_idle=30, explain=10)
    kept = []
    for _ in range(2):
        answer = bedrock.invoke_model_with_response_stream(modelId="m")  # HERE
        kept.append(answer)
    read = bedrock.invoke_model_with_response_stream(modelId="m")
    assert [event["chunk"]["bytes"] for event in read["body"]] == [b"x"] * 500
    guard.check()
    guard.advance(40)
    leak = only(guard, LeakKind.HELD, 2, "HERE")
    assert leak.hint.startswith(
        "iterate over the `EventStream` to its end, or call its `close()` when done"
    )
    for answer in kept:
        assert httpguard.touch(answer["body"])
        answer["body"].close()
    guard.check()
    guard.advance(40)
    assert [leak.resolved for leak in guard.check().leaks] == [2]


@pytest.mark.usefixtures("small_heap")  # What holds it is found in time.
def test_a_body_of_botocore(guard: GuardControl, server: Server) -> None:
    s3 = aws(server, "s3")
    guard.install(max_idle=30, explain=10)
    kept = s3.get_object(Bucket="bucket", Key="key")  # HERE
    assert s3.get_object(Bucket="bucket", Key="key")["Body"].read()
    guard.check()
    guard.advance(40)
    leak = only(guard, LeakKind.HELD, 1, "HERE")
    assert leak.hint.startswith(
        "read the `StreamingBody` to its end, or call its `close()` when done with it;"
    )
    assert leak.hint.endswith("say so with `httpguard.touch(stream)`")
    assert httpguard.touch(kept["Body"])
    kept["Body"].close()
    assert not httpguard.touch(kept["Body"])


def test_a_dropped_stream_of_botocore(guard: GuardControl, server: Server) -> None:
    bedrock, s3 = aws(server, "bedrock-runtime"), aws(server, "s3")
    guard.install()
    bedrock.invoke_model_with_response_stream(modelId="m")  # HERE
    s3.get_object(Bucket="bucket", Key="key")["Body"].close()
    gc.collect()  # With urllib3 1.26 it goes in a cycle.
    leak = only(guard, LeakKind.DROPPED, 1, "HERE")
    assert leak.hint == (
        "read the `StreamingBody` to its end or iterate over the `EventStream` to its"
        " end, or call its `close()` in a `finally:`"
    )


def test_a_held_one_of_httpx(guard: GuardControl, server: Server, sdk: Any) -> None:
    guard.install(max_idle=5)
    kept = sdk.Httpx()
    response = kept.stream(server.url("/bytes/900000"))  # HERE
    guard.check()
    guard.advance(6)
    leak = only(guard, LeakKind.HELD, 1, "HERE")
    assert leak.hint.startswith(
        "read to its end what `stream` of hintlib returned, or close it when done with"
        " it (a response: `response.close()`);"
    )
    response.close()


def test_the_words_of_async_httpx(
    guard: GuardControl, server: Server, sdk: Any
) -> None:
    guard.install(max_idle=5)

    async def main() -> Leak:
        service = sdk.AsyncHttpx()
        response = await service.stream(server.url("/bytes/900000"))
        guard.check()
        guard.advance(6)
        (leak,) = guard.check().leaks
        await response.aclose()
        await service.client.aclose()
        return leak

    leak = asyncio.run(main())
    assert (leak.kind, leak.count) == (LeakKind.HELD, 1)
    assert leak.site.function == "main"
    assert leak.hint.startswith(
        "read to its end what `stream` of hintlib returned, or close it when done with"
        " it (a response: `await response.aclose()`);"
    )


def test_the_words_of_httpx_on_aiohttp(guard: GuardControl, server: Server) -> None:
    openai = pytest.importorskip("openai")
    if sys.version_info < (3, 11) or not hasattr(openai, "DefaultAioHttpClient"):
        pytest.skip("openai has no client of httpx on aiohttp here")
    guard.install(max_idle=5)

    async def main() -> tuple[Leak, ...]:
        async with openai.DefaultAioHttpClient() as client:
            request = client.build_request("GET", server.url("/bytes/900000"))
            async with client.stream("GET", request.url):
                pass
            await client.send(request)
            kept = await client.send(request, stream=True)
            guard.check()
            guard.advance(6)
            guard.check()
            assert httpguard.touch(kept)
            await kept.aclose()
            assert not httpguard.touch(kept)
            del kept
            await client.send(request, stream=True)
            for _ in range(4):
                gc.collect()
                await asyncio.sleep(0)
                guard.check()
            return guard.check().leaks

    leaks = {leak.kind: leak for leak in asyncio.run(main())}
    assert leaks.keys() == {LeakKind.HELD, LeakKind.DROPPED}
    assert {leak.count for leak in leaks.values()} == {1}
    assert {leak.site.function for leak in leaks.values()} == {"main"}
    assert {leak.client for leak in leaks.values()} == {"aiohttp"}
    held, dropped = leaks[LeakKind.HELD].hint, leaks[LeakKind.DROPPED].hint
    assert held.startswith("`await response.aclose()` when done with it")
    assert held.endswith("say so with `httpguard.touch(response)`")
    assert dropped.startswith("open it with `async with client.stream(...)")


@pytest.mark.usefixtures("small_heap")  # What holds it is found in time.
def test_the_body_alone_of_aiohttp(guard: GuardControl, server: Server) -> None:
    aiohttp = pytest.importorskip("aiohttp")
    guard.install(max_idle=5, explain=10)

    async def main() -> Leak:
        async with aiohttp.ClientSession() as session:
            kept = [(await session.get(server.url("/bytes/900000"))).content]
            guard.check()
            guard.advance(6)
            guard.check()
            assert await kept[0].read()
            (leak,) = guard.check().leaks
            return leak

    leak = asyncio.run(main())
    assert (leak.kind, leak.count, leak.resolved) == (LeakKind.HELD, 1, 1)
    assert leak.site.function == "main"
    assert leak.hint == (
        "what is held is the body, `response.content`: `await` its `read()`, or keep"
        " the response with it, and call `response.release()` when done with it"
    )
    assert " -> [cut: list[0]] -> StreamReader._eof_callbacks -> " in str(leak.held_by)


@pytest.mark.parametrize("kind", ["Service", "Httpx"])
def test_the_sessions_of_a_library(
    kind: str, guard: GuardControl, server: Server, sdk: Any
) -> None:
    guard.install(max_sessions=2, max_idle=5)
    kept = []
    for _ in range(5):
        kept.append(getattr(sdk, kind)())  # HERE
        kept[-1].ask(server.url("/bytes/10"))
    guard.check()
    guard.advance(6)
    leak = only(guard, LeakKind.SESSION, 3, "HERE")
    assert leak.hint == (
        "keep the object of hintlib that is made here and use it for all requests, or"
        " close it when done with it: what is left open was made by hintlib"
    )
    del kept
    gc.collect()


def test_who_has_called_the_client_itself(
    guard: GuardControl, server: Server, sdk: Any
) -> None:
    guard.install()
    assert sdk.of_requests
    requests.get(server.url("/bytes/90000"), stream=True)  # HERE
    leak = only(guard, LeakKind.DROPPED, 1, "HERE")
    assert leak.hint.startswith("open it with `with requests.get(..., stream=True)")


def test_who_has_called_a_proxy_of_xmlrpc(guard: GuardControl, server: Server) -> None:
    guard.install(max_idle=5)
    proxy = ServerProxy(server.url("/chunked-status/500"))
    with pytest.raises(ProtocolError):
        proxy.pay()  # HERE
    guard.check()
    guard.advance(6)
    leak = only(guard, LeakKind.HELD, 1, "HERE")
    assert 'call `proxy("close")()` on its `ServerProxy`' in leak.hint
    # What it says is so: `close` ends it, and the next call is a new one.
    proxy("close")()
    assert not guard.check().open
    with pytest.raises(ProtocolError):
        proxy.pay()
    proxy("close")()


def test_a_transport_that_a_library_has_for_xmlrpc(
    guard: GuardControl, server: Server, sdk: Any
) -> None:
    guard.install(max_idle=5)
    transport = sdk.Transport()
    with pytest.raises(ProtocolError):
        ServerProxy(server.url("/bytes/90000"), transport).pay()  # HERE
    guard.check()
    guard.advance(6)
    leak = only(guard, LeakKind.HELD, 1, "HERE")
    assert leak.hint.startswith("read to its end what `single_request` of hintlib")
    transport.response.close()


def test_the_proxies_of_xmlrpc(guard: GuardControl, server: Server) -> None:
    guard.install(max_sessions=2, max_idle=5)
    kept = []
    for _ in range(5):
        kept.append(ServerProxy(server.url("/status/500")))
        with pytest.raises(ProtocolError):
            kept[-1].pay()  # HERE
    guard.check()
    guard.advance(6)
    leak = only(guard, LeakKind.SESSION, 3, "HERE")
    assert leak.hint.startswith("keep one `ServerProxy` and use it for all calls")
    for proxy in kept:
        proxy("close")()
