"""Responses that something still refers to, and that nobody will ever read."""

from __future__ import annotations

import functools
import logging
import queue
from collections import deque
from logging.handlers import MemoryHandler
from typing import TYPE_CHECKING, ClassVar

import requests

import httpguard

from ._case import innocent, leaks

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from tests.server import Address


@leaks("held")
def parked_in_list(server: Address) -> object:
    """Collected for later."""
    return [requests.get(server.url("/bytes/90000"), stream=True)]  # LEAK


@innocent(twin_of=parked_in_list, idle=0.5)
def parked_a_moment_ago(server: Address) -> object:
    """It may still be read."""
    return [requests.get(server.url("/bytes/90000"), stream=True)]


@innocent(twin_of=parked_in_list)
def parked_after_reading(server: Address) -> object:
    """A read response may be kept for ever."""
    responses = [requests.get(server.url("/bytes/90000"), stream=True)]
    assert all(response.content for response in responses)
    return responses


@innocent(twin_of=parked_in_list)
def parked_closed(server: Address) -> object:
    """So may a closed one."""
    with requests.get(server.url("/bytes/90000"), stream=True) as response:
        return [response]


@innocent(twin_of=parked_in_list)
def allowed(server: Address) -> object:
    """The program says that it knows."""
    with httpguard.allow("the feed stays open"):
        return requests.get(server.url("/bytes/90000"), stream=True)


@innocent(twin_of=parked_in_list)
def allowed_and_dropped(server: Address) -> None:
    """Allowed is allowed, dropped or not."""
    with httpguard.allow("left to the garbage collector"):
        requests.get(server.url("/bytes/90000"), stream=True)


@innocent(twin_of=parked_in_list, idle=0.5)
def touched(server: Address) -> Generator[None, None, object]:
    """Touched again and again, it never grows old."""
    response = requests.get(server.url("/bytes/90000"), stream=True)
    for _ in range(3):
        httpguard.touch(response)
        yield
    httpguard.touch(response)
    return response


@innocent(twin_of=parked_in_list, idle=0.5)
def read_slowly(server: Address) -> Generator[None, None, object]:
    """A chunk now and then is progress."""
    response = requests.get(server.url("/bytes/90000"), stream=True)
    for _ in range(3):
        response.raw.read(1000)
        yield
    response.raw.read(1000)
    return response


@leaks("held", count=5)
def parked_many(server: Address) -> object:
    """Five from one line are one leak of five."""
    url = server.url("/bytes/90000")
    return [requests.get(url, stream=True) for _ in range(5)]  # LEAK


@innocent(twin_of=parked_many)
def parked_many_read(server: Address) -> object:
    """Five read ones are none."""
    url = server.url("/bytes/90000")
    return [requests.get(url) for _ in range(5)]


@leaks("held")
def parked_partly_read(server: Address) -> object:
    """Progress once made does not count for ever."""
    response = requests.get(server.url("/bytes/90000"), stream=True)  # LEAK
    response.raw.read(1000)
    return response


@innocent(twin_of=parked_partly_read)
def parked_read_in_parts(server: Address) -> object:
    """Read in parts, to the end."""
    response = requests.get(server.url("/bytes/90000"), stream=True)
    while response.raw.read(20_000):
        pass
    return response


@leaks("held")
def parked_after_a_while(server: Address) -> Generator[None, None, object]:
    """Read for some time, then forgotten."""
    response = requests.get(server.url("/bytes/90000"), stream=True)  # LEAK
    for _ in range(3):
        response.raw.read(1000)
        yield
    return response


@innocent(twin_of=parked_after_a_while)
def read_for_a_while(server: Address) -> Generator[None, None, object]:
    """Read for some time, to the end."""
    response = requests.get(server.url("/bytes/90000"), stream=True)
    while response.raw.read(20_000):
        yield
    return response


@leaks("held")
def cached_by_key(server: Address) -> object:
    """A cache of responses instead of bodies."""
    cache: dict[str, requests.Response] = {}
    url = server.url("/lines")
    if url not in cache:
        cache[url] = requests.get(url, stream=True)  # LEAK
    return cache


@innocent(twin_of=cached_by_key)
def cached_bodies(server: Address) -> object:
    """A cache of bodies."""
    url = server.url("/lines")
    with requests.get(url, stream=True) as response:
        return {url: response.content}


@leaks("held")
def cached_by_lru_cache(server: Address) -> object:
    """``lru_cache`` keeps what it returned."""

    @functools.lru_cache
    def fetch(url: str) -> requests.Response:
        return requests.get(url, stream=True)  # LEAK

    assert fetch(server.url("/lines")) is fetch(server.url("/lines"))
    return fetch


@innocent(twin_of=cached_by_lru_cache)
def cached_text_by_lru_cache(server: Address) -> object:
    """It may keep the text."""

    @functools.lru_cache
    def fetch(url: str) -> str:
        return requests.get(url, stream=True).text

    assert fetch(server.url("/lines")) is fetch(server.url("/lines"))
    return fetch


@leaks("held")
def kept_by_closure(server: Address) -> object:
    """A function that will read it, if anyone calls it."""
    response = requests.get(server.url("/lines"), stream=True)  # LEAK

    def read() -> bytes:
        return response.content

    return read


@innocent(twin_of=kept_by_closure)
def opened_by_closure(server: Address) -> object:
    """A function that opens it when it is called."""

    def read() -> bytes:
        return requests.get(server.url("/lines"), stream=True).content

    return read


@leaks("held")
def kept_by_bound_method(server: Address) -> object:
    """A callback is a reference too."""
    callbacks: list[Callable[..., object]] = []
    callbacks.append(requests.get(server.url("/lines"), stream=True).json)  # LEAK
    return callbacks


@innocent(twin_of=kept_by_bound_method)
def kept_by_bound_method_read(server: Address) -> object:
    """To a response that is read."""
    return [requests.get(server.url("/lines")).json]


@leaks("held")
def suspended_generator(server: Address) -> object:
    """A generator that waits for someone to ask for more."""

    def rows() -> Iterator[bytes]:
        with requests.get(server.url("/lines"), stream=True) as response:  # LEAK
            yield from response.iter_lines()

    generator = rows()
    next(generator)
    return generator


@innocent(twin_of=suspended_generator)
def generator_not_started(server: Address) -> object:
    """It has opened nothing yet."""

    def rows() -> Iterator[bytes]:
        with requests.get(server.url("/lines"), stream=True) as response:
            yield from response.iter_lines()

    return rows()


@innocent(twin_of=suspended_generator)
def generator_closed(server: Address) -> object:
    """Closing it ends its with block."""

    def rows() -> Generator[bytes, None, None]:
        with requests.get(server.url("/lines"), stream=True) as response:
            yield from response.iter_lines()

    generator = rows()
    next(generator)
    generator.close()
    return generator


@leaks("held")
def suspended_iter_lines(server: Address) -> object:
    """Even a chunked body is held as long as its iterator is."""
    lines = requests.get(server.url("/chunked/1000"), stream=True).iter_lines()  # LEAK
    next(lines)
    return lines


@innocent(twin_of=suspended_iter_lines)
def exhausted_iter_lines(server: Address) -> object:
    """An iterator that has come to its end holds nothing."""
    lines = requests.get(server.url("/chunked/1000"), stream=True).iter_lines()
    assert sum(1 for _ in lines) == 1000
    return lines


@leaks("held")
def kept_by_class(server: Address) -> object:
    """A registry on a class lives as long as the program."""

    class Client:
        seen: ClassVar[list[requests.Response]] = []

    Client.seen.append(requests.get(server.url("/lines"), stream=True))  # LEAK
    return Client


@innocent(twin_of=kept_by_class)
def kept_by_class_closed(server: Address) -> object:
    """Of closed ones."""

    class Client:
        seen: ClassVar[list[requests.Response]] = []

    with requests.get(server.url("/lines"), stream=True) as response:
        Client.seen.append(response)
    return Client


@leaks("held")
def kept_as_default_argument(server: Address) -> object:
    """A default value is kept by its function."""

    def read(response: requests.Response | None = None) -> bytes:
        return response.content if response else b""

    response = requests.get(server.url("/lines"), stream=True)  # LEAK
    read.__defaults__ = (response,)
    return read


@innocent(twin_of=kept_as_default_argument)
def handed_as_argument(server: Address) -> None:
    """An argument is given up when the call returns."""

    def read(response: requests.Response) -> bytes:
        return response.content

    assert read(requests.get(server.url("/lines"), stream=True))


@leaks("held", count=3)
def recent_responses(server: Address) -> object:
    """The last three are kept for debugging; the older ones are closed."""
    recent: deque[requests.Response] = deque()
    for _ in range(5):
        recent.append(requests.get(server.url("/lines"), stream=True))  # LEAK
        if len(recent) > 3:
            recent.popleft().close()
    return recent


@innocent(twin_of=recent_responses)
def recent_headers(server: Address) -> object:
    """The headers would do."""
    recent = []
    for _ in range(5):
        with requests.get(server.url("/lines"), stream=True) as response:
            recent.append(response.headers)
    return recent


@leaks("held")
def waiting_in_queue(server: Address) -> object:
    """A consumer that gave up."""
    work: queue.Queue[requests.Response] = queue.Queue()
    work.put(requests.get(server.url("/lines"), stream=True))  # LEAK
    return work


@innocent(twin_of=waiting_in_queue)
def urls_in_queue(server: Address) -> object:
    """Jobs, not open responses, are what a queue is for."""
    work: queue.Queue[str] = queue.Queue()
    work.put(server.url("/lines"))
    requests.get(work.get(), stream=True).close()
    return work


@leaks("held")
def kept_by_log_record(server: Address) -> object:
    """A buffered log record keeps its arguments."""
    handler = MemoryHandler(capacity=100)
    response = requests.get(server.url("/lines"), stream=True)  # LEAK
    record = logging.LogRecord("app", logging.INFO, "", 0, "got %s", (response,), None)
    handler.emit(record)
    return handler


@innocent(twin_of=kept_by_log_record)
def status_in_log_record(server: Address) -> object:
    """The status as an argument keeps nothing."""
    handler = MemoryHandler(capacity=100)
    with requests.get(server.url("/lines"), stream=True) as response:
        arguments = (response.status_code,)
    record = logging.LogRecord("app", logging.INFO, "", 0, "got %s", arguments, None)
    handler.emit(record)
    return handler


@leaks("held", settings={"max_idle": 5.0})
def held_past_short_limit(server: Address) -> object:
    """``max_idle`` is the program's to choose."""
    return requests.get(server.url("/lines"), stream=True)  # LEAK


@innocent(twin_of=held_past_short_limit, idle=0.5, settings={"max_idle": 3600.0})
def held_within_long_limit(server: Address) -> object:
    """Half an hour is nothing to a program that allows an hour."""
    return requests.get(server.url("/lines"), stream=True)


@innocent(twin_of=held_past_short_limit, settings={"ignore": ("*/lines",)})
def ignored_url(server: Address) -> object:
    """URLs that are not judged."""
    return requests.get(server.url("/lines"), stream=True)
