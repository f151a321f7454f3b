"""One `allow` or `no_leaks` object in many threads, tasks and contexts at once."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
import requests

import httpguard
from httpguard import LeakError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import GuardControl
    from tests.server import Server

pytestmark = pytest.mark.usefixtures("small_heap")

MANY = 8


@pytest.fixture
def url(server: Server, guard: GuardControl) -> str:
    guard.install()
    return server.url("/bytes/90000")


def leak(url: str) -> None:
    requests.get(url, stream=True)


def counted() -> tuple[int, int]:
    counters = httpguard.check().counters
    return counters["dropped"], counters["excused"]


def in_threads(work: Callable[[], Any], count: int = MANY) -> list[Any]:
    with ThreadPoolExecutor(count) as executor:
        return [each.result() for each in [executor.submit(work) for _ in range(count)]]


def test_threads_are_excused_inside_and_not_after(url: str) -> None:
    scope = httpguard.allow("long poll")
    barrier = threading.Barrier(MANY)

    def work() -> None:
        barrier.wait()
        with scope:
            barrier.wait()
            leak(url)
            barrier.wait()
        leak(url)

    in_threads(work)
    leak(url)
    assert counted() == (MANY + 1, MANY)


def test_threads_that_leave_in_the_order_they_came(url: str) -> None:
    scope = httpguard.allow("long poll")
    first_is_in, second_is_in, first_is_out = (threading.Event() for _ in range(3))

    def first() -> None:
        with scope:
            first_is_in.set()
            second_is_in.wait()
        first_is_out.set()
        leak(url)

    thread = threading.Thread(target=first)
    thread.start()
    first_is_in.wait()
    with scope:
        second_is_in.set()
        first_is_out.wait()
        leak(url)
    leak(url)
    thread.join()
    assert counted() == (2, 1)


def test_tasks_have_scopes_of_their_own(url: str) -> None:
    allowed, promised = httpguard.allow("a task"), httpguard.no_leaks()

    async def work(number: int) -> str:
        async with allowed:
            await asyncio.sleep(0)
            leak(url)
            for _ in range(number):
                await asyncio.sleep(0)
        try:
            async with promised:
                await asyncio.sleep(0)
                if number % 2:
                    leak(url)
                for _ in range(MANY - number):
                    await asyncio.sleep(0)
        except LeakError as error:
            return f"leaked {sum(each.count for each in error.leaks)}"
        return "clean"

    async def main() -> list[str]:
        return await asyncio.gather(*map(work, range(MANY)))

    assert asyncio.run(main()) == ["clean", "leaked 1"] * (MANY // 2)
    leak(url)
    assert counted() == (MANY // 2 + 1, MANY)


def test_promises_of_threads_are_kept_apart(url: str) -> None:
    scope = httpguard.no_leaks()
    barrier = threading.Barrier(MANY)
    numbers = iter(range(MANY))

    def work() -> bool:
        leaks = next(numbers) % 2 == 1
        try:
            with scope:
                barrier.wait()
                if leaks:
                    leak(url)
                barrier.wait()
        except LeakError as error:
            return leaks and [each.count for each in error.leaks] == [1]
        return not leaks

    assert in_threads(work) == [True] * MANY


def test_promises_of_threads_install_for_their_time(server: Server) -> None:
    httpguard.uninstall()
    scope = httpguard.no_leaks()
    url = server.url("/bytes/90000")
    barrier = threading.Barrier(MANY)
    before = requests.Session.__dict__["send"]

    def work() -> None:
        barrier.wait()
        with pytest.raises(LeakError), scope:
            leak(url)

    in_threads(work)
    assert requests.Session.__dict__["send"] is before
    assert httpguard.snapshot() == httpguard.Snapshot()


def test_one_object_is_entered_again(url: str) -> None:
    scope, promise = httpguard.allow("again"), httpguard.no_leaks()
    with scope:
        with scope:
            leak(url)
        leak(url)
    leak(url)
    with promise, pytest.raises(LeakError), promise:
        leak(url)
    with scope:
        leak(url)
    leak(url)
    assert counted() == (3, 3)


def test_scopes_left_in_the_order_they_were_entered(url: str) -> None:
    first, second = httpguard.allow("first"), httpguard.allow("second")
    with ExitStack() as stack:
        stack.callback(second.__exit__, None, None, None)
        stack.callback(first.__exit__, None, None, None)
        first.__enter__()
        second.__enter__()
        leak(url)
    leak(url)
    with first:
        leak(url)
    leak(url)
    assert counted() == (2, 2)


def test_a_scope_left_in_another_thread_is_over_in_the_first(url: str) -> None:
    scope = httpguard.allow("a fixture")
    scope.__enter__()
    leak(url)
    thread = threading.Thread(target=scope.__exit__, args=(None, None, None))
    thread.start()
    thread.join()
    leak(url)
    with scope:
        leak(url)
    leak(url)
    assert counted() == (2, 2)


def test_a_scope_left_in_a_copy_of_its_context_is_over(url: str) -> None:
    scope = httpguard.allow("a fixture")
    scope.__enter__()
    leak(url)
    contextvars.copy_context().run(scope.__exit__, None, None, None)
    leak(url)
    assert counted() == (1, 1)


def test_a_promise_left_in_another_thread_is_judged_there(url: str) -> None:
    scope = httpguard.no_leaks()
    scope.__enter__()
    leak(url)

    def leave() -> None:
        with pytest.raises(LeakError):
            scope.__exit__(None, None, None)

    in_threads(leave, 1)
    leak(url)
    with httpguard.no_leaks():
        pass


def test_what_was_opened_in_a_scope_stays_excused(url: str) -> None:
    """Whoever judges it, and however the scope was left."""
    scope = httpguard.allow("a fixture")
    scope.__enter__()
    kept = [requests.get(url, stream=True)]
    in_threads(lambda: scope.__exit__(None, None, None), 1)
    kept.clear()
    assert counted() == (0, 1)


def test_a_task_that_was_started_inside_belongs_to_it(url: str) -> None:
    async def main() -> None:
        with httpguard.allow("a task"):
            task = asyncio.create_task(asyncio.to_thread(leak, url))
        await task
        await asyncio.to_thread(leak, url)

    asyncio.run(main())
    assert counted() == (1, 1)


def test_decorated_functions_run_side_by_side(url: str) -> None:
    barrier = threading.Barrier(MANY)

    @httpguard.allow("a call")
    def allowed(depth: int = 1) -> None:
        if depth:
            barrier.wait()
            allowed(depth - 1)
            barrier.wait()
        leak(url)

    def work() -> None:
        allowed()
        leak(url)

    in_threads(work)
    assert counted() == (MANY, 2 * MANY)


def test_leaving_what_was_not_entered_hurts_nobody(url: str) -> None:
    httpguard.allow("never entered").__exit__(None, None, None)
    httpguard.no_leaks().__exit__(None, None, None)
    leak(url)
    assert counted() == (1, 0)
