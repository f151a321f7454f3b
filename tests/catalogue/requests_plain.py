"""``requests`` with ``stream=True``, and nobody who reads or closes."""

from __future__ import annotations

import contextlib
import io
import shutil
from typing import TYPE_CHECKING

import requests
from requests.adapters import HTTPAdapter

from ._case import innocent, leaks

if TYPE_CHECKING:
    from tests.server import Address


@leaks()
def dropped_unread(server: Address) -> None:
    """The body is never touched."""
    requests.get(server.url("/bytes/90000"), stream=True)  # LEAK


@innocent(twin_of=dropped_unread)
def with_block(server: Address) -> None:
    """The same in a with block."""
    with requests.get(server.url("/bytes/90000"), stream=True):
        pass


@innocent(twin_of=dropped_unread)
def not_streamed(server: Address) -> object:
    """Without stream=True requests reads the body itself."""
    return requests.get(server.url("/bytes/90000"))


@innocent(twin_of=dropped_unread)
def content_read(server: Address) -> object:
    """Streamed, then read whole, and kept: there is nothing left to close."""
    response = requests.get(server.url("/bytes/90000"), stream=True)
    assert len(response.content) == 90_000
    return response


@leaks()
def break_out_of_iter_content(server: Address) -> None:
    """Only the first chunk was wanted."""
    response = requests.get(server.url("/bytes/90000"), stream=True)  # LEAK
    for _ in response.iter_content(1024):
        break


@innocent(twin_of=break_out_of_iter_content)
def break_then_close(server: Address) -> None:
    """The same, closed in a finally."""
    response = requests.get(server.url("/bytes/90000"), stream=True)
    try:
        for _ in response.iter_content(1024):
            break
    finally:
        response.close()


@innocent(twin_of=break_out_of_iter_content)
def iter_content_to_the_end(server: Address) -> object:
    """Every chunk is taken."""
    response = requests.get(server.url("/bytes/90000"), stream=True)
    assert sum(map(len, response.iter_content(1024))) == 90_000
    return response


@leaks()
def break_out_of_iteration(server: Address) -> None:
    """A response can be iterated itself; that is iter_content(128)."""
    response = requests.get(server.url("/bytes/90000"), stream=True)  # LEAK
    for _ in response:
        break


@innocent(twin_of=break_out_of_iteration)
def iteration_to_the_end(server: Address) -> None:
    """Every chunk is taken."""
    response = requests.get(server.url("/bytes/90000"), stream=True)
    assert sum(map(len, response)) == 90_000


@leaks()
def break_out_of_iter_lines(server: Address) -> None:
    """Looking for a line, in a body with a Content-Length."""
    response = requests.get(server.url("/lines"), stream=True)  # LEAK
    for line in response.iter_lines():
        if line.startswith(b"7 "):
            break


@innocent(twin_of=break_out_of_iter_lines)
def break_out_of_chunked_lines(server: Address) -> None:
    """In a chunked body urllib3 closes up as its generator is collected."""
    response = requests.get(server.url("/chunked/1000"), stream=True)
    for line in response.iter_lines():
        if line.startswith(b"7 "):
            break


@innocent(twin_of=break_out_of_iter_lines)
def break_out_of_lines_and_close(server: Address) -> None:
    """Found, and closed."""
    with requests.get(server.url("/lines"), stream=True) as response:
        for line in response.iter_lines():
            if line.startswith(b"7 "):
                break


@leaks()
def break_out_of_body_without_length(server: Address) -> None:
    """A body that ends with its connection is no better than one with a length."""
    response = requests.get(server.url("/close"), stream=True)  # LEAK
    for _ in response.iter_content(1024):
        break


@innocent(twin_of=break_out_of_body_without_length)
def body_without_length_to_the_end(server: Address) -> object:
    """Read until the server hangs up."""
    response = requests.get(server.url("/close"), stream=True)
    assert sum(1 for _ in response.iter_lines()) == 1000
    return response


@leaks()
def break_out_of_gzip(server: Address) -> None:
    """A compressed body: the first decoded kilobyte is not the last."""
    response = requests.get(server.url("/gzip"), stream=True)  # LEAK
    next(response.iter_content(1024))


@innocent(twin_of=break_out_of_gzip)
def gzip_to_the_end(server: Address) -> object:
    """All of it is decoded."""
    response = requests.get(server.url("/gzip"), stream=True)
    assert len(response.text.splitlines()) == 1000
    return response


@leaks()
def read_partly(server: Address) -> None:
    """The magic number at the start was all that mattered."""
    response = requests.get(server.url("/bytes/90000"), stream=True)  # LEAK
    response.raw.read(8)


@innocent(twin_of=read_partly)
def read_in_parts(server: Address) -> object:
    """Reads go on until they bring nothing."""
    response = requests.get(server.url("/bytes/90000"), stream=True)
    while response.raw.read(20_000):
        pass
    return response


@leaks()
def reference_cycle(server: Address) -> None:
    """Only the cycle collector can find it."""
    response = requests.get(server.url("/bytes/90000"), stream=True)  # LEAK
    response.history.append(response)


@innocent(twin_of=reference_cycle)
def reference_cycle_closed(server: Address) -> None:
    """In a cycle, but closed."""
    response = requests.get(server.url("/bytes/90000"), stream=True)
    response.history.append(response)
    response.close()


@leaks(count=5)
def many_at_one_line(server: Address) -> None:
    """A loop over objects that only looks at their headers."""
    for _ in range(5):
        response = requests.get(server.url("/bytes/90000"), stream=True)  # LEAK
        assert response.headers["Content-Length"] == "90000"


@innocent(twin_of=many_at_one_line)
def many_closed(server: Address) -> None:
    """The same loop, each closed."""
    for _ in range(5):
        response = requests.get(server.url("/bytes/90000"), stream=True)
        response.close()


@leaks(sites=2)
def two_lines(server: Address) -> None:
    """Two leaks in one function are told apart."""
    requests.get(server.url("/bytes/90000"), stream=True)  # LEAK
    requests.get(server.url("/lines"), stream=True)  # LEAK


@innocent(twin_of=two_lines)
def one_line_after_another(server: Address) -> None:
    """Both are read."""
    requests.get(server.url("/bytes/90000"), stream=True).raw.read()
    assert requests.get(server.url("/lines"), stream=True).text


@leaks("held")
def raw_only_kept(server: Address) -> object:
    """The raw response outlives the one that requests made."""
    return requests.get(server.url("/bytes/90000"), stream=True).raw  # LEAK


@innocent(twin_of=raw_only_kept)
def raw_kept_and_read(server: Address) -> object:
    """Read to the end before it is kept."""
    raw = requests.get(server.url("/bytes/90000"), stream=True).raw
    shutil.copyfileobj(raw, io.BytesIO())
    return raw


@leaks(count=3)
def session_reused(server: Address) -> None:
    """A shared session is no help: its pool opens another connection each time."""
    with requests.Session() as session:
        for _ in range(3):
            session.get(server.url("/bytes/90000"), stream=True)  # LEAK


@innocent(twin_of=session_reused)
def session_reused_and_read(server: Address) -> None:
    """One connection serves all three."""
    with requests.Session() as session:
        for _ in range(3):
            assert session.get(server.url("/bytes/90000"), stream=True).content


@leaks("held")
def session_closed_before_response(server: Address) -> object:
    """Closing the session does not close what it handed out."""
    with requests.Session() as session:
        return session.get(server.url("/bytes/90000"), stream=True)  # LEAK


@innocent(twin_of=session_closed_before_response)
def read_after_session_closed(server: Address) -> object:
    """A response can still be read when its session is closed."""
    with requests.Session() as session:
        response = session.get(server.url("/bytes/90000"), stream=True)
    assert len(response.content) == 90_000
    return response


@leaks()
def prepared_request(server: Address) -> None:
    """The long way round to the same leak."""
    with requests.Session() as session:
        request = requests.Request("GET", server.url("/bytes/90000"))
        session.send(session.prepare_request(request), stream=True)  # LEAK


@innocent(twin_of=prepared_request)
def prepared_request_not_streamed(server: Address) -> None:
    """`Session.send` reads unless told to stream."""
    with requests.Session() as session:
        request = requests.Request("GET", server.url("/bytes/90000"))
        session.send(session.prepare_request(request))


@leaks()
def streaming_session(server: Address) -> None:
    """``stream`` can be switched on far away from the call."""
    session = requests.Session()
    session.stream = True
    session.get(server.url("/bytes/90000"))  # LEAK


@innocent(twin_of=streaming_session)
def streaming_session_overruled(server: Address) -> None:
    """The call's own ``stream=False`` wins."""
    session = requests.Session()
    session.stream = True
    session.get(server.url("/bytes/90000"), stream=False)


@leaks()
def adapter_without_session(server: Address) -> None:
    """An adapter never reads the body, whatever its ``stream`` says."""
    request = requests.Request("GET", server.url("/bytes/90000")).prepare()
    HTTPAdapter().send(request, stream=False)  # LEAK


@innocent(twin_of=adapter_without_session)
def adapter_and_content(server: Address) -> object:
    """Its caller does."""
    request = requests.Request("GET", server.url("/bytes/90000")).prepare()
    response = HTTPAdapter().send(request)
    assert len(response.content) == 90_000
    return response


@leaks()
def head_streamed(server: Address) -> None:
    """There is no body, yet the connection waits to be given back."""
    requests.head(server.url("/bytes/90000"), stream=True)  # LEAK


@innocent(twin_of=head_streamed)
def head(server: Address) -> object:
    """A plain HEAD."""
    return requests.head(server.url("/bytes/90000"))


@leaks()
def no_content_streamed(server: Address) -> None:
    """204: the same."""
    requests.delete(server.url("/status/204"), stream=True)  # LEAK


@innocent(twin_of=no_content_streamed)
def no_content(server: Address) -> object:
    """A plain 204."""
    return requests.delete(server.url("/status/204"))


@leaks()
def empty_streamed(server: Address) -> None:
    """Content-Length 0: the same."""
    requests.get(server.url("/empty"), stream=True)  # LEAK


@innocent(twin_of=empty_streamed)
def empty_read(server: Address) -> object:
    """Reading nothing gives the connection back."""
    response = requests.get(server.url("/empty"), stream=True)
    assert response.content == b""
    return response


@leaks()
def upload_answer_dropped(server: Address) -> None:
    """Who uploads may forget that an answer comes back."""
    body = io.BytesIO(b"x" * 90_000)
    requests.post(server.url("/echo"), data=body, stream=True)  # LEAK


@innocent(twin_of=upload_answer_dropped)
def upload_from_generator(server: Address) -> None:
    """A chunked upload; the answer is read."""
    parts = (b"x" * 30_000 for _ in range(3))
    with requests.post(server.url("/echo"), data=parts, stream=True) as response:
        assert len(response.content) == 90_000


@leaks()
def through_a_proxy(server: Address) -> None:
    """A proxy's pool is a pool."""
    proxies = {"http": server.url("/")}
    url = "http://service.invalid/bytes/90000"
    requests.get(url, proxies=proxies, stream=True)  # LEAK


@innocent(twin_of=through_a_proxy)
def through_a_proxy_closed(server: Address) -> None:
    """The same, closed."""
    proxies = {"http": server.url("/")}
    url = "http://service.invalid/bytes/90000"
    with contextlib.closing(requests.get(url, proxies=proxies, stream=True)):
        pass
