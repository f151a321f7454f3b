"""Responses that cross threads, executors and event loops."""

# That blocking calls are made on the event loop is what some cases are about.
# ruff: noqa: ASYNC210

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import requests

from ._case import innocent, leaks

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator

    from tests.server import Address


def _in_thread(function: Callable[..., object], *arguments: object) -> None:
    """Call it in a thread and wait for it."""
    thread = threading.Thread(target=function, args=arguments)
    thread.start()
    thread.join()


@leaks()
def dropped_by_another_thread(server: Address) -> None:
    """The line that opened it is guilty, not the thread that dropped it."""
    responses = [requests.get(server.url("/lines"), stream=True)]  # LEAK
    _in_thread(responses.pop)


@innocent(twin_of=dropped_by_another_thread)
def read_by_another_thread(server: Address) -> object:
    """Another thread reads it to the end."""
    response = requests.get(server.url("/lines"), stream=True)
    _in_thread(response.raw.read)
    return response


@innocent(twin_of=dropped_by_another_thread)
def closed_by_another_thread(server: Address) -> object:
    """Another thread closes it."""
    response = requests.get(server.url("/lines"), stream=True)
    _in_thread(response.close)
    return response


@leaks(count=3)
def opened_in_threads(server: Address) -> None:
    """Three threads, one line."""

    def check() -> None:
        assert requests.get(server.url("/lines"), stream=True).ok  # LEAK

    threads = [threading.Thread(target=check) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@innocent(twin_of=opened_in_threads)
def read_in_threads(server: Address) -> None:
    """Each reads its own."""

    def check() -> None:
        assert requests.get(server.url("/lines"), stream=True).content

    threads = [threading.Thread(target=check) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@leaks(count=4)
def opened_in_executor(server: Address) -> None:
    """A pool of workers that want the status alone."""

    def status(path: str) -> int:
        return requests.get(server.url(path), stream=True).status_code  # LEAK

    with ThreadPoolExecutor(2) as executor:
        assert set(executor.map(status, ["/lines"] * 4)) == {200}


@innocent(twin_of=opened_in_executor)
def read_in_executor(server: Address) -> None:
    """Workers that read."""

    def size(path: str) -> int:
        return len(requests.get(server.url(path), stream=True).content)

    with ThreadPoolExecutor(2) as executor:
        assert set(executor.map(size, ["/lines"] * 4)) == {90_000}


@leaks("held")
def kept_by_future(server: Address) -> object:
    """A future keeps its result."""

    def fetch(path: str) -> requests.Response:
        return requests.get(server.url(path), stream=True)  # LEAK

    with ThreadPoolExecutor(1) as executor:
        return executor.submit(fetch, "/lines")


@innocent(twin_of=kept_by_future)
def result_of_future_closed(server: Address) -> object:
    """Whoever takes the result closes it."""

    def fetch(path: str) -> requests.Response:
        return requests.get(server.url(path), stream=True)

    with ThreadPoolExecutor(1) as executor:
        future = executor.submit(fetch, "/lines")
    with future.result():
        return future


@leaks()
def opened_in_to_thread(server: Address) -> None:
    """Blocking calls moved off the event loop leak as well."""

    def fetch(path: str) -> requests.Response:
        return requests.get(server.url(path), stream=True)  # LEAK

    async def main() -> None:
        response = await asyncio.to_thread(fetch, "/lines")
        assert response.ok

    asyncio.run(main())


@innocent(twin_of=opened_in_to_thread)
def read_in_to_thread(server: Address) -> None:
    """The stream is read in a thread too."""

    def fetch(path: str) -> bytes:
        with requests.get(server.url(path), stream=True) as response:
            return response.content

    async def main() -> None:
        assert await asyncio.to_thread(fetch, "/lines")

    asyncio.run(main())


@leaks()
def cancelled_task(server: Address) -> None:
    """A cancelled task gives up the response that it was to read."""

    async def reads() -> None:
        response = requests.get(server.url("/lines"), stream=True)  # LEAK
        await asyncio.sleep(3600)
        assert response.content

    asyncio.run(_start_and_cancel(reads()))


@innocent(twin_of=cancelled_task)
def cancelled_task_with_block(server: Address) -> None:
    """Cancellation ends its with block."""

    async def reads() -> None:
        with requests.get(server.url("/lines"), stream=True) as response:
            await asyncio.sleep(3600)
            assert response.content

    asyncio.run(_start_and_cancel(reads()))


async def _start_and_cancel(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run it up to its first wait."""
    task = asyncio.ensure_future(coroutine)
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@leaks("held")
def kept_by_thread_local(server: Address) -> object:
    """A thread's own storage, while the thread lives."""
    local = threading.local()
    local.response = requests.get(server.url("/lines"), stream=True)  # LEAK
    return local


@innocent(twin_of=kept_by_thread_local)
def closed_in_thread_local(server: Address) -> object:
    """The same, closed."""
    local = threading.local()
    local.response = requests.get(server.url("/lines"), stream=True)
    local.response.close()
    return local


@leaks("held")
def reader_gave_up(server: Address) -> Generator[None, None, object]:
    """A thread that reads a little and ends, and a response that it leaves."""
    response = requests.get(server.url("/bytes/90000"), stream=True)  # LEAK
    _in_thread(response.raw.read, 1000)
    yield
    return response


@innocent(twin_of=reader_gave_up)
def reader_waits(server: Address) -> Generator[None, None, object]:
    """A thread that waits in a read for a server that says nothing."""
    response = requests.get(server.url("/slow/reader_waits"), stream=True)
    reader = threading.Thread(target=response.raw.read)
    reader.start()
    for _ in range(3):
        yield
    requests.get(server.url("/finish/reader_waits"))
    reader.join()
    return response


@innocent(twin_of=reader_gave_up)
def reader_waits_for_chunk(server: Address) -> Generator[None, None, object]:
    """The same in a loop over chunks."""
    response = requests.get(server.url("/slow/waits_for_chunk"), stream=True)
    reader = threading.Thread(target=list, args=(response.iter_content(20_000),))
    reader.start()
    for _ in range(3):
        yield
    requests.get(server.url("/finish/waits_for_chunk"))
    reader.join()
    return response
