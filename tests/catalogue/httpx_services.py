"""httpx and httpx2 as services use them: SDKs, retries, transports, uploads, events."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import queue
import threading
import uuid
from functools import wraps
from typing import TYPE_CHECKING, Any

from ._httpx import harmless, leaking

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.server import Address


def api(httpx: Any, server: Address, *, closes: bool) -> Any:
    """An SDK: a client of its own, errors of its own, streams of its own."""

    class FailedError(Exception):
        pass

    class Api:
        def __init__(self) -> None:
            self.client = httpx.Client(base_url=server.url(""))

        def call(self, path: str) -> Any:
            request = self.client.build_request("GET", path)
            response = self.client.send(request, stream=True)  # LEAK
            if response.status_code >= 400:
                if closes:
                    response.close()
                raise FailedError(response.status_code)
            return response

    return Api(), FailedError


@leaking(count=2)
def errors_of_an_sdk(httpx: Any, server: Address) -> object:
    """The error says the status, and nobody has the response."""

    class FailedError(Exception):
        pass

    client = httpx.Client(base_url=server.url(""))

    def call(path: str) -> Any:
        request = client.build_request("GET", path)
        response = client.send(request, stream=True)  # LEAK
        if response.status_code >= 400:
            raise FailedError(response.status_code)
        return response.read()

    for _ in range(2):
        with contextlib.suppress(FailedError):
            call("/status/500")
    assert call("/lines")
    gc.collect()
    return client


@harmless(twin_of=errors_of_an_sdk)
def errors_of_an_sdk_that_closes(httpx: Any, server: Address) -> object:
    """Closed before the error is raised."""
    one, failed = api(httpx, server, closes=True)
    for _ in range(2):
        with contextlib.suppress(failed):
            one.call("/status/500")
    one.call("/lines").read()
    gc.collect()
    return one


@leaking(count=2)
async def retried_with_backoff(httpx: Any, server: Address) -> None:
    """A decorator asks again and forgets what it got before."""
    import anyio

    async with httpx.AsyncClient() as client:

        def retry(function: Any) -> Any:
            @wraps(function)
            async def again(*args: Any) -> Any:
                for _ in range(3):
                    response = await function(*args)
                    if response.status_code < 500:
                        break
                    await anyio.sleep(0.001)
                return response

            return again

        @retry
        async def fetch(path: str) -> Any:
            request = client.build_request("GET", server.url(path))
            return await client.send(request, stream=True)  # LEAK

        for key in ("a", "b"):
            name = f"/flaky/{uuid.uuid4().hex}-{key}"
            await (await fetch(name)).aread()
        gc.collect()


@harmless(twin_of=retried_with_backoff)
async def retried_with_backoff_and_closed(httpx: Any, server: Address) -> None:
    """The one before is closed."""
    import anyio

    async with httpx.AsyncClient() as client:
        for key in ("a", "b"):
            name = f"/flaky/{uuid.uuid4().hex}-{key}"
            for _ in range(3):
                async with client.stream("GET", server.url(name)) as response:
                    if response.status_code < 500:
                        await response.aread()
                        break
                await anyio.sleep(0.001)
        gc.collect()


@leaking()
def subclass_that_raises(httpx: Any, server: Address) -> object:
    """A client of the program's own checks the status in ``send``."""

    class Checked(httpx.Client):  # type: ignore[misc]  # either package
        def send(self, request: Any, **options: Any) -> Any:
            response = super().send(request, **options)  # LEAK
            if response.is_error:
                msg = "no"
                raise ValueError(msg)
            return response

    client = Checked()
    with (
        contextlib.suppress(ValueError),
        client.stream("GET", server.url("/status/500")),
    ):
        pass
    gc.collect()
    return client


@harmless(twin_of=subclass_that_raises)
def subclass_that_raises_and_closes(httpx: Any, server: Address) -> object:
    """The same, closed first."""

    class Checked(httpx.Client):  # type: ignore[misc]  # either package
        def send(self, request: Any, **options: Any) -> Any:
            response = super().send(request, **options)
            if response.is_error:
                response.close()
                msg = "no"
                raise ValueError(msg)
            return response

    client = Checked()
    with (
        contextlib.suppress(ValueError),
        client.stream("GET", server.url("/status/500")),
    ):
        pass
    gc.collect()
    return client


@leaking()
def transport_that_retries(httpx: Any, server: Address) -> object:
    """It asks again, below the client, and forgets the first answer."""

    class Retrying(httpx.BaseTransport):  # type: ignore[misc]  # either package
        def __init__(self) -> None:
            self.inner = httpx.HTTPTransport()

        def handle_request(self, request: Any) -> Any:
            response = self.inner.handle_request(request)  # LEAK
            if response.status_code >= 500:
                response = self.inner.handle_request(request)
            return response

    client = httpx.Client(transport=Retrying())
    key = f"/flaky/{uuid.uuid4().hex}-transport"
    assert client.get(server.url(key)).status_code == 200
    gc.collect()
    return client


@harmless(twin_of=transport_that_retries)
def transport_that_retries_and_closes(httpx: Any, server: Address) -> object:
    """What it will not return it closes."""

    class Retrying(httpx.HTTPTransport):  # type: ignore[misc]  # either package
        def handle_request(self, request: Any) -> Any:
            response = super().handle_request(request)
            if response.status_code >= 500:
                response.close()
                response = super().handle_request(request)
            return response

    client = httpx.Client(transport=Retrying())
    key = f"/flaky/{uuid.uuid4().hex}-transport"
    with client.stream("GET", server.url(key)) as response:
        assert response.status_code == 200
    gc.collect()
    return client


@harmless(twin_of=transport_that_retries)
def transport_that_makes_another(httpx: Any, server: Address) -> object:
    """It hands on the stream in a response of its own, as caches do."""

    class Wrapping(httpx.HTTPTransport):  # type: ignore[misc]  # either package
        def handle_request(self, request: Any) -> Any:
            inner = super().handle_request(request)
            return httpx.Response(
                inner.status_code,
                headers=inner.headers,
                stream=inner.stream,
                extensions=inner.extensions,
            )

    client = httpx.Client(transport=Wrapping())
    for _ in range(3):
        with client.stream("GET", server.url("/lines")) as response:
            gc.collect()
            assert response.read()
    return client


@leaking()
async def async_transport_that_retries(httpx: Any, server: Address) -> None:
    """As of threads."""

    class Retrying(httpx.AsyncHTTPTransport):  # type: ignore[misc]  # either package
        async def handle_async_request(self, request: Any) -> Any:
            response = await super().handle_async_request(request)  # LEAK
            if response.status_code >= 500:
                response = await super().handle_async_request(request)
            return response

    async with httpx.AsyncClient(transport=Retrying()) as client:
        key = f"/flaky/{uuid.uuid4().hex}-atransport"
        assert (await client.get(server.url(key))).status_code == 200
        gc.collect()


@harmless(twin_of=async_transport_that_retries)
async def async_transport_that_closes(httpx: Any, server: Address) -> None:
    """As of threads."""

    class Retrying(httpx.AsyncHTTPTransport):  # type: ignore[misc]  # either package
        async def handle_async_request(self, request: Any) -> Any:
            response = await super().handle_async_request(request)
            if response.status_code >= 500:
                await response.aclose()
                response = await super().handle_async_request(request)
            return response

    async with httpx.AsyncClient(transport=Retrying()) as client:
        key = f"/flaky/{uuid.uuid4().hex}-atransport"
        assert (await client.get(server.url(key))).status_code == 200
        gc.collect()


@leaking()
def digest_of_a_stream(httpx: Any, server: Address) -> object:
    """The first of two answers httpx reads itself; the second nobody does."""
    client = httpx.Client(auth=httpx.DigestAuth("user", "secret"))
    request = client.build_request("GET", server.url("/auth-digest"))
    status = client.send(request, stream=True).status_code  # LEAK
    assert status == 200
    gc.collect()
    return client


@harmless(twin_of=digest_of_a_stream)
def digest_of_a_stream_read(httpx: Any, server: Address) -> object:
    """Both are read."""
    client = httpx.Client(auth=httpx.DigestAuth("user", "secret"))
    with client.stream("GET", server.url("/auth-digest")) as response:
        assert response.read()
    gc.collect()
    return client


@leaking()
async def upload_by_a_generator(httpx: Any, server: Address) -> None:
    """The body goes up; the answer is not looked at."""

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 1000

    async with httpx.AsyncClient() as client:
        request = client.build_request("POST", server.url("/echo"), content=parts())
        await client.send(request, stream=True)  # LEAK
        gc.collect()


@harmless(twin_of=upload_by_a_generator)
async def upload_by_a_generator_read(httpx: Any, server: Address) -> None:
    """Read by httpx."""

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 1000

    async with httpx.AsyncClient() as client:
        response = await client.post(server.url("/echo"), content=parts())
        assert len(response.content) == 20_000
        gc.collect()


@leaking("held")
def events_until_one(httpx: Any, server: Address) -> object:
    """Server-sent events up to the one that was waited for; the iterator is kept."""
    client = httpx.Client()
    request = client.build_request("GET", server.url("/sse-chunked"))
    response = client.send(request, stream=True)  # LEAK
    events = response.iter_lines()
    assert next(events) == "data: event 0"
    return client, events


@harmless(twin_of=events_until_one)
def events_to_the_end(httpx: Any, server: Address) -> object:
    """All of them."""
    client = httpx.Client()
    with client.stream("GET", server.url("/sse-chunked")) as response:
        events = response.iter_lines()
        assert len(list(events)) == 8000
    return client, events


@harmless(twin_of=events_until_one)
def events_that_a_thread_waits_for(httpx: Any, server: Address) -> Iterator[None]:
    """Nothing comes for long: a thread is in the read."""
    client = httpx.Client(timeout=60)
    seen: queue.Queue[bytes] = queue.Queue()
    key = f"{uuid.uuid4().hex}-waits"

    def listen() -> None:
        with client.stream("GET", server.url(f"/slow/{key}")) as response:
            for chunk in response.iter_raw():
                seen.put(chunk)

    thread = threading.Thread(target=listen)
    thread.start()
    assert seen.get(timeout=30)
    for _ in range(3):
        yield
    client.get(server.url(f"/finish/{key}"))
    thread.join(30)


@leaking("held")
def compressed_and_half_read(httpx: Any, server: Address) -> object:
    """Of a gzipped body as much as was wanted."""
    client = httpx.Client()
    request = client.build_request("GET", server.url("/gzip-file"))
    response = client.send(request, stream=True)  # LEAK
    chunks = response.iter_raw(1000)
    next(chunks)
    return client, chunks


@harmless(twin_of=compressed_and_half_read)
def compressed_and_read(httpx: Any, server: Address) -> object:
    """All of it, decoded."""
    client = httpx.Client()
    with client.stream("GET", server.url("/gzip")) as response:
        assert sum(map(len, response.iter_bytes())) == 90_000
    return client, response


@leaking(loops=("asyncio",))
async def lost_by_a_timeout(httpx: Any, server: Address) -> None:
    """The time is over while the program does something with the head."""
    async with httpx.AsyncClient() as client:

        async def fetch() -> bytes:
            request = client.build_request("GET", server.url("/lines"))
            response = await client.send(request, stream=True)  # LEAK
            await asyncio.sleep(30)
            body: bytes = await response.aread()
            return body

        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(fetch(), 0.3)
        # From CPython 3.12 on the error's traceback lives until this task waits again.
        await asyncio.sleep(0)
        gc.collect()


@harmless(twin_of=lost_by_a_timeout, loops=("asyncio",))
async def timeout_in_a_read(httpx: Any, server: Address) -> None:
    """httpx closes what is cancelled in a read."""
    async with httpx.AsyncClient() as client:

        async def fetch() -> bytes:
            url = server.url(f"/slow/{uuid.uuid4().hex}-cancelled")
            request = client.build_request("GET", url)
            response = await client.send(request, stream=True)
            body: bytes = await response.aread()
            return body

        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(fetch(), 0.3)
        gc.collect()


@leaking("held", count=2)
def errors_in_a_chain(httpx: Any, server: Address) -> object:
    """The program's errors keep httpx's, and these their responses."""
    client = httpx.Client()

    def fail() -> Exception:
        request = client.build_request("GET", server.url("/status/500"))
        response = client.send(request, stream=True)  # LEAK
        error = RuntimeError("failed")
        try:
            response.raise_for_status()
        except httpx.HTTPStatusError as cause:
            error.__cause__ = cause.with_traceback(None)
        return error

    return client, [fail(), fail()]


@harmless(twin_of=errors_in_a_chain)
def errors_in_a_chain_read(httpx: Any, server: Address) -> object:
    """Read before the error is raised."""
    client = httpx.Client()

    def fail() -> Exception | None:
        with client.stream("GET", server.url("/status/500")) as response:
            response.read()
        try:
            response.raise_for_status()
        except httpx.HTTPStatusError as cause:
            return cause  # type: ignore[no-any-return]  # either package
        return None

    return client, [fail(), fail()]
