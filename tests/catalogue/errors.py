"""Exceptions between opening and closing, and what urllib3 closes by itself."""

from __future__ import annotations

import contextlib
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
import requests
import urllib3

from ._case import innocent, leaks

if TYPE_CHECKING:
    from tests.server import Address


@leaks()
def exception_before_reading(server: Address) -> None:
    """A header that is not there."""
    with suppress(KeyError):
        response = requests.get(server.url("/lines"), stream=True)  # LEAK
        int(response.headers["X-Total"])
        assert response.content


@innocent(twin_of=exception_before_reading)
def exception_in_with_block(server: Address) -> None:
    """The with block closes it all the same."""
    url = server.url("/lines")
    with suppress(KeyError), requests.get(url, stream=True) as response:
        int(response.headers["X-Total"])


@leaks()
def exception_while_reading(server: Address) -> None:
    """A line that does not parse, in the middle of the body."""
    with suppress(ValueError):
        _parse_lines(requests.get(server.url("/lines"), stream=True))  # LEAK


@innocent(twin_of=exception_while_reading)
def exception_while_reading_closed(server: Address) -> None:
    """Whoever opened it closes it."""
    response = requests.get(server.url("/lines"), stream=True)
    try:
        with suppress(ValueError):
            _parse_lines(response)
    finally:
        response.close()


def _parse_lines(response: requests.Response) -> int:
    """Raises ValueError at the first line."""
    return sum(int(line) for line in response.iter_lines())


@leaks()
def raise_for_status(server: Address) -> None:
    """The error path has no close."""
    with suppress(requests.HTTPError):
        response = requests.get(server.url("/status/404"), stream=True)  # LEAK
        response.raise_for_status()


@innocent(twin_of=raise_for_status)
def raise_for_status_in_closing(server: Address) -> None:
    """``contextlib.closing`` covers both paths."""
    response = requests.get(server.url("/status/404"), stream=True)
    with suppress(requests.HTTPError), contextlib.closing(response):
        response.raise_for_status()


@leaks("held")
def error_keeps_response(server: Address) -> object:
    """An HTTPError keeps its response, and a list keeps the error."""
    errors = []
    try:
        requests.get(server.url("/status/404"), stream=True).raise_for_status()  # LEAK
    except requests.HTTPError as error:
        errors.append(error)
    return errors


@innocent(twin_of=error_keeps_response)
def error_keeps_read_response(server: Address) -> object:
    """Without stream the kept response is a read one."""
    errors = []
    try:
        requests.get(server.url("/status/404")).raise_for_status()
    except requests.HTTPError as error:
        errors.append(error)
    return errors


@leaks("held")
def traceback_keeps_response(server: Address) -> object:
    """A traceback keeps the frame, and the frame the response."""
    try:
        response = requests.get(server.url("/lines"), stream=True)  # LEAK
        int(response.headers["X-Total"])
    except KeyError as error:
        return error
    return None


@innocent(twin_of=traceback_keeps_response)
def traceback_keeps_closed_response(server: Address) -> object:
    """The frame's response is closed."""
    try:
        with requests.get(server.url("/lines"), stream=True) as response:
            int(response.headers["X-Total"])
    except KeyError as error:
        return error
    return None


@leaks()
def sibling_fails(server: Address) -> None:
    """The second request fails, and the first response is forgotten."""
    with suppress(requests.ConnectionError):
        first = requests.get(server.url("/lines"), stream=True)  # LEAK
        second = requests.get("http://127.0.0.1:1/", stream=True)
        assert first.content + second.content


@innocent(twin_of=sibling_fails)
def cannot_connect(server: Address) -> None:
    """A connection that was never made is no leak."""
    assert server.port
    with suppress(requests.ConnectionError):
        requests.get("http://127.0.0.1:1/", stream=True)


@leaks()
def cut_body_not_read(server: Address) -> None:
    """That the server would cut it is known to no one who never reads."""
    requests.get(server.url("/cut"), stream=True)  # LEAK


@innocent(twin_of=cut_body_not_read)
def cut_body(server: Address) -> object:
    """Reading a cut body raises (urllib3 2), and gives the connection back."""
    response = requests.get(server.url("/cut"), stream=True)
    with suppress(requests.exceptions.ChunkedEncodingError):
        assert response.content
    return response


@innocent(twin_of=cut_body_not_read)
def cut_body_preloaded(server: Address) -> None:
    """The same inside urllib3."""
    pool = urllib3.PoolManager()
    with suppress(urllib3.exceptions.HTTPError):
        pool.request("GET", server.url("/cut"), retries=False)


@leaks()
def slow_body_not_read(server: Address) -> None:
    """A time-out helps only those who read."""
    requests.get(server.url("/slow/unread"), stream=True, timeout=1.0)  # LEAK


@innocent(twin_of=slow_body_not_read)
def read_timeout(server: Address) -> object:
    """A read that times out closes the connection."""
    response = requests.get(server.url("/slow/timeout"), stream=True, timeout=1.0)
    with pytest.raises(requests.ConnectionError):
        assert response.content
    return response


@innocent(twin_of=slow_body_not_read)
def read_timeout_not_streamed(server: Address) -> None:
    """The same inside requests."""
    with suppress(requests.ConnectionError):
        requests.get(server.url("/slow/timeout"), timeout=1.0)


@innocent(twin_of=slow_body_not_read)
def read_timeout_urllib3(server: Address) -> object:
    """And in urllib3."""
    pool = urllib3.PoolManager(timeout=1.0)
    response = pool.request("GET", server.url("/slow/timeout"), preload_content=False)
    with pytest.raises(urllib3.exceptions.ReadTimeoutError):
        response.read()
    return response


@leaks()
def undecodable_body(server: Address) -> None:
    """A body that is not what its Content-Encoding says stops in its middle."""
    with suppress(requests.exceptions.ContentDecodingError):
        response = requests.get(server.url("/bad-gzip"), stream=True)  # LEAK
        list(response.iter_content(1024))


@innocent(twin_of=undecodable_body)
def undecodable_body_read_inside(server: Address) -> None:
    """A plain call: nobody but requests had the response in hands."""
    with suppress(requests.exceptions.ContentDecodingError):
        requests.get(server.url("/bad-gzip"))


@innocent(twin_of=undecodable_body)
def undecodable_body_closed(server: Address) -> None:
    """In a with block."""
    url = server.url("/bad-gzip")
    failure = requests.exceptions.ContentDecodingError
    with suppress(failure), requests.get(url, stream=True) as response:
        list(response.iter_content(1024))
