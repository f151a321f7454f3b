"""no_leaks, allow and touch."""

from __future__ import annotations

import asyncio
import contextvars
import sys
import threading
from typing import TYPE_CHECKING

import pytest
import requests

import httpguard
from httpguard import LeakError, LeakKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import GuardControl
    from tests.server import Server

pytestmark = pytest.mark.usefixtures("small_heap")


@pytest.fixture
def url(server: Server, guard: GuardControl) -> str:
    guard.install()
    return server.url("/bytes/90000")


def leak(url: str) -> None:
    requests.get(url, stream=True)


def found(error: LeakError) -> list[tuple[str, str, int]]:
    return [(str(leak.kind), leak.site.function, leak.count) for leak in error.leaks]


def test_no_leaks_raises_what_was_dropped_inside(url: str) -> None:
    with pytest.raises(LeakError) as caught, httpguard.no_leaks():
        leak(url)
        leak(url)
    assert found(caught.value) == [("dropped", "leak", 2)]
    line = leak.__code__.co_firstlineno + 1
    assert f"test_scopes.py:{line} in leak" in str(caught.value)
    assert "2 leaked responses (in a scope that promised none)" in str(caught.value)


def test_no_leaks_raises_what_is_still_open(url: str) -> None:
    with pytest.raises(LeakError) as caught, httpguard.no_leaks():
        kept = requests.get(url, stream=True)
    assert found(caught.value) == [
        ("open", "test_no_leaks_raises_what_is_still_open", 1)
    ]
    kept.close()


def test_no_leaks_is_silent_when_all_was_closed(url: str) -> None:
    with httpguard.no_leaks(), requests.get(url, stream=True) as response:
        assert response.ok
    assert httpguard.check().leaks == ()


def test_no_leaks_collects_cycles(url: str) -> None:
    with pytest.raises(LeakError) as caught, httpguard.no_leaks():
        cycle: list[object] = [requests.get(url, stream=True)]
        cycle.append(cycle)
        del cycle
    assert found(caught.value) == [("dropped", "test_no_leaks_collects_cycles", 1)]


def test_what_was_open_before_is_not_the_scopes(url: str) -> None:
    before = requests.get(url, stream=True)
    with httpguard.no_leaks():
        del before
    assert [leak.kind for leak in httpguard.check().leaks] == [LeakKind.DROPPED]


def test_an_exception_of_the_body_passes(url: str) -> None:
    with pytest.raises(KeyError), httpguard.no_leaks():
        leak(url)
        raise KeyError
    assert [leak.kind for leak in httpguard.check().leaks] == [LeakKind.DROPPED]


def test_the_inner_scope_raises_its_own(url: str) -> None:
    with httpguard.no_leaks():
        with pytest.raises(LeakError), httpguard.no_leaks():
            leak(url)
        with httpguard.no_leaks():
            pass


def test_no_leaks_works_async(url: str) -> None:
    async def scope() -> None:
        async with httpguard.no_leaks():
            await asyncio.to_thread(leak, url)

    @httpguard.no_leaks()
    async def decorated() -> None:
        await asyncio.gather(asyncio.to_thread(leak, url), asyncio.sleep(0))

    for run in (scope, decorated):
        with pytest.raises(LeakError) as caught:
            asyncio.run(run())
        assert found(caught.value) == [("dropped", "leak", 1)]


def test_tasks_side_by_side_keep_their_own_leaks(url: str) -> None:
    async def guarded(work: Callable[[], None]) -> str:
        try:
            async with httpguard.no_leaks():
                await asyncio.sleep(0)
                work()
                await asyncio.sleep(0)
        except LeakError:
            return "leaked"
        return "clean"

    async def main() -> list[str]:
        return list(
            await asyncio.gather(
                guarded(lambda: leak(url)), guarded(lambda: None), guarded(lambda: None)
            )
        )

    assert asyncio.run(main()) == ["leaked", "clean", "clean"]


@pytest.mark.skipif(
    getattr(sys.flags, "thread_inherit_context", False), reason="each thread has it"
)
def test_a_thread_belongs_to_the_scope_only_by_its_context(url: str) -> None:
    with httpguard.no_leaks():
        thread = threading.Thread(target=leak, args=(url,))
        thread.start()
        thread.join()
    context = []
    with pytest.raises(LeakError), httpguard.no_leaks():
        context = [contextvars.copy_context()]
        thread = threading.Thread(target=context[0].run, args=(leak, url))
        thread.start()
        thread.join()


def test_no_leaks_installs_for_its_time(server: Server) -> None:
    httpguard.uninstall()
    before = requests.Session.__dict__["send"]
    with pytest.raises(LeakError), httpguard.no_leaks():
        with httpguard.no_leaks():
            pass
        leak(server.url("/bytes/90000"))
    assert requests.Session.__dict__["send"] is before


def test_no_leaks_respects_disabled(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    httpguard.uninstall()
    monkeypatch.setenv("HTTPGUARD_ENABLED", "0")
    with httpguard.no_leaks():
        leak(server.url("/bytes/90000"))


def test_no_leaks_sees_what_sampling_skips(guard: GuardControl, server: Server) -> None:
    guard.install(sample=0)
    with pytest.raises(LeakError), httpguard.no_leaks():
        leak(server.url("/bytes/90000"))


def test_allow_is_not_judged(url: str, guard: GuardControl) -> None:
    with httpguard.allow("long poll"):
        leak(url)
        kept = requests.get(url, stream=True)
    guard.advance(1000)
    state = guard.check()
    assert state.leaks == ()
    assert state.counters["excused"] == 2
    assert [response.allowed for response in state.open] == ["long poll"]
    kept.close()
    assert guard.check().counters["resolved"] == 0


def test_allow_decorates_and_reaches_into_no_leaks(url: str) -> None:
    @httpguard.allow("by design")
    def fetch() -> requests.Response:
        return requests.get(url, stream=True)

    with httpguard.no_leaks():
        kept = fetch()
    kept.close()


def test_touch_restarts_the_idle_clock(url: str, guard: GuardControl) -> None:
    response = requests.get(url, stream=True)
    for _ in range(3):
        guard.advance(59)
        assert httpguard.touch(response) is True
        assert guard.check().leaks == ()
    guard.advance(59)
    assert httpguard.touch(response.raw) is True
    guard.advance(100)
    assert [leak.kind for leak in guard.check().leaks] == [LeakKind.HELD]
    response.close()
    assert httpguard.touch(response) is False
    assert httpguard.touch(None) is False


def test_touch_takes_the_error_that_has_the_response(url: str) -> None:
    response = requests.get(url, stream=True)
    response.status_code = 404
    with pytest.raises(requests.HTTPError) as raised:
        response.raise_for_status()
    assert httpguard.touch(raised.value)
    response.close()
    assert not httpguard.touch(raised.value)
