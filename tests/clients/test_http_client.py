"""http.client and urllib.request: who reads, who waits, what others open through it."""

from __future__ import annotations

import gc
import io
import select
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from http.client import HTTPConnection, HTTPResponse, IncompleteRead
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
import requests
import urllib3

import httpguard
from httpguard import LeakKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import GuardControl
    from tests.server import Server

NAMES = {
    HTTPConnection: ("__init__", "request", "putrequest", "getresponse", "close"),
    HTTPResponse: (
        *("_close_conn", "close", "_dealloc_warn", "__init_subclass__"),
        *("_read_next_chunk_size", "read", "readinto", "read1", "readline"),
    ),
}
COUNTING = NAMES[HTTPResponse][-5:]
"""What is patched once a response comes whose length is not known."""


def attributes() -> dict[tuple[type, str], object]:
    """What is patched, as it is now."""
    return {
        (owner, name): vars(owner).get(name)
        for owner, names in NAMES.items()
        for name in names
    }


def changed(before: dict[tuple[type, str], object]) -> set[tuple[type, str]]:
    """What is not any more as it was."""
    return {key for key, value in attributes().items() if value is not before[key]}


def ask(server: Server, path: str) -> tuple[HTTPConnection, HTTPResponse]:
    connection = HTTPConnection(server.host, server.port, timeout=30)
    connection.request("GET", path)
    return connection, connection.getresponse()


def found() -> list[tuple[LeakKind, int]]:
    """What was found so far: kind and count."""
    return [(leak.kind, leak.count) for leak in httpguard.check().leaks]


def opened() -> list[str]:
    """The clients of the responses that are open."""
    return [response.client for response in httpguard.check().open]


def test_uninstall_gives_every_attribute_back(
    guard: GuardControl, server: Server
) -> None:
    before = attributes()
    for _ in range(2):
        guard.install()
        # The first request of all goes through one of ours, and no other does.
        most = before.keys() - {(HTTPConnection, "request")}
        ask(server, "/bytes/9")[1].read()
        assert changed(before) == most - {(HTTPResponse, name) for name in COUNTING}
        ask(server, "/chunked/9")[1].read()
        assert changed(before) == most
        httpguard.uninstall()
        after = attributes()
        assert all(after[key] is value for key, value in before.items())


def test_requests_of_urllib3_run_through_nothing_of_ours(
    guard: GuardControl, server: Server
) -> None:
    before = attributes()
    guard.install()
    assert requests.get(server.url("/lines")).content
    kept = urllib3.PoolManager().request(
        "GET", server.url("/lines"), preload_content=False
    )
    assert changed(before) == {
        (HTTPConnection, "__init__"),
        (HTTPConnection, "request"),
    }
    kept.close()


def test_nothing_is_imported(server: Server) -> None:
    program = f"""
import sys, httpguard
httpguard.install(check_interval=0, max_idle=0)
print([name for name in ("http.client", "urllib.request") if name in sys.modules])
from urllib.request import urlopen
kept = urlopen({server.url("/lines")!r})
httpguard.check()
print([(str(leak.kind), leak.client) for leak in httpguard.check().leaks])
"""
    done = subprocess.run(  # This interpreter.
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.stdout == "[]\n[('held', 'urllib.request')]\n", done.stderr


def test_a_connection_made_before_install_is_guarded(
    guard: GuardControl, server: Server
) -> None:
    connection = HTTPConnection(server.host, server.port)
    guard.install()
    connection.request("GET", "/bytes/90000")
    response = connection.getresponse()
    assert opened() == ["http.client"]
    response.close()
    assert opened() == []


@pytest.fixture
def both(guard: GuardControl, server: Server) -> Server:
    """A program that uses http.client too: all of it is patched."""
    guard.install()
    ask(server, "/lines")[1].read()
    return server


def test_what_requests_and_urllib3_open_has_one_lease(both: Server) -> None:
    before = httpguard.check().counters["opened"]
    kept: list[Any] = [requests.get(both.url("/lines"), stream=True)]
    kept.append(
        urllib3.PoolManager().request("GET", both.url("/lines"), preload_content=False)
    )
    pool = urllib3.HTTPConnectionPool(both.host, both.port)
    kept.append(pool.urlopen("GET", "/chunked/9", preload_content=False))
    assert sorted(opened()) == ["requests", "urllib3", "urllib3"]
    assert httpguard.check().counters["opened"] - before == 3
    assert requests.get(both.url("/close")).content
    for response in kept:
        response.close()
    assert opened() == []
    assert found() == []


def test_what_sdks_open_has_one_lease(both: Server) -> None:
    docker = pytest.importorskip("docker")
    boto3 = pytest.importorskip("boto3")
    before = httpguard.check().counters["opened"]
    keys = {"aws_access_key_id": "access", "aws_secret_access_key": "none"}
    s3 = boto3.client("s3", endpoint_url=both.url(""), region_name="us-east-1", **keys)
    body = s3.get_object(Bucket="bucket", Key="key")["Body"]
    url = f"tcp://{both.host}:{both.port}"
    stream = docker.APIClient(base_url=url, version="1.41").export("x", chunk_size=1024)
    next(stream)
    assert opened() == ["urllib3", "requests"]
    assert httpguard.check().counters["opened"] - before == 2
    body.close()
    stream.close()


def test_a_vendored_urllib3_has_no_lease_of_http_client(both: Server) -> None:
    vendored = pytest.importorskip("pip._vendor.urllib3")
    response = vendored.PoolManager().request(
        "GET", both.url("/lines"), preload_content=False
    )
    assert "http.client" not in opened()
    response.close()


def test_a_dropped_response_is_counted(guard: GuardControl, server: Server) -> None:
    guard.install()
    urlopen(server.url("/bytes/90000"))
    ask(server, "/bytes/90000")
    counters = guard.check().counters
    assert (counters["opened"], counters["closed"], counters["leaks"]) == (2, 2, 0)


def test_a_cycle_says_how_much_was_read(guard: GuardControl, server: Server) -> None:
    guard.install()
    response: Any = urlopen(server.url("/bytes/90000"))
    response.read(100)
    response.me = response
    del response
    gc.collect()
    (leak,) = guard.check().leaks
    assert (leak.kind, leak.count) == (LeakKind.DROPPED, 1)
    assert "100 of 90000 bytes read" in str(leak)
    assert "with urllib.request.urlopen(...) as response:" in leak.hint


def decoded(url: str) -> object:
    """What decodes a response, made before that."""
    text = io.TextIOWrapper.__new__(io.TextIOWrapper)
    text.__init__(urlopen(url))  # type: ignore[misc]
    return text


def closed_by_tempfile(url: str) -> object:
    """As the error of urllib.request has it, made before the response."""
    kind: Any = tempfile._TemporaryFileCloser  # type: ignore[attr-defined]
    closer = kind.__new__(kind)
    closer.__init__(urlopen(url), "", delete=False)
    return closer


@pytest.mark.parametrize("make", [decoded, closed_by_tempfile])
def test_finalizers_of_the_standard_library_come_too_late(
    guard: GuardControl, server: Server, make: Callable[[str], Any]
) -> None:
    guard.install()
    made = make(server.url("/bytes/90000"))
    made.me = made
    del made
    gc.collect()
    assert found() == [(LeakKind.DROPPED, 1)]


def test_finalizers_of_the_program_do_not(guard: GuardControl, server: Server) -> None:
    class Closer:
        def __del__(self) -> None:
            self.response.close()

        response: Any = None

    guard.install()
    first, last = Closer(), urlopen(server.url("/bytes/90000"))
    first.response = last
    last.me = [last, first]
    later = urlopen(server.url("/bytes/90000"))
    later.me = [later, Closer()]
    later.me[1].response = later
    del first, last, later
    gc.collect()
    assert found() == []


def reads_all(response: HTTPResponse) -> None:
    assert len(response.read()) == 90_000


def reads_lines(response: HTTPResponse) -> None:
    assert sum(map(len, io.BufferedReader(response))) == 90_000


def selects(response: HTTPResponse) -> None:
    """Polls what is below it, with what came already taken out of the buffer."""
    response.read(10)
    while not select.select([response.fileno()], [], [], 10)[0]:
        pass
    response.read()


@pytest.mark.parametrize("read", [reads_all, reads_lines, selects])
def test_who_waits_reads(
    guard: GuardControl, server: Server, read: Callable[[HTTPResponse], None]
) -> None:
    guard.install(max_idle=30)
    key = f"stdlib-{read.__name__}"
    response = urlopen(server.url(f"/slow/{key}"))
    thread = threading.Thread(target=read, args=(response,), daemon=True)
    thread.start()
    deadline = time.monotonic() + 30
    while read is selects and response.length == 90_000:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(0.05)
    for _ in range(3):
        guard.check()
        guard.advance(40)
        assert guard.check().leaks == ()
    urlopen(server.url(f"/finish/{key}")).read()
    thread.join()
    assert opened() == []


def test_a_body_without_a_length_is_counted(
    guard: GuardControl, server: Server
) -> None:
    guard.install()
    response = urlopen(server.url("/close"))
    response.read(100)
    response.readline()
    response.read1(10)
    response.readinto(bytearray(5))
    (one,) = guard.check().open
    assert (one.bytes_read, one.length) == (100 + 80 + 10 + 5, None)


def test_a_body_in_chunks_is_counted(guard: GuardControl, server: Server) -> None:
    guard.install()
    response = urlopen(server.url("/chunked/9"))
    response.read(100)
    response.read1(10)
    response.readline()
    (one,) = guard.check().open
    assert (one.bytes_read, one.length) == (180, None)
    response.read()
    assert opened() == []


def test_what_is_held_can_be_closed(guard: GuardControl, server: Server) -> None:
    guard.install(on_held="close", max_idle=30)
    connection, response = ask(server, "/bytes/90000")
    response.read(10)
    chunked = urlopen(server.url("/chunked/9"))
    guard.check()
    guard.advance(40)
    guard.check()
    for one, size in ((response, 10), (response, None), (chunked, None)):
        with pytest.raises(IncompleteRead) as raised:
            one.read(size)
        errors = [raised.value, raised.value.__cause__]
        if sys.version_info >= (3, 11):
            assert any("httpguard" in str(getattr(e, "__notes__", "")) for e in errors)
    assert opened() == []
    response.close()
    assert response.isclosed()
    connection.close()


def test_a_held_one_that_is_dropped_is_resolved(
    guard: GuardControl, server: Server
) -> None:
    guard.install(max_idle=30)
    kept = [urlopen(server.url("/bytes/90000"))]
    guard.check()
    guard.advance(40)
    assert guard.check().counters["held"] == 1
    kept.clear()
    assert guard.check().counters["resolved"] == 1


def test_a_session_that_is_closed_is_resolved(
    guard: GuardControl, server: Server
) -> None:
    guard.install(max_sessions=2, max_idle=30)
    kept = [ask(server, "/lines") for _ in range(4)]
    for _, response in kept:
        response.read()
    guard.check()
    guard.advance(40)
    assert found() == [(LeakKind.SESSION, 2)]
    for connection, _ in kept:
        connection.close()
    assert guard.check().counters["resolved"] == 2
    # They may be used again.
    for connection, _ in kept[:1]:
        connection.request("GET", "/lines")
        connection.getresponse().read()
    assert found() == [(LeakKind.SESSION, 2)]


def test_one_connection_to_each_thread(guard: GuardControl, server: Server) -> None:
    guard.install(max_sessions=2, max_idle=30)
    done, leave = threading.Semaphore(0), threading.Event()

    def work() -> None:
        _connection, response = ask(server, "/lines")
        response.read()
        done.release()
        leave.wait(30)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(6)]
    for thread in threads:
        thread.start()
        done.acquire()
    guard.check()
    guard.advance(40)
    assert guard.check().leaks == ()
    leave.set()
    for thread in threads:
        thread.join()


def test_touch_takes_the_error_of_urllib(guard: GuardControl, server: Server) -> None:
    guard.install(max_idle=30, explain=60)
    with pytest.raises(HTTPError) as raised:
        urlopen(server.url("/status/404"))
    error = raised.value
    guard.check()
    guard.advance(20)
    assert httpguard.touch(error)
    guard.advance(20)
    assert guard.check().leaks == ()
    guard.advance(20)
    (leak,) = guard.check().leaks
    assert str(leak.held_by).endswith("HTTPError.fp")
    assert leak.hint.startswith("call `close()` on the `HTTPError` that is held, or")
    error.close()


def test_who_holds_no_error_is_told_of_a_block(
    guard: GuardControl, server: Server
) -> None:
    guard.install(max_idle=30, explain=60)
    response = urlopen(server.url("/bytes/90000"))
    guard.advance(31)
    (leak,) = guard.check().leaks
    assert leak.hint.startswith("call `close()` when done with it, or open it with")
    response.close()


def test_strict_raises_at_the_next_request(guard: GuardControl, server: Server) -> None:
    guard.install(strict=True, max_idle=30)
    connection, response = ask(server, "/bytes/90000")
    other: Any = urlopen(server.url("/bytes/90000"))
    other.me = other
    del other
    gc.collect()
    with pytest.raises(httpguard.LeakError):
        urlopen(server.url("/lines"))
    assert len(response.read()) == 90_000
    connection.request("GET", "/lines")
    connection.getresponse().read()


def test_strict_closes_one_too_many(guard: GuardControl, server: Server) -> None:
    guard.install(strict=True, max_open=1)
    first = urlopen(server.url("/bytes/90000"))
    with pytest.raises(httpguard.LeakError):
        urlopen(server.url("/bytes/90000"))
    assert opened() == ["urllib.request"]
    first.close()


def test_a_tunnel_is_named_by_its_end(guard: GuardControl, server: Server) -> None:
    guard.install()
    proxy = {"http": f"http://{server.host}:{server.port}"}
    opener = urllib.request.build_opener(urllib.request.ProxyHandler(proxy))
    response = opener.open("http://shop.example/bytes/90000?token=secret")
    (one,) = guard.check().open
    assert one.url == "http://shop.example/bytes/90000?token=…"
    response.close()


def test_switched_protocols_are_the_programs(
    guard: GuardControl, server: Server
) -> None:
    guard.install()
    kept = ask(server, "/status/101")
    assert opened() == []
    del kept


def test_faked_sockets_hold_nothing(guard: GuardControl) -> None:
    class Fake(HTTPConnection):
        def connect(self) -> None:
            self.sock: Any = self

        def sendall(self, _data: object, /) -> None:
            pass

        def makefile(self, _mode: str) -> io.BufferedIOBase:
            return io.BytesIO(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n123456789")

        def close(self) -> None:
            pass

    guard.install()
    connection = Fake("shop.example")
    connection.request("GET", "/")
    response = connection.getresponse()
    counters = guard.check().counters
    assert (counters["opened"], counters["errors"]) == (0, 0)
    assert response.read() == b"123456789"


def test_closing_what_is_held_leaves_its_connection_usable(
    guard: GuardControl, server: Server
) -> None:
    """The rest of the body is on it: it opens again for the next request."""
    guard.install(on_held="close", max_idle=30)
    connection, response = ask(server, "/bytes/90000")
    response.read(10)
    guard.check()
    before = connection.sock
    guard.advance(40)
    (leak,) = guard.check().leaks
    assert (leak.kind, leak.count) == (LeakKind.HELD, 1)
    assert before is not None
    assert before.fileno() == -1
    connection.request("GET", "/bytes/5")
    assert connection.getresponse().read() == b"xxxxx"
    with pytest.raises(IncompleteRead):
        response.read(10)
    connection.close()


def test_closing_what_is_held_leaves_another_answer_alone(
    guard: GuardControl, server: Server
) -> None:
    """The connection of one that took its socket along may have a new one."""
    guard.install(on_held="close", max_idle=30)
    connection, response = ask(server, "/close")
    response.read(10)
    guard.check()
    guard.advance(20)
    connection.request("GET", "/bytes/90000")
    later = connection.getresponse()
    guard.check()
    guard.advance(20)
    assert len(guard.check().leaks) == 1
    assert len(later.read()) == 90_000
    with pytest.raises(IncompleteRead):
        response.read(10)
    connection.close()


@pytest.mark.parametrize("both", [True, False])
def test_whoever_closes_what_is_below_a_response_has_closed_it(
    guard: GuardControl, server: Server, *, both: bool
) -> None:
    guard.install(max_idle=30)
    connection, response = ask(server, "/lines")
    assert connection.sock is not None
    connection.sock.close()
    if both:
        response.fp.close()
    guard.check()
    guard.advance(40)
    leaks = guard.check().leaks
    assert [(leak.kind, leak.count) for leak in leaks] == [(LeakKind.HELD, 1)] * (
        not both
    )
    response.fp = None  # type: ignore[assignment]  # Else it is flushed.
