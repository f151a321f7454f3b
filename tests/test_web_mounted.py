"""The live page mounted in the program's own server, by WSGI and by ASGI."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import flask
import pytest
import requests
from starlette.applications import Starlette
from starlette.routing import Mount
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client

import httpguard
from httpguard._web import sampler as _sampler
from tests.test_web import TOKEN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import GuardControl
    from tests.server import Server

Answer = tuple[int, dict[str, str], bytes]


def in_flask(token: str | None, prefix: str) -> Callable[..., Answer]:
    """Mounted in a Flask application."""
    application = flask.Flask("shop")
    application.wsgi_app = DispatcherMiddleware(  # type: ignore[method-assign]
        application.wsgi_app, {prefix: httpguard.wsgi_app(token)}
    )
    client = Client(application.wsgi_app)

    def ask(path: str, method: str = "GET", **headers: str) -> Answer:
        response = client.open(path, method=method, headers=dict(headers))
        named = {name.lower(): value for name, value in response.headers.items()}
        return response.status_code, named, response.get_data()

    return ask


async def call_asgi(
    application: Any,
    path: str,
    method: str,
    headers: dict[str, str],
    scheme: str = "http",
) -> Answer:
    """One request, as an ASGI server makes it."""
    parts = urlsplit(path)
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": scheme,
        "path": parts.path,
        "raw_path": parts.path.encode(),
        "root_path": "",
        "query_string": parts.query.encode(),
        "headers": [
            (name.lower().encode(), value.encode()) for name, value in headers.items()
        ],
        "server": ("127.0.0.1", 80),
    }
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await application(scope, receive, send)
    start, *bodies = sent
    named = {name.decode(): value.decode() for name, value in start["headers"]}
    return start["status"], named, b"".join(body.get("body", b"") for body in bodies)


def in_starlette(token: str | None, prefix: str) -> Callable[..., Answer]:
    """Mounted in a Starlette application, as in one of FastAPI."""
    application = Starlette(routes=[Mount(prefix, app=httpguard.asgi_app(token))])

    def ask(path: str, method: str = "GET", **headers: str) -> Answer:
        return asyncio.run(call_asgi(application, path, method, headers))

    return ask


@pytest.fixture(params=[in_flask, in_starlette])
def mount(request: pytest.FixtureRequest) -> Iterator[Callable[..., Any]]:
    yield request.param
    gc.collect()


@pytest.mark.parametrize("prefix", ["/guard", "/deep/er/guard"])
def test_works_under_any_prefix(
    guard: GuardControl, server: Server, mount: Callable[..., Any], prefix: str
) -> None:
    guard.install()
    requests.get(server.url("/bytes/90000"), stream=True)
    ask = mount(None, prefix)
    status, headers, body = ask(f"{prefix}/")
    assert status == 200
    assert headers["content-type"].startswith("text/html")
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert b'src="static/page.js"' in body
    assert ask(f"{prefix}/static/page.js")[0] == 200
    assert ask(f"{prefix}/healthz")[2] == b"ok\n"
    shown = json.loads(ask(f"{prefix}/api/snapshot")[2])
    assert [leak["kind"] for leak in shown["leaks"]] == ["dropped"]
    assert ask(f"{prefix}/nothing")[0] == 404


def test_without_the_slash_at_the_end(mount: Callable[..., Any]) -> None:
    status, headers, _ = mount(None, "/guard")("/guard")
    assert status in {307, 308}
    assert headers["location"].endswith("/guard/")
    _, headers, _ = mount(None, "/guard")("/guard?theme=dark")
    assert headers["location"].endswith("/guard/?theme=dark")


def test_is_only_read(mount: Callable[..., Any]) -> None:
    ask = mount(None, "/guard")
    assert ask("/guard/api/snapshot", "POST")[0] == 405
    status, headers, body = ask("/guard/healthz", "HEAD")
    assert (status, headers["content-length"], body) == (200, "3", b"")


def test_with_a_token(mount: Callable[..., Any]) -> None:
    ask = mount(TOKEN, "/guard")
    assert ask("/guard/api/snapshot")[0] == 401
    assert ask("/guard/", Authorization=f"Bearer {TOKEN}")[0] == 200
    status, headers, _ = ask(f"/guard/?token={TOKEN}")
    assert (status, headers["location"]) == (303, "/guard/")
    assert "Path=/guard/;" in headers["set-cookie"]
    pair = headers["set-cookie"].partition(";")[0]
    assert ask("/guard/api/snapshot", Cookie=pair)[0] == 200


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_cookie_of_https_stays_there(scheme: str) -> None:
    link = f"/?token={TOKEN}"
    answer = asyncio.run(
        call_asgi(httpguard.asgi_app(TOKEN), link, "GET", {}, scheme=scheme)
    )
    client = Client(httpguard.wsgi_app(TOKEN))
    response = client.get(link, base_url=f"{scheme}://shop.example/")
    for cookie in (answer[1]["set-cookie"], response.headers["Set-Cookie"]):
        assert ("Secure" in cookie.split("; ")) == (scheme == "https")


def test_bad_tokens() -> None:
    for make in (httpguard.wsgi_app, httpguard.asgi_app):
        with pytest.raises(httpguard.ConfigError, match="16 to 512"):
            make("short")


def test_history_begins_with_the_first_request_and_ends_with_the_application() -> None:
    application = httpguard.wsgi_app()
    sampler = application._sampler
    assert not sampler.running
    Client(application).get("/healthz")
    thread = sampler._thread
    assert thread is not None
    assert thread.name == _sampler.THREAD_NAME
    assert thread.daemon
    Client(application).get("/healthz")
    assert sampler._thread is thread
    sampler.pause()
    thread.join(30)
    assert not thread.is_alive()
    orphan = threading.Thread(
        target=_sampler._run, args=(lambda: None, threading.Event()), daemon=True
    )
    orphan.start()
    orphan.join(30)
    assert not orphan.is_alive()


def test_lifespan_and_websocket() -> None:
    application = httpguard.asgi_app()
    sent: list[str] = []

    async def run(kind: str, incoming: list[str]) -> None:
        async def receive() -> dict[str, Any]:
            return {"type": incoming.pop(0)}

        async def send(message: Any) -> None:
            sent.append(message["type"])

        await application({"type": kind}, receive, send)

    asyncio.run(run("lifespan", ["lifespan.startup", "lifespan.shutdown"]))
    asyncio.run(run("websocket", ["websocket.connect"]))
    assert sent == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
        "websocket.close",
    ]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_forked_worker_starts_its_own_history() -> None:
    application = httpguard.wsgi_app()
    client = Client(application)

    def pid() -> int:
        shown = json.loads(client.get("/api/snapshot").get_data())
        return int(shown["program"]["pid"])

    assert pid() == os.getpid()
    child = os.fork()
    if not child:
        fresh = not application._sampler.running and pid() == os.getpid()
        names = [thread.name for thread in threading.enumerate()]
        os._exit(0 if fresh and _sampler.THREAD_NAME in names else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert application._sampler.running
    application._sampler.pause()
