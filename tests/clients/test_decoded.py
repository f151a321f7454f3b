"""What a client has taken in and decodes as it is read: that is progress too."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import pytest
import requests
import urllib3

from httpguard import LeakKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import GuardControl
    from tests.server import Server

Open = tuple[Any, "Iterator[bytes]"]


def by_requests(url: str) -> Open:
    """Few bytes on the wire are many blocks."""
    response = requests.get(url, stream=True)  # LEAK
    return response, response.iter_content(16)


def by_reads(url: str) -> Open:
    """As much at a time as the program wants."""
    response = urllib3.PoolManager().request("GET", url, preload_content=False)  # LEAK
    return response, iter(lambda: response.read(64, decode_content=True), b"")


def by_stream(url: str) -> Open:
    """A generator of urllib3's."""
    response = urllib3.PoolManager().request("GET", url, preload_content=False)  # LEAK
    return response, response.stream(32, decode_content=True)


def by_the_response_below(url: str) -> Open:
    """What is in its buffer, of which the kernel knows no more."""
    response = requests.get(url, stream=True)  # LEAK
    below: Any = response.raw._fp
    return response, iter(lambda: below.read(16), b"")


def line_of(function: Callable[..., Any]) -> int:
    """The line of a function that is so marked."""
    lines, first = inspect.getsourcelines(function)
    return first + next(at for at, text in enumerate(lines) if "# LEAK" in text)


way = pytest.mark.parametrize(
    "way", [by_requests, by_reads, by_stream, by_the_response_below]
)
path = pytest.mark.parametrize("path", ["/gzip", "/deflate", "/in-chunks/gzip"])


@way
@path
def test_who_reads_what_was_taken_in_before_makes_progress(
    way: Callable[[str], Open], path: str, guard: GuardControl, server: Server
) -> None:
    guard.install(max_idle=60)
    response, body = way(server.url(path))
    for _ in range(6):
        assert next(body)
        guard.advance(45)
        assert guard.check().leaks == ()
    response.close()


@way
@path
def test_who_stops_is_told_of(
    way: Callable[[str], Open], path: str, guard: GuardControl, server: Server
) -> None:
    guard.install(max_idle=60)
    response, body = way(server.url(path))
    assert next(body)
    for seconds in (0, 45, 45):
        assert guard.check().leaks == ()
        guard.advance(seconds)
    (leak,) = guard.check().leaks
    assert (leak.kind, leak.count) == (LeakKind.HELD, 1)
    assert (leak.site.filename, leak.site.lineno) == (__file__, line_of(way))
    response.close()
