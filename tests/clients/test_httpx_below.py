"""Streams that hooks and transports of the program put around httpx's."""

from __future__ import annotations

import dataclasses
import gc
import inspect
import sys
from typing import TYPE_CHECKING, Any

import pytest
import wrapt

from httpguard import LeakKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import GuardControl
    from tests.server import Server

    Around = Callable[[Any], Any]


def slots(httpx: Any) -> Around:
    @dataclasses.dataclass(slots=True)
    class Slots(httpx.SyncByteStream):  # type: ignore[misc]
        below: Any

        def __iter__(self) -> Iterator[bytes]:
            return iter(self.below)

        def close(self) -> None:
            self.below.close()

    return lambda response: Slots(response.stream)


def in_a_list(httpx: Any) -> Around:
    class Parts(httpx.SyncByteStream):  # type: ignore[misc]
        def __init__(self, response: Any) -> None:
            self.parts = [httpx.ByteStream(b"head"), response.stream]

        def __iter__(self) -> Iterator[bytes]:
            for part in self.parts:
                yield from part

        def close(self) -> None:
            self.parts[-1].close()

    return Parts


def after_another(httpx: Any) -> Around:
    class Joined(httpx.SyncByteStream):  # type: ignore[misc]
        def __init__(self, response: Any) -> None:
            self.head = httpx.ByteStream(b"head")
            self.tail = response.stream

        def __iter__(self) -> Iterator[bytes]:
            yield from self.head
            yield from self.tail

        def close(self) -> None:
            self.tail.close()

    return Joined


def generator(httpx: Any) -> Around:
    class Generated(httpx.SyncByteStream):  # type: ignore[misc]
        def __init__(self, response: Any) -> None:
            self._stream = (chunk for chunk in response.stream)
            self.end = response.stream.close

        def __iter__(self) -> Iterator[bytes]:
            return self._stream

        def close(self) -> None:
            self.end()

    return Generated


def beside_the_response(httpx: Any) -> Around:
    class Both(httpx.SyncByteStream):  # type: ignore[misc]
        def __init__(self, response: Any) -> None:
            self.response = response
            self.source = response.stream

        def __iter__(self) -> Iterator[bytes]:
            return iter(self.source)

        def close(self) -> None:
            self.source.close()

    return Both


def proxy(_: Any) -> Around:
    class Proxy(wrapt.ObjectProxy):  # type: ignore[type-arg]
        def __iter__(self) -> Iterator[bytes]:
            return iter(self.__wrapped__)

    return lambda response: Proxy(response.stream)


def seven(httpx: Any) -> Around:
    around = after_another(httpx)

    class Bare:
        def __init__(self, stream: Any) -> None:
            self.stream = stream

    def again(response: Any) -> Any:
        stream = response.stream
        for _ in range(7):
            stream = around(Bare(stream))
        return stream

    return again


AROUND = [slots, in_a_list, after_another, generator, beside_the_response, seven, proxy]


def asking(httpx: Any, make: Any, how: str) -> Any:
    """A client whose answers have such a stream."""
    around = make(httpx)
    if how == "hook":

        def hook(response: Any) -> None:
            response.stream = around(response)

        return httpx.Client(event_hooks={"response": [hook]})

    class Transport(httpx.HTTPTransport):  # type: ignore[misc]
        def handle_request(self, request: Any) -> Any:
            got = super().handle_request(request)
            return httpx.Response(
                got.status_code, headers=got.headers, stream=around(got)
            )

    return httpx.Client(transport=Transport())


@pytest.mark.parametrize("how", ["hook", "transport"])
@pytest.mark.parametrize("make", AROUND)
def test_what_a_stream_of_the_program_is_around(
    httpx: Any, make: Any, how: str, guard: GuardControl, server: Server
) -> None:
    """In whatever way it has that: the line is the application's."""
    guard.install(max_idle=30)
    with asking(httpx, make, how) as client:

        def ask() -> Any:
            request = client.build_request("GET", server.url("/bytes/900000"))
            return client.send(request, stream=True)

        line = sys._getframe().f_lineno - 2
        for _ in range(3):
            assert len(ask().read()) >= 900_000
            ask().close()
            client.get(server.url("/lines"))
        gc.collect()
        guard.check()
        assert guard.check().leaks == ()
        kept = ask()
        for _ in range(2):
            ask()
        gc.collect()
        guard.check()
        guard.advance(40)
        found = {leak.kind: leak for leak in guard.check().leaks}
        kept.close()
    assert {kind: leak.count for kind, leak in found.items()} == {
        LeakKind.HELD: 1,
        LeakKind.DROPPED: 2,
    }
    assert {(leak.site.filename, leak.site.lineno) for leak in found.values()} == {
        (__file__, line)
    }


@pytest.mark.usefixtures("no_collections")
def test_who_has_what_lies_between_can_close_it(
    guard: GuardControl, server: Server
) -> None:
    httpx = pytest.importorskip("httpx")
    guard.install()
    with asking(httpx, in_a_list, "hook") as client:
        request = client.build_request("GET", server.url("/bytes/900000"))
        parts = client.send(request, stream=True).stream.parts
        for _ in range(3):
            assert guard.check().leaks == ()
        parts[-1].close()
        gc.collect()
        assert guard.check().leaks == ()
        assert guard.check().counters["released"] == 1


@pytest.mark.parametrize("make", [slots, after_another])
def test_an_answer_made_up_for_what_another_brings_is_none(
    httpx: Any, make: Any, guard: GuardControl, server: Server
) -> None:
    """The body of its request is below it no more than the answers before."""
    guard.install(max_idle=30)

    class MadeUp(httpx.BaseTransport):  # type: ignore[misc]
        def handle_request(self, _: Any) -> Any:
            return httpx.Response(200, stream=httpx.ByteStream(b"done"))

    with asking(httpx, make, "hook") as client:
        request = client.build_request("GET", server.url("/bytes/900000"))
        with httpx.Client(transport=MadeUp()) as other:
            source = client.send(request, stream=True)
            upload = other.build_request("POST", "http://x/", content=source.iter_raw())
            answer = other.send(upload, stream=True)
            assert [one.length for one in guard.check().open] == [900_000]
            source.close()
            answer.close()
            assert guard.check().counters["opened"] == 1


def test_who_has_the_stream_alone_can_close_it(
    httpx: Any, guard: GuardControl, server: Server
) -> None:
    """In a response made anew; the one that it was of is gone."""

    class Anew(httpx.Client):  # type: ignore[misc]
        def send(self, request: Any, **options: Any) -> Any:
            got = super().send(request, **options)
            return httpx.Response(got.status_code, stream=got.stream, request=request)

    guard.install(max_idle=30)
    with Anew() as client:

        def ask() -> Any:
            request = client.build_request("GET", server.url("/bytes/900000"))
            return client.send(request, stream=True)

        for _ in range(2):
            response = ask()
            gc.collect()
            guard.check()
            assert guard.check().leaks == ()
            guard.advance(20)
            chunks = response.iter_bytes()
            assert next(chunks)
            if httpx.__name__ == "httpx2":  # Of httpx it is seen that nobody reads.
                guard.advance(20)
            assert guard.check().leaks == ()
            response.close()
        assert guard.check().counters["released"] == 2
        ask()
        gc.collect()
        guard.check()
        kept = ask()
        gc.collect()
        assert [leak.count for leak in guard.check().leaks] == [1]
        del kept
        gc.collect()
        guard.check()
        (leak,) = guard.check().leaks
    assert (leak.kind, leak.count) == (LeakKind.DROPPED, 2)
    assert leak.site.lineno == inspect.getsourcelines(Anew.send)[1] + 1


def test_what_a_task_has_of_a_stream_alone(
    httpx: Any, run: Any, guard: GuardControl, server: Server
) -> None:
    guard.install(max_idle=30)

    async def program() -> None:
        async with httpx.AsyncClient() as client:

            async def ask() -> Any:
                request = client.build_request("GET", server.url("/bytes/900000"))
                return (await client.send(request, stream=True)).stream

            stream = await ask()
            gc.collect()
            guard.check()
            assert guard.check().leaks == ()
            await stream.aclose()
            assert guard.check().counters["released"] == 1
            stream = await ask()
            gc.collect()
            guard.check()
            del stream
            gc.collect()
            guard.check()
            (leak,) = guard.check().leaks
            assert (leak.kind, leak.count) == (LeakKind.DROPPED, 1)
            assert leak.site.function == "ask"

    run(program)
