"""What of ours a program sees in its tracebacks: one frame a wrapper, and code."""

from __future__ import annotations

import socket
import sys
import traceback
from contextlib import suppress
from importlib.metadata import version
from typing import TYPE_CHECKING

import pytest
import requests
import urllib3
from urllib3.exceptions import EmptyPoolError, HTTPError

import httpguard
from httpguard._stacks.ownership import is_own
from tests.running import execute

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import GuardControl
    from tests.server import Server

SHOWN = "return after(self, *args, wrapped(self, *args, **kwargs))"
# urllib3 1.26 sends its requests by http.client's own method, which is guarded too.
BELOW = (
    ["request: return wrapped(self, *args, **kwargs)"]
    if version("urllib3").startswith("1.")
    else []
)


@pytest.fixture
def nowhere() -> str:
    """The URL of a port that refuses connections."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{bound.getsockname()[1]}/"


def ours(error: BaseException | None) -> list[str]:
    """The functions of ours in an error's traceback, and in those below it."""
    found: list[str] = []
    while error is not None:
        frames = traceback.extract_tb(error.__traceback__)
        found += [f"{f.name}: {f.line}" for f in frames if is_own(f.filename)]
        error = error.__cause__ or error.__context__
    return found


def failure(call: Callable[[], object]) -> Exception:
    try:
        call()
    except Exception as error:
        return error
    raise AssertionError("it did not fail")


def test_a_refused_connection_through_requests(
    guard: GuardControl, nowhere: str
) -> None:
    guard.install()
    error = failure(lambda: requests.get(nowhere))
    assert isinstance(error, requests.ConnectionError)
    assert sorted(ours(error)) == [*BELOW, f"send: {SHOWN}", f"urlopen: {SHOWN}"]


def test_a_refused_connection_through_urllib3(
    guard: GuardControl, nowhere: str
) -> None:
    guard.install()
    pool = urllib3.connection_from_url(nowhere)
    error = failure(lambda: pool.request("GET", nowhere, retries=False))
    assert isinstance(error, HTTPError)
    assert ours(error) == [f"urlopen: {SHOWN}", *BELOW]
    if sys.version_info >= (3, 11):
        text = "".join(traceback.format_exception(error))
        lines = [line.strip() for line in text.splitlines()]
        below = lines[lines.index(SHOWN) + 1]
        assert set(below) <= {"^", "~"}
        assert len(below) == len("wrapped(self, *args, **kwargs)")


def test_an_empty_pool(guard: GuardControl, server: Server) -> None:
    guard.install()
    with urllib3.HTTPConnectionPool(
        server.host, server.port, maxsize=1, block=True
    ) as pool:
        held = pool.urlopen("GET", "/bytes/90000", preload_content=False)
        error = failure(lambda: pool.request("GET", "/", pool_timeout=0.001))
        assert isinstance(error, EmptyPoolError)
        assert ours(error) == [
            f"urlopen: {SHOWN}",
            "_get_conn: connection = wrapped(self, timeout)",
        ]
        held.close()


def test_a_connection_too_many(guard: GuardControl, server: Server) -> None:
    guard.install()
    with urllib3.HTTPConnectionPool(
        server.host, server.port, maxsize=1, block=True
    ) as pool:
        connection = pool._get_conn()
        pool._put_conn(connection)
        with suppress(HTTPError):
            pool._put_conn(connection)
            return  # urllib3 1.26 closes it.
        error = failure(lambda: pool._put_conn(connection))
        assert ours(error) == ["_put_conn: return wrapped(self, conn)"]


def test_a_leak_raised_as_a_request_begins(guard: GuardControl, server: Server) -> None:
    guard.install(strict=True)
    requests.get(server.url("/bytes/90000"), stream=True)
    error = failure(lambda: requests.get(server.url("/bytes/5")))
    assert isinstance(error, httpguard.LeakError)
    assert ours(error)[:2] == [f"send: {SHOWN}", "urlopen: before()"]


def test_a_program_that_ends_so(nowhere: str) -> None:
    program = (
        f"import httpguard, urllib3; httpguard.install()\n"
        f"urllib3.PoolManager(retries=False).request('GET', {nowhere!r})\n"
    )
    run = execute([sys.executable, "-c", program])
    assert SHOWN in run.stderr
    assert "_after(" not in run.stderr
