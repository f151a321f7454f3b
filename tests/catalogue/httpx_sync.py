"""httpx and httpx2, sync: a response that is not read keeps its slot for ever."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import httpguard

from ._httpx import harmless, leaking

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.server import Address


@leaking()
def unread(httpx: Any, server: Address) -> object:
    """A streamed response of which only the status is asked."""
    client = httpx.Client()
    request = client.build_request("GET", server.url("/lines"))
    response = client.send(request, stream=True)  # LEAK
    assert response.status_code == 200
    return client


@harmless(twin_of=unread)
def read_at_once(httpx: Any, server: Address) -> object:
    """What httpx does where nobody says stream."""
    client = httpx.Client()
    assert client.get(server.url("/lines")).status_code == 200
    return client


@leaking(count=3)
def early_return(httpx: Any, server: Address) -> object:
    """The path that does not read."""
    client = httpx.Client()

    def fetch(path: str) -> bytes | None:
        request = client.build_request("GET", server.url(path))
        response = client.send(request, stream=True)  # LEAK
        if response.status_code != 200:
            return None
        body: bytes = response.read()
        return body

    for path in ("/lines", "/status/500", "/status/404", "/status/403", "/lines"):
        fetch(path)
    return client


@harmless(twin_of=early_return)
def early_return_in_with(httpx: Any, server: Address) -> object:
    """The with block closes on every path."""
    client = httpx.Client()
    for path in ("/lines", "/status/500", "/status/404"):
        with client.stream("GET", server.url(path)) as response:
            if response.status_code == 200:
                response.read()
    return client


@leaking()
def error_before_read(httpx: Any, server: Address) -> object:
    """An exception between the opening and the read."""
    client = httpx.Client()

    def fetch() -> None:
        request = client.build_request("GET", server.url("/status/500"))
        response = client.send(request, stream=True)  # LEAK
        response.raise_for_status()
        response.read()

    with suppress(httpx.HTTPStatusError):
        fetch()
    return client


@harmless(twin_of=error_before_read)
def error_with_finally(httpx: Any, server: Address) -> object:
    """The same with a finally."""
    client = httpx.Client()

    def fetch() -> None:
        request = client.build_request("GET", server.url("/status/500"))
        response = client.send(request, stream=True)
        try:
            response.raise_for_status()
        finally:
            response.close()

    with suppress(httpx.HTTPStatusError):
        fetch()
    return client


@leaking()
def head(httpx: Any, server: Address) -> object:
    """A HEAD has no body, and still keeps its slot until it is closed."""
    client = httpx.Client()
    request = client.build_request("HEAD", server.url("/lines"))
    assert client.send(request, stream=True).headers  # LEAK
    return client


@harmless(twin_of=head)
def head_at_once(httpx: Any, server: Address) -> object:
    """Without stream there is nothing to close."""
    client = httpx.Client()
    assert client.head(server.url("/lines")).headers
    return client


@leaking()
def empty_body(httpx: Any, server: Address) -> object:
    """An empty body too."""
    client = httpx.Client()
    request = client.build_request("GET", server.url("/bytes/0"))
    assert client.send(request, stream=True)  # LEAK
    return client


@harmless(twin_of=empty_body)
def empty_body_read(httpx: Any, server: Address) -> object:
    """Reading nothing is enough."""
    client = httpx.Client()
    request = client.build_request("GET", server.url("/bytes/0"))
    assert client.send(request, stream=True).read() == b""
    return client


@leaking(count=4)
def threads(httpx: Any, server: Address) -> object:
    """A client that threads share."""
    client = httpx.Client()

    def fetch(_: int) -> int:
        request = client.build_request("GET", server.url("/lines"))
        code: int = client.send(request, stream=True).status_code  # LEAK
        return code

    with ThreadPoolExecutor(2) as pool:
        assert set(pool.map(fetch, range(4))) == {200}
    return client


@harmless(twin_of=threads)
def threads_that_read(httpx: Any, server: Address) -> object:
    """The same, read in another thread than the one that opened them."""
    client = httpx.Client()
    request = client.build_request("GET", server.url("/lines"))
    response = client.send(request, stream=True)
    thread = threading.Thread(target=response.read)
    thread.start()
    thread.join()
    return client, response


@leaking()
def redirected(httpx: Any, server: Address) -> object:
    """What httpx follows it reads itself; the last answer is the program's."""
    client = httpx.Client(follow_redirects=True)
    request = client.build_request("GET", server.url("/redirect/2"))
    response = client.send(request, stream=True)  # LEAK
    assert len(response.history) == 2
    return client


@harmless(twin_of=redirected)
def redirected_and_read(httpx: Any, server: Address) -> object:
    """The same, read."""
    client = httpx.Client(follow_redirects=True)
    with client.stream("GET", server.url("/redirect/2")) as response:
        assert response.read()
    return client


@leaking()
def own_client(httpx: Any, server: Address) -> object:
    """A client derived from httpx's."""

    class Api(httpx.Client):  # type: ignore[misc]  # either package
        def open(self, path: str) -> Any:
            request = self.build_request("GET", server.url(path))
            return self.send(request, stream=True)  # LEAK

    api = Api()
    assert api.open("/lines").status_code == 200
    return api


@harmless(twin_of=own_client)
def own_client_that_closes(httpx: Any, server: Address) -> object:
    """Its user closes."""

    class Api(httpx.Client):  # type: ignore[misc]  # either package
        def open(self, path: str) -> Any:
            request = self.build_request("GET", server.url(path))
            return self.send(request, stream=True)

    api = Api()
    api.open("/lines").close()
    return api


@leaking()
def generator_not_started(httpx: Any, server: Address) -> object:
    """A generator that nobody asks for its first line."""
    client = httpx.Client()

    def lines() -> Iterator[str]:
        request = client.build_request("GET", server.url("/lines"))
        response = client.send(request, stream=True)  # LEAK
        return iter(response.iter_lines())

    lines()
    return client


@harmless(twin_of=generator_not_started)
def broken_off(httpx: Any, server: Address) -> object:
    """A body that was begun and dropped is closed by its generator."""
    client = httpx.Client()
    request = client.build_request("GET", server.url("/lines"))
    for _ in client.send(request, stream=True).iter_bytes(100):
        break
    return client


@leaking("held")
def kept(httpx: Any, server: Address) -> object:
    """A response that nobody reads any more, and that is kept."""
    client = httpx.Client()
    request = client.build_request("GET", server.url("/lines"))
    return [client, client.send(request, stream=True)]  # LEAK


@harmless(twin_of=kept)
def kept_and_read(httpx: Any, server: Address) -> object:
    """It may be kept once it was read."""
    client = httpx.Client()
    request = client.build_request("GET", server.url("/lines"))
    response = client.send(request, stream=True)
    response.read()
    return [client, response]


@harmless(twin_of=kept)
def kept_beyond_its_client(httpx: Any, server: Address) -> object:
    """The client is closed, and nothing is left to give back."""
    with httpx.Client() as client:
        request = client.build_request("GET", server.url("/lines"))
        return client.send(request, stream=True)


@leaking("held")
def parked(httpx: Any, server: Address) -> object:
    """A generator that has given its first line, and is asked for no other."""
    client = httpx.Client()
    request = client.build_request("GET", server.url("/lines"))
    response = client.send(request, stream=True)  # LEAK
    lines = response.iter_lines()
    assert next(lines)
    return [client, lines, response]


@harmless(twin_of=parked)
def slow_reader(httpx: Any, server: Address) -> Iterator[None]:
    """It takes its time, and reads."""
    client = httpx.Client()
    with client.stream("GET", server.url("/lines")) as response:
        chunks = response.iter_raw(1000)
        for _ in range(3):
            assert next(chunks)
            # Time passes.
            yield
    client.close()


@harmless(twin_of=parked)
def touched(httpx: Any, server: Address) -> Iterator[None]:
    """It says that it still needs the response."""
    client = httpx.Client()
    request = client.build_request("GET", server.url("/lines"))
    response = client.send(request, stream=True)
    for _ in range(3):
        assert httpguard.touch(response)
        yield
    response.close()


@leaking("open")
def left_in_a_scope(httpx: Any, server: Address) -> object:
    """A scope ends with an open response."""
    client = httpx.Client()
    request = client.build_request("GET", server.url("/lines"))
    return client, client.send(request, stream=True)  # LEAK


@harmless(twin_of=left_in_a_scope)
def closed_in_a_scope(httpx: Any, server: Address) -> object:
    """It is closed before."""
    client = httpx.Client()
    with client.stream("GET", server.url("/lines")) as response:
        assert response.status_code == 200
    return client, response


@harmless(twin_of=unread, idle=0.0)
def mocked(httpx: Any, server: Address) -> object:
    """What has no network below it holds nothing."""
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=b"x"))
    client = httpx.Client(transport=transport)
    request = client.build_request("GET", server.url("/lines"))
    return client, client.send(request, stream=True)


@harmless(twin_of=unread)
def wsgi(httpx: Any, server: Address) -> object:
    """An application that is called without a network."""

    def application(_: Any, start: Any) -> list[bytes]:
        start("200 OK", [])
        return [b"x"]

    client = httpx.Client(transport=httpx.WSGITransport(app=application))
    request = client.build_request("GET", server.url("/lines"))
    return client, client.send(request, stream=True)


@harmless(twin_of=unread)
def function_of_the_package(httpx: Any, server: Address) -> object:
    """It has a client of its own."""
    with httpx.stream("GET", server.url("/lines")) as response:
        assert response.status_code == 200
    return response
