"""Where a response of a task was opened, and which of three ways has told."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

import httpguard
from httpguard import LeakKind

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from tests.conftest import GuardControl
    from tests.server import Server

    Program = Callable[[], Awaitable[Any]]

httpx = pytest.importorskip("httpx")
anyio = pytest.importorskip("anyio")
trio = pytest.importorskip("trio")
from_thread = pytest.importorskip("anyio.from_thread")


def run_asyncio(program: Program) -> None:
    asyncio.run(program())  # type: ignore[arg-type]  # each is a coroutine function


def run_uvloop(program: Program) -> None:
    uvloop = pytest.importorskip("uvloop")
    loop = uvloop.new_event_loop()
    with contextlib.closing(loop):
        loop.run_until_complete(program())


def run_trio(program: Program) -> None:
    trio.run(program)


LOOPS = [run_asyncio, run_uvloop]
ALL_LOOPS = [*LOOPS, run_trio]


@pytest.fixture
def small_client(guard: GuardControl, server: Server) -> Iterator[Any]:
    """The program's client, and a coroutine of it that leaks."""
    guard.install()

    client = httpx.AsyncClient()

    def leak() -> Any:
        request = client.build_request("GET", server.url("/lines"))
        return client.send(request, stream=True)

    client.leak = leak
    yield client
    gc.collect()


def found() -> tuple[str, int, Any]:
    """The function and the line of the only leak's site, and its frame in the stack."""
    gc.collect()
    (leak,) = httpguard.check().leaks
    assert leak.kind is LeakKind.DROPPED
    # What runs the task has returned nothing that could be closed.
    assert leak.hint.startswith("open it with `async with client.stream")
    assert leak.site.filename == __file__
    frame = next(one for one in reversed(leak.stack) if one == leak.site)
    return leak.site.function, leak.site.lineno, frame


def line_of(function: Any, text: str) -> int:
    """The number of the line of a function that ends so."""
    import inspect

    lines, first = inspect.getsourcelines(function)
    (found,) = [n for n, one in enumerate(lines, first) if one.rstrip().endswith(text)]
    return found


@pytest.mark.parametrize("run", ALL_LOOPS)
def test_the_task_s_own_line(run: Any, small_client: Any) -> None:
    async def work() -> None:
        await small_client.leak()  # HERE

    async def program() -> None:
        if run is run_trio:
            async with trio.open_nursery() as tasks:
                tasks.start_soon(work)
        else:
            await asyncio.gather(work())

    run(program)
    function, line, frame = found()
    assert (function, line) == ("work", line_of(work, "# HERE"))
    assert (frame.submitted, frame.awaited) == (False, False)


@pytest.mark.parametrize("run", LOOPS)
@pytest.mark.parametrize("way", ["gather", "task", "shield", "wait", "wait_for"])
def test_the_line_that_waits_for_the_task(
    way: str, run: Any, small_client: Any
) -> None:
    async def program() -> None:
        leak = small_client.leak()
        if way == "gather":
            await asyncio.gather(leak)  # gather
        elif way == "task":
            await asyncio.create_task(leak)  # task
        elif way == "shield":
            await asyncio.shield(leak)  # shield
        elif way == "wait":
            await asyncio.wait([asyncio.ensure_future(leak)])  # wait
        else:
            await asyncio.wait_for(leak, 30)  # wait_for

    run(program)
    function, line, frame = found()
    assert (function, line) == ("program", line_of(program, f"# {way}"))
    assert not frame.submitted
    # Since CPython 3.12 `wait_for` makes no task.
    own = way == "wait_for" and sys.version_info >= (3, 12)
    assert frame.awaited is not own


@pytest.mark.skipif(sys.version_info < (3, 11), reason="no TaskGroup")
@pytest.mark.parametrize("run", LOOPS)
def test_the_line_that_waits_for_a_group(run: Any, small_client: Any) -> None:
    async def program() -> None:
        async with asyncio.TaskGroup() as tasks:  # HERE
            tasks.create_task(small_client.leak())

    run(program)
    function, line, frame = found()
    assert (function, line) == ("program", line_of(program, "# HERE"))
    assert (frame.submitted, frame.awaited) == (False, True)


def test_the_line_that_waits_for_a_nursery(small_client: Any) -> None:
    async def program() -> None:
        async with trio.open_nursery() as tasks:  # HERE
            tasks.start_soon(small_client.leak)

    trio.run(program)
    function, line, frame = found()
    assert (function, line) == ("program", line_of(program, "# HERE"))
    assert (frame.submitted, frame.awaited) == (False, True)


@pytest.mark.parametrize("run", LOOPS)
def test_the_line_that_made_a_task_nobody_waits_for(
    run: Any, small_client: Any
) -> None:
    async def program() -> None:
        task = asyncio.create_task(small_client.leak())  # HERE
        while not task.done():  # noqa: ASYNC110  # It is not awaited.
            await asyncio.sleep(0)

    run(program)
    function, line, frame = found()
    assert (function, line) == ("program", line_of(program, "# HERE"))
    assert (frame.submitted, frame.awaited) == (True, False)


@pytest.mark.parametrize("run", LOOPS)
def test_the_line_of_the_thread_that_waits(run: Any, small_client: Any) -> None:
    async def program() -> None:
        loop = asyncio.get_running_loop()

        def work() -> None:
            asked = asyncio.run_coroutine_threadsafe(small_client.leak(), loop)
            asked.result(30)  # HERE

        await loop.run_in_executor(None, work)

    run(program)
    function, line, frame = found()
    assert (function, line) == ("work", line_of(program, "# HERE"))
    assert (frame.submitted, frame.awaited) == (False, True)


def lately(function: Any) -> Any:
    """A call that returns when the task that it has started is well on its way."""

    def late(*arguments: Any) -> Any:
        result = function(*arguments)
        time.sleep(1)
        return result

    return late


@pytest.mark.parametrize("is_late", [False, True])
def test_the_line_of_the_thread_that_waits_for_an_event(
    guard: GuardControl,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    *,
    is_late: bool,
) -> None:
    """Which the task sets, as fsspec has it."""
    pytest.importorskip("aiohttp")
    fsspec = pytest.importorskip("fsspec")
    guard.install()
    if is_late:
        late = lately(asyncio.run_coroutine_threadsafe)
        monkeypatch.setattr(asyncio, "run_coroutine_threadsafe", late)
    files = fsspec.filesystem("http", skip_instance_cache=True)

    def program() -> Any:
        return files.open(server.url("/bytes/3000000"), block_size=0)  # HERE

    with program():
        (opened,) = httpguard.check().open
    assert (opened.site.function, opened.site.lineno) == (
        "program",
        line_of(program, "# HERE"),
    )
    # Its loop closes the file.
    fsspec.asyn.sync(files.loop, asyncio.sleep, 0)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_line_that_calls_a_portal_of_anyio(backend: str, small_client: Any) -> None:
    def program() -> None:
        with from_thread.start_blocking_portal(backend) as portal:
            portal.call(small_client.leak)  # HERE

    program()
    function, line, frame = found()
    assert (function, line) == ("program", line_of(program, "# HERE"))
    assert (frame.submitted, frame.awaited) == (False, True)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_line_that_calls_a_portal_and_is_late_to_wait(
    backend: str, small_client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def program() -> None:
        with from_thread.start_blocking_portal(backend) as portal:
            late = lately(portal._spawn_task_from_thread)
            monkeypatch.setattr(portal, "_spawn_task_from_thread", late)
            portal.call(small_client.leak)  # HERE

    program()
    function, line, _ = found()
    assert (function, line) == ("program", line_of(program, "# HERE"))


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_line_that_enters_a_block_by_a_portal_of_anyio(
    backend: str, small_client: Any, server: Server
) -> None:
    def program() -> list[Any]:
        with from_thread.start_blocking_portal(backend) as portal:
            block = small_client.stream("GET", server.url("/lines"))
            with portal.wrap_async_context_manager(block):  # HERE
                return list(httpguard.check().open)

    (opened,) = program()
    assert (opened.site.function, opened.site.lineno) == (
        "program",
        line_of(program, "# HERE"),
    )
    gc.collect()
    assert httpguard.check().leaks == ()


def test_the_line_that_runs_the_loop_has_opened_nothing(small_client: Any) -> None:
    """Another thread asks, and does not wait."""

    async def program() -> None:
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def work() -> None:
            asked = asyncio.run_coroutine_threadsafe(small_client.leak(), loop)
            asked.add_done_callback(lambda _: loop.call_soon_threadsafe(done.set))

        await loop.run_in_executor(None, work)
        await done.wait()

    run_asyncio(program)
    gc.collect()
    (leak,) = httpguard.check().leaks
    assert leak.site.filename != __file__


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_line_of_a_group_of_anyio(backend: str, small_client: Any) -> None:
    async def program() -> None:
        async with anyio.create_task_group() as tasks:  # WAITS
            tasks.start_soon(small_client.leak)  # STARTS

    anyio.run(program, backend=backend)
    function, line, frame = found()
    assert function == "program"
    if backend == "asyncio":
        assert (line, frame.submitted) == (line_of(program, "# STARTS"), True)
    else:
        assert (line, frame.awaited) == (line_of(program, "# WAITS"), True)


def test_a_report_says_which(small_client: Any) -> None:
    async def program() -> None:
        await asyncio.gather(small_client.leak())

    run_asyncio(program)
    found()
    (leak,) = httpguard.check().leaks
    assert "> awaited at " in str(leak)


def test_a_task_of_the_program_is_left_as_it_is(small_client: Any) -> None:
    async def work() -> None:
        await small_client.get("http://127.0.0.1:9/")

    async def program() -> list[str]:
        task = asyncio.create_task(work())
        names = [*vars(task)] if hasattr(task, "__dict__") else []
        with contextlib.suppress(httpx.ConnectError):
            await task
        return names

    assert asyncio.run(program()) == []


@pytest.mark.parametrize("run", LOOPS)
def test_uninstall_gives_the_loops_their_method_back(
    run: Any, guard: GuardControl
) -> None:
    uvloop = pytest.importorskip("uvloop")
    kinds = asyncio.BaseEventLoop, uvloop.Loop
    before = [dict(vars(kind)) for kind in kinds]
    guard.install()
    assert [dict(vars(kind)) for kind in kinds] != before
    httpguard.uninstall()
    assert [dict(vars(kind)) for kind in kinds] == before


def test_what_a_debugged_loop_remembers_of_a_task_has_no_line_of_ours(
    guard: GuardControl,
) -> None:
    async def program() -> str:
        task = asyncio.create_task(asyncio.sleep(0))
        trace = task._source_traceback  # type: ignore[attr-defined]  # where it is debugged
        await task
        return str(trace[-1].filename)

    before = asyncio.run(program(), debug=True)
    guard.install()
    assert asyncio.run(program(), debug=True) == before


async def both(run: Any, first: Any, second: Any) -> None:
    """Run two tasks of a loop."""
    if run is run_trio:
        async with trio.open_nursery() as tasks:
            tasks.start_soon(first)
            tasks.start_soon(second)
    else:
        await asyncio.gather(first(), second())


class Turns:
    """Two tasks that run in turn: each says when, and waits for the other."""

    def __init__(self, run: Any) -> None:
        self._sleep = trio.sleep if run is run_trio else asyncio.sleep
        self._now = 0

    async def reach(self, turn: int) -> None:
        """Wait for a turn."""
        while self._now < turn:  # Of whichever loop.
            await self._sleep(0)

    def end(self) -> None:
        """It is the next one's."""
        self._now += 1


@pytest.mark.parametrize("run", ALL_LOOPS)
def test_strict_raises_in_the_task_that_has_leaked(
    run: Any, small_client: Any, guard: GuardControl, server: Server
) -> None:
    guard.install(strict=True)
    turns = Turns(run)
    raised = []

    async def leaks() -> None:
        await small_client.leak()
        gc.collect()
        turns.end()
        await turns.reach(2)
        with pytest.raises(httpguard.LeakError) as error:
            await small_client.get(server.url("/lines"))
        raised.append(error.value)

    async def does_not() -> None:
        await turns.reach(1)
        for _ in range(2):
            assert (await small_client.get(server.url("/lines"))).status_code == 200
        turns.end()

    run(lambda: both(run, leaks, does_not))
    assert [len(error.leaks) for error in raised] == [1]


@pytest.mark.parametrize("run", ALL_LOOPS)
def test_strict_raises_of_a_task_that_has_ended_where_it_is_asked(
    run: Any, small_client: Any, guard: GuardControl, server: Server
) -> None:
    guard.install(strict=True)

    async def program() -> None:
        async def nothing() -> None:
            pass

        await both(run, small_client.leak, nothing)
        gc.collect()
        assert (await small_client.get(server.url("/lines"))).status_code == 200

    run(program)
    gc.collect()
    with pytest.raises(httpguard.LeakError) as raised:
        httpguard.check()
    assert len(raised.value.leaks) == 1


@pytest.mark.parametrize("run", ALL_LOOPS)
def test_a_scope_is_its_task_s(run: Any, small_client: Any, server: Server) -> None:
    turns = Turns(run)
    kept = []

    async def innocent() -> None:
        with httpguard.no_leaks():
            turns.end()
            await turns.reach(2)
            await small_client.get(server.url("/lines"))

    async def leaks() -> None:
        await turns.reach(1)
        with pytest.raises(httpguard.LeakError) as error, httpguard.no_leaks():
            kept.append(await small_client.leak())
        (leak,) = error.value.leaks
        assert leak.kind is LeakKind.OPEN
        turns.end()

    async def program() -> None:
        await both(run, innocent, leaks)
        await kept[0].aclose()

    run(program)


@pytest.mark.parametrize("run", ALL_LOOPS)
def test_a_scope_has_what_its_tasks_open(run: Any, small_client: Any) -> None:
    async def program() -> None:
        @httpguard.no_leaks()
        async def leaks() -> None:
            kept.append(await small_client.leak())

        async def nothing() -> None:
            pass

        with pytest.raises(httpguard.LeakError), httpguard.no_leaks():
            await both(run, opens, nothing)
        with pytest.raises(httpguard.LeakError):
            await leaks()
        for response in kept:
            await response.aclose()

    async def opens() -> None:
        kept.append(await small_client.leak())

    kept: list[Any] = []
    run(program)
