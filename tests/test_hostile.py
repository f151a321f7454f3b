"""Servers that mean harm: nothing they send reaches a log as more than plain text."""

from __future__ import annotations

import json
import logging
import re
import socket
import threading
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, Final

import pytest
import requests
import structlog
import urllib3

import httpguard
from httpguard import LeakError
from httpguard._process import process as _process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import GuardControl

BODY: Final = b"Content-Length: 90000\r\n\r\nxxxxx"
OK: Final = b"HTTP/1.1 200 OK\r\n" + BODY
FORGED: Final = "ERROR:root:all is well, deploy"
SECRETS: Final = (
    "hunter2",
    "correct-horse",
    "AAExampleBotToken",
    "eyJhbGciOiJIUzI1NiJ9",
    "0123456789abcdef0123456789abcdef",
    "c2VjcmV0",
)
SECRET_PATH: Final = (
    "/bot99:AAExampleBotToken/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.sig"
    "/0123456789abcdef0123456789abcdef/x;jsessionid=hunter2/token/c2VjcmV0"
)
# A line of a report begins like one of these, and holds no more than its parts can.
LINE: Final = re.compile(
    r"(leak |summary: |resolved |  > |  (opened|made) by thread |  fix: |  more: |"
    r"  request: |  held by: |  pool |    |"
    r"too many open responses: |\d+ leaked )"
)
LONGEST_LINE: Final = 1000

# What a hostile server says before the body: a status line and headers.
HEADS: Final[dict[str, bytes]] = {
    "escapes in the reason": b"HTTP/1.1 200 \x1b[2J\x1b]0;owned\x07\r\n",
    "a forged reason": f"HTTP/1.1 200 \r{FORGED}\r\n".encode(),
    "escapes in headers": b"HTTP/1.1 200 OK\r\nX-A: \x1b[31m\x9b31m\r\nX\x1b[1m: a\r\n",
    "a folded header": f"HTTP/1.1 200 OK\r\nX-A: a\r\n {FORGED}\r\n".encode(),
    "a bare line feed": f"HTTP/1.1 200 OK\r\nX-A: a\n{FORGED}: b\r\n".encode(),
    "a long header": b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 60_000 + b"\r\n",
    "a status of its own": b"HTTP/1.1 999 hunter2\r\nSet-Cookie: s=hunter2\r\n",
    "a type with secrets": b"HTTP/1.1 200 OK\r\nContent-Type: hunter2\x1b[0m\r\n",
}
# Where a hostile server redirects to, after scheme and host.
LOCATIONS: Final[dict[str, str]] = {
    "escapes": "/\x1b[2J\x1b]0;owned\x07/\x9b31m",
    "percent-encoded lines": f"/a%0d%0a{FORGED}",
    "separators": f"/a\u2028{FORGED}\u2029\x85{FORGED}",
    "overrides": "/\u202egnp.exe\u2066\u200b\ufeff",
    "tabs": f"/a\t\x0b\x0c{FORGED}",
    "values": "/p?password=hunter2&correct-horse#hunter2",
    "tokens": SECRET_PATH,
    "encoded tokens": SECRET_PATH.replace(":", "%3A").replace("/bot", "/%62ot"),
    "no end": "/" + "a" * 50_000,
    "no end of secrets": SECRET_PATH * 200,
    "no end of names": "/p?" + "a=hunter2&" * 5_000,
}

pytestmark = pytest.mark.usefixtures("small_heap")


@contextmanager
def hostile(*answers: bytes) -> Iterator[str]:
    """A server that gives one connection after another one of the answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        host, port = listener.getsockname()
        base = f"http://{host}:{port}"
        kept = []

        def serve() -> None:
            for answer in answers:
                connection, _ = listener.accept()
                kept.append(connection)
                connection.recv(1 << 20)
                connection.sendall(answer.replace(b"BASE", base.encode()))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield base
        finally:
            for connection in kept:
                connection.close()


def by_requests(url: str) -> Any:
    return requests.get(url, stream=True)


def by_urllib3(url: str) -> Any:
    return urllib3.PoolManager().request("GET", url, preload_content=False)


CLIENTS: Final = (by_requests, by_urllib3)


def texts_of(
    fetch: Callable[[], Any],
    guard: GuardControl,
    caplog: pytest.LogCaptureFixture,
) -> list[str]:
    """Everything httpguard says of leaks of each kind, whichever way."""
    said: list[str] = []

    def keep(_logger: object, _method: str, event: Any) -> Any:
        said.append(json.dumps(event, default=str, ensure_ascii=False))
        raise structlog.DropEvent

    with pytest.raises(LeakError) as raised, httpguard.no_leaks():
        kept = fetch()
    kept.close()
    fetch()
    held = fetch()
    guard.advance(100)
    state = guard.check()
    structlog.configure(processors=[keep])
    try:
        fetch()
        guard.advance(100)
        guard.check()
        current = _process.current()
        assert current is not None
        current.finish()
    finally:
        structlog.reset_defaults()
    current.finish()  # Once more, to the standard library's logger.
    assert caplog.messages[-1].startswith("summary: ")
    current.table.by_line.clear()
    held.close()
    assert {leak.kind.value for leak in state.leaks} == {"dropped", "held", "open"}
    document = json.dumps(state.to_dict(), ensure_ascii=False)
    return [*caplog.messages, str(raised.value), document, *said]


def check(texts: list[str]) -> None:
    assert len(texts) >= 5
    for text in texts:
        assert text.isprintable() or "\n" in text
        for line in text.split("\n"):
            assert line.isprintable(), ascii(line)
            assert not line.startswith(FORGED)
        for secret in SECRETS:
            assert secret not in text
        if text.startswith("{"):
            for value in strings(json.loads(text)):
                assert len(value) <= 300 or "\n" in value
        else:
            for line in text.split("\n"):
                assert LINE.match(line), line
                assert len(line) <= LONGEST_LINE


def strings(document: Any) -> Iterator[str]:
    """Every string in a JSON document."""
    if isinstance(document, str):
        yield document
    elif isinstance(document, dict):
        for value in document.values():
            yield from strings(value)
    elif isinstance(document, list):
        for value in document:
            yield from strings(value)


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("head", HEADS)
def test_hostile_heads(
    head: str,
    client: Callable[[str], Any],
    guard: GuardControl,
    caplog: pytest.LogCaptureFixture,
) -> None:
    guard.install()
    with hostile(*[HEADS[head] + BODY] * 4) as base:
        caplog.set_level(logging.WARNING, "httpguard")
        check(texts_of(lambda: client(f"{base}/"), guard, ours(caplog)))


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("location", LOCATIONS)
def test_hostile_redirects(
    location: str,
    client: Callable[[str], Any],
    guard: GuardControl,
    caplog: pytest.LogCaptureFixture,
) -> None:
    guard.install()
    target = LOCATIONS[location].encode()
    moved = (
        b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nConnection: close\r\nLocation: "
    )
    moved += b"BASE" + target + b"\r\n\r\n"
    with hostile(*[moved, OK] * 4) as base:
        first = f"{base}/first"
        texts = texts_of(lambda: client(first), guard, ours(caplog))
    check(texts)
    assert not any(first in text for text in texts)
    assert all(f"GET {base}/" in text for text in caplog.messages)


def ours(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Without what urllib3 logs of broken headers."""
    logging.getLogger("urllib3").setLevel(logging.CRITICAL)
    return caplog


def test_user_info_and_values_of_the_program_go(
    guard: GuardControl, caplog: pytest.LogCaptureFixture
) -> None:
    guard.install()
    with hostile(*[OK] * 4) as base:
        url = base.replace("//", "//user:hunter2@") + "/p?token=hunter2#hunter2"
        check(texts_of(lambda: by_requests(url), guard, caplog))


@pytest.mark.parametrize("client", CLIENTS)
def test_a_length_beyond_all_measure(
    client: Callable[[str], Any],
    guard: GuardControl,
    caplog: pytest.LogCaptureFixture,
) -> None:
    guard.install()
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 4_000 + b"\r\n\r\nx"
    with hostile(*[answer] * 4) as base:
        check(texts_of(lambda: client(base), guard, caplog))
    assert "0 bytes read" in caplog.text


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X-A: hunter2\r\n" * 300 + b"\r\n",
        b"HTTP/1.1 hunter2 OK\r\n\r\n",
        b"\x1b[2J\r\n\r\n",
    ],
    ids=["a header", "headers", "a status", "nonsense"],
)
def test_answers_that_are_none(
    head: bytes, guard: GuardControl, caplog: pytest.LogCaptureFixture
) -> None:
    """The client refuses: so it does with us, and we say nothing."""
    with hostile(head) as base, pytest.raises(requests.ConnectionError) as alone:
        requests.get(base, stream=True)
    guard.install()
    with hostile(head) as base, pytest.raises(requests.ConnectionError) as guarded:
        requests.get(base, stream=True)
    assert type(guarded.value.args[0]) is type(alone.value.args[0])
    del guarded
    assert guard.check().counters["leaks"] == 0
    assert "httpguard" not in {record.name for record in caplog.records}


def test_a_body_without_end_costs_a_line(
    guard: GuardControl, caplog: pytest.LogCaptureFixture
) -> None:
    guard.install()
    size = b"fffff;" + b"hunter2=\x1b[2J" * 1000
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer += size + b"\r\n" + b"\x1b[31mhunter2" * 10_000
    with hostile(answer) as base, closing(requests.Session()) as session:
        response = session.get(base, stream=True)
        assert response.raw.read(100, decode_content=False)
        del response
        guard.check()
    (text,) = caplog.messages
    check([text] * 5)


def test_a_fault_of_ours_tells_no_secrets(
    guard: GuardControl,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The error of the program that was on its way when we failed is not shown."""

    def fail(*_arguments: object, **_options: object) -> Any:
        msg = f"\x1b[2J\n{FORGED}"
        raise OSError(msg)

    guard.install()
    current = _process.current()
    assert current is not None
    monkeypatch.setattr(current.registry, "swift", None)
    monkeypatch.setattr("httpguard._clients.urllib3.responses.begin", fail)

    def refuse(*_arguments: object, **_options: object) -> None:
        msg = "hunter2"
        raise LookupError(msg)

    with hostile(OK) as base, pytest.raises(LookupError):
        requests.get(base, hooks={"response": refuse}, stream=True)
    # Where the response is opened, and where its hook has raised.
    assert len(caplog.records) == 2
    assert all(record.exc_info is None for record in caplog.records)
    text = "\n".join(map(logging.Formatter().format, caplog.records))
    assert text.count("\nOSError: ") == 2
    assert "hunter2" not in text
    assert all(line.isprintable() for line in text.split("\n"))
