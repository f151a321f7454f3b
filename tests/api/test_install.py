"""install and uninstall: nothing patched twice, everything given back."""

from __future__ import annotations

import gc
import inspect
import socket
import threading
import weakref
from typing import TYPE_CHECKING

import pytest
import requests
from requests.adapters import HTTPAdapter
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.response import HTTPResponse
from urllib3.util.retry import Retry

import httpguard
from httpguard import LeakKind
from tests.program import run, write

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import GuardControl
    from tests.server import Server

PATCHED = [
    (HTTPConnectionPool, "urlopen"),
    (HTTPConnectionPool, "_get_conn"),
    (HTTPConnectionPool, "_put_conn"),
    (HTTPConnectionPool, "close"),
    (HTTPResponse, "close"),
    (HTTPResponse, "_handle_chunk"),
    (HTTPAdapter, "send"),
    (requests.sessions, "dispatch_hook"),
]


def attributes() -> list[object]:
    return [owner.__dict__[name] for owner, name in PATCHED]


def test_uninstall_gives_back_the_very_objects() -> None:
    before = attributes()
    names = set(vars(HTTPResponse))
    httpguard.install()
    during = attributes()
    httpguard.uninstall()
    assert all(new is not old for new, old in zip(during, before, strict=True))
    assert all(new is old for new, old in zip(attributes(), before, strict=True))
    assert set(vars(HTTPResponse)) == names


def test_signatures_names_and_docs_are_unchanged() -> None:
    before = [
        (inspect.signature(item), item.__name__, item.__doc__)  # type: ignore[attr-defined, arg-type]  # functions
        for item in attributes()
    ]
    httpguard.install()
    during = [
        (inspect.signature(item), item.__name__, item.__doc__)  # type: ignore[attr-defined, arg-type]  # functions
        for item in attributes()
    ]
    httpguard.uninstall()
    assert during == before


def test_a_second_install_replaces_settings_and_patches_nothing_twice(
    guard: GuardControl, server: Server
) -> None:
    guard.install(max_idle=100)
    during = attributes()
    kept = requests.get(server.url("/bytes/90000"), stream=True)
    guard.install(max_idle=1)
    assert all(new is old for new, old in zip(attributes(), during, strict=True))
    guard.advance(2)
    leak = guard.check().leaks[0]
    assert (leak.kind, leak.count) == (LeakKind.HELD, 1)
    kept.close()


def test_what_others_patched_on_top_of_us_stays(
    monkeypatch: pytest.MonkeyPatch, guard: GuardControl, server: Server
) -> None:
    guard.install()
    ours = HTTPAdapter.send

    def theirs(adapter: HTTPAdapter, *args: object, **kwargs: object) -> object:
        return ours(adapter, *args, **kwargs)  # type: ignore[arg-type]

    theirs.__wrapped__ = ours  # type: ignore[attr-defined]  # as functools.wraps does
    monkeypatch.setattr(HTTPAdapter, "send", theirs)
    httpguard.uninstall()
    assert HTTPAdapter.__dict__["send"] is theirs
    assert requests.get(server.url("/bytes/10")).content == b"x" * 10
    # Installed again, our wrapper below theirs is still the only one.
    guard.install()
    assert HTTPAdapter.__dict__["send"] is theirs
    requests.get(server.url("/bytes/90000"), stream=True)
    assert [leak.count for leak in guard.check().leaks] == [1]
    httpguard.uninstall()
    monkeypatch.undo()
    # For good: the wrapper would be on when another test installs.
    HTTPAdapter.send = ours.__wrapped__  # type: ignore[attr-defined, method-assign]


def test_disabled_patches_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    before = attributes()
    monkeypatch.setenv("HTTPGUARD_ENABLED", "0")
    httpguard.install()
    assert all(new is old for new, old in zip(attributes(), before, strict=True))
    assert httpguard.check() == httpguard.Snapshot()


def test_disabling_uninstalls() -> None:
    before = attributes()
    httpguard.install()
    httpguard.install(enabled=False)
    assert all(new is old for new, old in zip(attributes(), before, strict=True))


def test_not_installed_everything_is_quiet(server: Server) -> None:
    response = requests.get(server.url("/bytes/90000"), stream=True)
    assert httpguard.touch(response) is False
    assert httpguard.snapshot() == httpguard.Snapshot()
    with httpguard.allow("not installed"):
        response.close()


@pytest.mark.parametrize("first", ["httpguard", "requests"])
def test_the_order_of_imports_does_not_matter(
    first: str, server: Server, tmp_path: Path
) -> None:
    program = write(
        tmp_path / "app.py",
        f"""
        import {first}
        import httpguard
        httpguard.install()
        import requests, sys
        requests.get(sys.argv[1], stream=True)
        print([(str(leak.kind), leak.site.lineno) for leak in httpguard.check().leaks])
        """,
    )
    done = run(program, server.url("/bytes/90000"))
    assert done.stdout == "[('dropped', 6)]\n", done.stderr


def test_requests_may_be_absent(server: Server, tmp_path: Path) -> None:
    program = write(
        tmp_path / "app.py",
        """
        import sys
        sys.modules["requests"] = None
        import httpguard, urllib3
        httpguard.install()
        urllib3.PoolManager().request("GET", sys.argv[1], preload_content=False)
        leaks = httpguard.check().leaks
        print([(str(leak.kind), leak.site.lineno, leak.client) for leak in leaks])
        """,
    )
    done = run(program, server.url("/bytes/90000"))
    assert done.stdout == "[('dropped', 6, 'urllib3')]\n", done.stderr


def test_install_imports_no_client(tmp_path: Path) -> None:
    program = write(
        tmp_path / "app.py",
        """
        import httpguard, sys
        httpguard.install(); httpguard.uninstall(); httpguard.install()
        print([name for name in ("requests", "urllib3", "structlog", "rich", "typer")
               if name in sys.modules])
        """,
    )
    assert run(program).stdout == "[]\n"


def test_a_retried_response_is_freed_at_once(guard: GuardControl) -> None:
    """No cycle through a frame of ours: a traceback of the first try keeps it."""
    guard.install()
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        for answer in (b"", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"):
            connection, _ = listener.accept()
            connection.recv(65536)
            connection.sendall(answer)
            connection.close()

    thread = threading.Thread(target=serve)
    thread.start()
    pool = HTTPConnectionPool("127.0.0.1", listener.getsockname()[1])
    gc.collect()
    gc.disable()
    try:
        response = pool.urlopen("GET", "/", retries=Retry(read=1))
        assert response.retries is not None
        assert len(response.retries.history) == 1
        reference = weakref.ref(response)
        del response
        assert reference() is None
    finally:
        gc.enable()
        thread.join()
        listener.close()
