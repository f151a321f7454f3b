"""What a program puts in the place of `time`, or seeds, it has for itself."""

from __future__ import annotations

import asyncio
import contextvars
import random
import threading
from typing import TYPE_CHECKING, Any
from unittest import mock
from urllib.request import urlopen

import pytest
import requests

import httpguard
from httpguard import LeakKind
from httpguard._guard.watcher import Watcher

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import GuardControl
    from tests.server import Address, Server


def test_the_watcher_asks_no_clock_of_the_program(guard: GuardControl) -> None:
    seen = threading.Event()
    sweeps: list[None] = []

    def sweep() -> None:
        watcher.rest()
        sweeps.append(None)
        if len(sweeps) == 10:
            seen.set()

    watcher = Watcher(sweep, 0.001)
    with mock.patch("time.monotonic") as clock, mock.patch("time.sleep") as sleep:
        watcher.start()
        assert seen.wait(30)
        watcher.stop(30)
    assert (clock.call_count, sleep.call_count) == (0, 0)


def test_the_page_asks_no_clock_of_the_program(guard: GuardControl) -> None:
    guard.install()
    with httpguard.serve(0) as page, mock.patch("time.monotonic") as clock:
        for _ in range(3):
            assert urlopen(page.url, timeout=30).status == 200
    assert clock.call_count == 0


def test_a_clock_that_jumps_moves_no_response(
    guard: GuardControl, server: Server
) -> None:
    """As freezegun's does. The time before it counts."""
    guard.install(check_interval=60)
    kept = requests.get(server.url("/bytes/90000"), stream=True)  # LEAK
    guard.advance(40)
    with mock.patch("time.monotonic", return_value=1e9):
        guard.check()
    guard.advance(40)
    assert [leak.kind for leak in guard.check().leaks] == [LeakKind.HELD]
    kept.close()


def test_the_end_of_a_scope_waits_by_its_own_clock(
    guard: GuardControl, server: Server
) -> None:
    """The test's stands still, so that no patience would ever end."""
    guard.install()
    done = threading.Event()
    with (
        mock.patch("time.monotonic", return_value=1e3),
        mock.patch("time.sleep") as sleep,
    ):
        with httpguard.no_leaks():
            context = contextvars.copy_context()
            thread = threading.Thread(target=context.run, args=(_work, server, done))
            thread.start()
        done.set()
        thread.join()
    assert sleep.call_count == 0


def _work(server: Address, done: threading.Event) -> None:
    requests.get(server.url("/bytes/10"), timeout=30)
    done.wait(30)


def by_requests(url: str) -> None:
    assert requests.get(url, stream=True, timeout=30).content


def by_urllib(url: str) -> None:
    with urlopen(url) as response:
        assert response.read()


def by_httpx(url: str) -> None:
    httpx = pytest.importorskip("httpx")

    async def ask() -> None:
        async with httpx.AsyncClient() as client, client.stream("GET", url) as one:
            await one.aread()

    asyncio.run(ask())


def by_aiohttp(url: str) -> None:
    aiohttp = pytest.importorskip("aiohttp")

    async def ask() -> None:
        async with aiohttp.ClientSession() as session, session.get(url) as one:
            await one.read()

    asyncio.run(ask())


@pytest.mark.parametrize(
    "settings", [{}, {"follow_executors": True}, {"sample": 0.5}], ids=str
)
@pytest.mark.parametrize(
    "ask", [by_requests, by_urllib, by_httpx, by_aiohttp], ids=lambda one: one.__name__
)
def test_the_sequence_of_random_numbers_is_the_program_s(
    guard: GuardControl,
    server: Server,
    ask: Callable[[str], None],
    settings: dict[str, Any],
) -> None:
    url = server.url("/bytes/900000")
    ask(url)  # Whatever is imported may draw some.
    guard.install(**settings)
    random.seed(1)
    state = random.getstate()
    ask(url)
    assert random.getstate() == state
    assert guard.check().counters["opened"] >= 1
