"""Sockets of others: none of their code runs when we look for Python's."""

from __future__ import annotations

import inspect
import io
import socket
from typing import TYPE_CHECKING, Any

import pytest
import urllib3
from urllib3.connection import HTTPConnection

import httpguard
from httpguard._leases.wire import real_socket

if TYPE_CHECKING:
    from tests.conftest import GuardControl
    from tests.server import Server


class Asked:
    """A program's own socket, which notes what it is asked for."""

    def __init__(self, **parts: Any) -> None:
        self.seen: list[str] = []
        vars(self).update(parts)

    def __getattr__(self, name: str) -> Any:
        self.seen.append(name)
        raise AttributeError(name)


def test_no_code_of_a_program_runs() -> None:
    asked = Asked()
    assert real_socket(asked) is None
    assert asked.seen == []


def test_the_socket_inside_is_found() -> None:
    with socket.socket() as inner:
        assert real_socket(Asked(fd=inner)) is inner
        assert real_socket(inner) is inner


@pytest.mark.parametrize("close", [True, False], ids=["close", "keep-alive"])
def test_a_faked_socket_is_none_where_the_server_closes_too(
    guard: GuardControl, *, close: bool
) -> None:
    """As httpretty answers: http.client hands the socket over to the response."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n%b\r\n123456789"

    class FakeFile(io.BytesIO):
        __module__ = "httpretty.core"

    class FakeSocket:
        __module__ = "httpretty.core"

        def makefile(self, *_: object, **__: object) -> FakeFile:
            return FakeFile(head % (b"Connection: close\r\n" if close else b""))

        def __getattr__(self, name: str) -> Any:
            return lambda *_, **__: None

    class Connection(HTTPConnection):
        def connect(self) -> None:
            self.sock = FakeSocket()

    pool = urllib3.HTTPConnectionPool("shop.example")
    pool.ConnectionCls = Connection
    guard.install()
    response = pool.urlopen("GET", "/", preload_content=False, retries=False)
    assert response._connection is not None  # type: ignore[attr-defined]
    assert httpguard.snapshot().counters["opened"] == 0
    assert response.read() == b"123456789"


def test_who_is_handed_the_socket_has_a_real_one(
    guard: GuardControl, server: Server
) -> None:
    guard.install()
    urllib3.PoolManager().request("GET", server.url("/close"), preload_content=False)
    assert [leak.count for leak in guard.check().leaks] == [1]


@pytest.mark.parametrize("module", ["mocket.socket", "shop.sockets"])
def test_what_mocket_makes_up_for_httpx_is_never_held(
    guard: GuardControl,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    module: str,
) -> None:
    httpx = pytest.importorskip("httpx")
    connect = socket.create_connection

    class Socket(socket.socket):
        __module__ = module

    def create_connection(*args: Any, **options: Any) -> Socket:
        return Socket(fileno=connect(*args, **options).detach())

    monkeypatch.setattr(socket, "create_connection", create_connection)
    guard.install(max_idle=30)
    with httpx.Client(trust_env=False) as client:
        asked = client.build_request("GET", server.url("/bytes/90000"))
        response = client.send(asked, stream=True)  # LEAK
        guard.advance(40)
        leaks = guard.check().leaks
        response.close()
    line = inspect.currentframe().f_lineno - 4  # type: ignore[union-attr]  # CPython's
    assert [(leak.kind, leak.count, leak.site.lineno) for leak in leaks] == (
        [] if module.startswith("mocket.") else [("held", 1, line)]
    )
