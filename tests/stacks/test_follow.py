"""Work handed to executors and greenlets: the line that asked for it."""

from __future__ import annotations

import asyncio
import gc
import inspect
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from multiprocessing.pool import ThreadPool
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
import pytest
import requests
import trio
from requests_futures.sessions import FuturesSession

from httpguard import LeakKind, uninstall
from tests.program import installed, line_of, run, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import GuardControl
    from tests.server import Server


def leave(response: requests.Response) -> None:
    """Take a result, and forget it."""


def with_submit(url: str) -> None:
    with ThreadPoolExecutor(1) as pool:
        leave(pool.submit(requests.get, url, stream=True).result())  # SUBMIT


def with_map(url: str) -> None:
    with ThreadPoolExecutor(1) as pool:
        list(pool.map(lambda _: None, [0]))
        for response in pool.map(requests.Session().get, [url]):  # SUBMIT
            leave(response)


def with_to_thread(url: str) -> None:
    async def main() -> None:
        leave(await asyncio.to_thread(requests.get, url, stream=True))  # SUBMIT

    asyncio.run(main())


def with_run_in_executor(url: str) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        get = requests.Session().send
        request = requests.Request("GET", url).prepare()
        with ThreadPoolExecutor(1) as pool:
            leave(await loop.run_in_executor(pool, _streamed(get), request))  # SUBMIT

    asyncio.run(main())


def with_requests_futures(url: str) -> None:
    with FuturesSession() as session:
        leave(session.get(url, stream=True).result())  # SUBMIT


def _streamed(send: Any) -> Any:
    import functools

    return functools.partial(send, stream=True)


PROGRAMS = [with_submit, with_to_thread, with_run_in_executor, with_requests_futures]


def line(program: Callable[[str], None]) -> int:
    source, first = inspect.getsourcelines(program)
    return line_of("".join(source), "# SUBMIT") + first - 1


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_site_is_the_line_that_submitted(
    guard: GuardControl, server: Server, program: Callable[[str], None]
) -> None:
    guard.install(follow_executors=True)
    program(server.url("/bytes/90000"))
    (leak,) = guard.check().leaks
    assert (leak.kind, leak.count) == (LeakKind.DROPPED, 1)
    assert (leak.site.filename, leak.site.lineno) == (__file__, line(program))
    (submitted,) = [frame for frame in leak.stack if frame.submitted]
    assert submitted == leak.site


@pytest.mark.parametrize("program", [*PROGRAMS, with_map])
def test_the_twin_that_reads_is_silent(
    guard: GuardControl,
    server: Server,
    program: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(f"{__name__}.leave", requests.Response.close)
    guard.install(follow_executors=True)
    program(server.url("/bytes/90000"))
    assert guard.check().leaks == ()


def test_the_applications_own_worker_stays_the_site(
    guard: GuardControl, server: Server
) -> None:
    guard.install(follow_executors=True)

    def work() -> None:
        requests.get(server.url("/bytes/90000"), stream=True)

    with ThreadPoolExecutor(1) as outer, ThreadPoolExecutor(1) as inner:
        outer.submit(lambda: inner.submit(work).result()).result()
    (leak,) = guard.check().leaks
    assert leak.site.function == "work"
    function = "test_the_applications_own_worker_stays_the_site"
    functions = [frame.function for frame in leak.stack if frame.submitted]
    assert functions == [function, "<lambda>"]


def test_without_it_nothing_is_patched(guard: GuardControl, server: Server) -> None:
    before = ThreadPoolExecutor.__dict__["submit"]
    guard.install()
    assert ThreadPoolExecutor.__dict__["submit"] is before
    with_submit(server.url("/bytes/90000"))
    (leak,) = guard.check().leaks
    assert leak.site.filename != __file__
    guard.install(follow_executors=True)
    assert ThreadPoolExecutor.__dict__["submit"] is not before
    uninstall()
    assert ThreadPoolExecutor.__dict__["submit"] is before


def test_a_site_inside_of_the_pool_says_what_would_name_the_line(
    guard: GuardControl, server: Server
) -> None:
    guard.install()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(requests.get, server.url("/bytes/90000"), stream=True).result()
        (leak,) = guard.check().leaks
        assert leak.site.filename.endswith("thread.py")
        assert "with `follow_executors=True` the report names the line" in leak.hint
        own = lambda: requests.get(server.url("/bytes/90000"), stream=True)  # noqa: E731
        pool.submit(own).result()
    hints = {leak.site.filename[-9:]: leak.hint for leak in guard.check().leaks}
    assert "follow_executors" not in hints["follow.py"]


def in_thread(function: Any, url: str) -> None:
    thread = threading.Thread(target=function, args=[url])
    thread.start()
    thread.join()


def in_pool_of_multiprocessing(function: Any, url: str) -> None:
    with ThreadPool(1) as pool:
        pool.map(function, [url])


def in_thread_of_anyio(function: Any, url: str) -> None:
    async def program() -> None:
        await anyio.to_thread.run_sync(function, url)

    anyio.run(program)


def in_thread_of_trio(function: Any, url: str) -> None:
    async def program() -> None:
        await trio.to_thread.run_sync(function, url)

    trio.run(program)


@pytest.mark.parametrize(
    "run",
    [in_thread, in_pool_of_multiprocessing, in_thread_of_anyio, in_thread_of_trio],
)
def test_a_site_of_what_runs_others_says_that_a_function_would_be_named(
    guard: GuardControl, server: Server, run: Any
) -> None:
    guard.install()
    run(partial(requests.get, stream=True), server.url("/bytes/90000"))
    gc.collect()
    (leak,) = guard.check().leaks
    assert leak.site.filename != __file__
    assert leak.hint.startswith("open it with `with requests.get(..., stream=True)")
    assert "give it a function of your own, and the report names its line" in leak.hint
    run(lambda url: requests.get(url, stream=True), server.url("/bytes/90000"))
    gc.collect()
    (leak,) = (one for one in guard.check().leaks if one.site.filename == __file__)
    assert "of your own" not in leak.hint


def test_a_site_of_a_library_in_the_pool_says_so_too(
    guard: GuardControl, server: Server, tmp_path: Path
) -> None:
    """As asgiref's `sync_to_async` calls what it was given."""
    guard.install()
    source = (
        "def run(function, *given, **named):\n    return function(*given, **named)\n"
    )
    with (
        installed(tmp_path, "shoplib", source) as shoplib,
        ThreadPoolExecutor(1) as pool,
    ):
        url = server.url("/bytes/90000")
        pool.submit(shoplib.run, requests.get, url, stream=True).result()
        pool.submit(shoplib.run, lambda: requests.get(url, stream=True)).result()
    hints = {leak.site.filename[-10:]: leak.hint for leak in guard.check().leaks}
    assert {name: "follow_executors" in hint for name, hint in hints.items()} == {
        "shoplib.py": True,
        "_follow.py": False,
    }


def test_submit_behaves_as_before(guard: GuardControl) -> None:
    guard.install(follow_executors=True)
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(divmod, 7, 3).result() == (2, 1)
        assert pool.submit(dict, fn=1, self=2).result() == {"fn": 1, "self": 2}
        with pytest.raises(ZeroDivisionError):
            pool.submit(divmod, 7, 0).result()
    signature = inspect.signature(ThreadPoolExecutor.submit)
    assert list(signature.parameters) == ["self", "fn", "args", "kwargs"]


GEVENT = """
from gevent import monkey; monkey.patch_all()
import gevent.pool, requests, sys
import httpguard; httpguard.install(follow_executors=True)
def main():
    pool = gevent.pool.Pool(2)
    pool.spawn(requests.get, sys.argv[1], stream=True)  # LEAK
    pool.join()
main()
import gc; gc.collect()
(leak,) = httpguard.check().leaks
print(leak.kind, leak.count, leak.site.lineno, leak.site.function)
"""


def test_a_greenlet(tmp_path: Path, server: Server) -> None:
    program = write(tmp_path / "app.py", GEVENT)
    done = run(str(program), server.url("/bytes/90000"))
    number = line_of(GEVENT, "# LEAK")
    assert done.stdout.split() == ["dropped", "1", str(number), "main"], done.stderr
    assert f"submitted at {program}:{number} in main" in done.stderr
