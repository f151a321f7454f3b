"""What clients do that one would not expect: judged as what it is."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import gc
import http.client
import inspect
import pickle
import sys
import tarfile
import uuid
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import pytest
import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

import httpguard
from httpguard import LeakKind
from tests.server import Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from httpguard import Leak
    from tests.conftest import GuardControl

SIZE = 2_000_000
BODY = f"/bytes/{SIZE}"


def only(guard: GuardControl, kind: LeakKind) -> Leak:
    """The one leak, that leaked once, at the line of the calling test so marked."""
    frame = inspect.currentframe()
    assert frame is not None
    assert frame.f_back is not None
    lines, first = inspect.getsourcelines(frame.f_back.f_code)
    (leak,) = guard.check().leaks
    assert (leak.kind, leak.count) == (kind, 1)
    at = first + next(at for at, text in enumerate(lines) if "# LEAK" in text)
    file = frame.f_back.f_code.co_filename
    assert (leak.site.filename, leak.site.lineno) == (file, at)
    return leak


def assert_silent(guard: GuardControl) -> None:
    """Nothing is found now, and nothing is long after."""
    gc.collect()
    for _ in range(3):
        assert guard.check().leaks == ()
        guard.advance(1000)
    assert guard.check().open == ()


def of_requests(url: str) -> Any:
    return requests.get(url, stream=True)


def of_urllib3(url: str) -> Any:
    return urllib3.PoolManager().request("GET", url, preload_content=False)


def of_http_client(url: str) -> Any:
    host, path = url.removeprefix("http://").split("/", 1)
    connection = http.client.HTTPConnection(host)
    connection.request("GET", f"/{path}")
    return connection.getresponse()


OPENERS = [of_requests, of_urllib3, of_http_client, urlopen]


@pytest.mark.parametrize("opened", OPENERS)
def test_what_is_read_after_its_with_is_empty_and_no_leak(
    opened: Callable[[str], Any], guard: GuardControl, server: Server
) -> None:
    guard.install()
    with httpguard.no_leaks():
        with opened(server.url(BODY)) as response:
            pass
        late = response.content if opened is of_requests else response.read()
    assert late == b""
    assert_silent(guard)


PARTS: dict[str, Callable[[Any], bytes]] = {
    "read": lambda response: b"".join(iter(lambda: response.read(7000), b"")),
    "read1": lambda response: b"".join(iter(response.read1, b"")),
    "readinto": lambda response: bytes(_into(response)),
    "lines": b"".join,
}


def _into(response: Any) -> bytearray:
    """All that comes."""
    room, body = bytearray(7000), bytearray()
    while size := response.readinto(room):
        body += room[:size]
    return body


@pytest.mark.parametrize("way", PARTS)
@pytest.mark.parametrize("opened", [of_http_client, urlopen])
def test_a_cut_body_that_is_read_by_parts_has_ended(
    opened: Callable[[str], Any], way: str, guard: GuardControl, server: Server
) -> None:
    guard.install()
    response = opened(server.url("/cut"))
    assert len(PARTS[way](response)) == 45_000
    assert_silent(guard)
    response.close()


@pytest.mark.parametrize("streamed", [False, True])
def test_a_pause_that_the_server_asks_for_holds_nothing(
    guard: GuardControl, server: Server, *, streamed: bool
) -> None:
    guard.install()
    paused = []

    class Patient(Retry):
        def sleep(self, response: Any = None) -> None:
            paused.append(self.get_retry_after(response))
            assert_silent(guard)

    http = urllib3.PoolManager(retries=Patient(3), maxsize=1, block=True)
    path = f"/refused/{uuid.uuid4()}"
    url = server.url(path)
    answer = http.request("GET", url, preload_content=not streamed)  # LEAK
    assert (paused, answer.status) == ([3600], 200)
    if not streamed:
        assert_silent(guard)
        return
    guard.advance(1000)
    only(guard, LeakKind.HELD)
    answer.close()
    answer.release_conn()


@pytest.fixture
def others() -> Iterator[list[Server]]:
    """As many hosts as a session keeps pools of."""
    with contextlib.ExitStack() as running:
        yield [running.enter_context(Server()) for _ in range(10)]


@pytest.mark.parametrize("end", ["read", "closed", "dropped", "held"])
@pytest.mark.parametrize("block", [False, True])
def test_a_response_whose_pool_was_thrown_away(
    end: str, guard: GuardControl, server: Server, others: list[Server], *, block: bool
) -> None:
    guard.install()
    session = requests.Session()
    session.mount("http://", HTTPAdapter(pool_maxsize=1, pool_block=block))
    response = session.get(server.url(BODY), stream=True)  # LEAK
    for other in others:
        session.get(other.url("/bytes/10"))
    if end == "read":
        assert len(response.content) == SIZE
    elif end == "closed":
        response.close()
    elif end == "dropped":
        del response
        gc.collect()
        only(guard, LeakKind.DROPPED)
        return
    else:
        guard.check()
        guard.advance(1000)
        only(guard, LeakKind.HELD)
        response.close()
        return
    assert_silent(guard)


def members(raw: Any) -> int:
    with tarfile.open(fileobj=raw, mode="r|") as tar:
        return len(list(tar))


READERS: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "tar": (members, 3),
    "pickle": (pickle.load, list(range(30_000))),
}


@pytest.mark.parametrize("name", READERS)
def test_a_reader_that_knows_its_end_does_not_see_the_bodys(
    name: str, guard: GuardControl, server: Server
) -> None:
    guard.install()
    read, result = READERS[name]
    response = requests.get(server.url(f"/in-chunks/{name}"), stream=True)  # LEAK
    assert read(response.raw) == result
    del response
    gc.collect()
    assert only(guard, LeakKind.DROPPED).hint.endswith("one more `read()` ends it")


@pytest.mark.parametrize("path", ["/{}", "/in-chunks/{}"])
@pytest.mark.parametrize("name", READERS)
def test_one_more_read_does_end_it(
    name: str, path: str, guard: GuardControl, server: Server
) -> None:
    guard.install()
    read, result = READERS[name]
    response = requests.get(server.url(path.format(name)), stream=True)
    assert read(response.raw) == result
    if "in-chunks" in path:
        assert response.raw.read() == b""
    assert_silent(guard)


@dataclasses.dataclass
class Job:
    """A result of a program's own."""

    answer: Any


DUPLICATES: dict[str, Callable[[Any], Any]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda response: pickle.loads(pickle.dumps(response)),
    "asdict": lambda response: dataclasses.asdict(Job(response))["answer"],
}


@pytest.mark.parametrize("way", DUPLICATES)
def test_who_copies_a_response_of_requests_has_read_it(
    way: str, guard: GuardControl, server: Server
) -> None:
    guard.install()
    response = requests.get(server.url(BODY), stream=True)
    double = DUPLICATES[way](response)
    assert_silent(guard)
    assert len(double.content) == len(response.content) == SIZE


@pytest.mark.parametrize("way", DUPLICATES)
def test_a_copy_of_httpx_ends_nothing(
    way: str, guard: GuardControl, server: Server, httpx: Any
) -> None:
    guard.install()
    with httpx.Client() as client:
        request = client.build_request("GET", server.url(BODY))
        closed = client.send(request, stream=True)
        copies = [DUPLICATES[way](closed)]
        closed.close()
        assert_silent(guard)
        response = client.send(request, stream=True)  # LEAK
        copies.append(DUPLICATES[way](response))
        del response
        gc.collect()
        guard.check()
        only(guard, LeakKind.DROPPED)
    assert all(double.is_closed for double in copies)


@pytest.mark.skipif(
    sys.implementation.name == "pypy", reason="nothing goes with its last reference"
)
def test_a_copy_of_urllib3_has_the_body_of_the_original(
    guard: GuardControl, server: Server
) -> None:
    guard.install()
    http = urllib3.PoolManager()
    url = server.url(BODY)
    response = http.request("GET", url, preload_content=False)
    assert len(copy.copy(response).read()) == SIZE
    del response
    assert_silent(guard)
    original = http.request("GET", url, preload_content=False)  # LEAK
    double = copy.copy(original)
    del original
    only(guard, LeakKind.DROPPED)
    assert double.read() == b""
