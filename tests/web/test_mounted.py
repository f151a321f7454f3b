"""The live page mounted in the program's own server, by WSGI and by ASGI."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import threading
import time
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
from httpguard._process.process import PROCESS
from httpguard._web.history import SECONDS, History
from tests.web.asking import TOKEN

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
    client = Client(application.wsgi_app, use_cookies=False)

    def ask(path: str, method: str = "GET", **headers: str) -> Answer:
        response = client.open(path, method=method, headers=dict(headers))
        named = {name.lower(): value for name, value in response.headers.items()}
        return response.status_code, named, response.get_data()

    return ask


async def call_asgi(
    application: Any,
    path: str,
    method: str,
    headers: dict[str, str] | list[tuple[str, str]],
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
            (name.lower().encode(), value.encode())
            for name, value in (
                headers.items() if isinstance(headers, dict) else headers
            )
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


@pytest.fixture
def unobserved() -> Iterator[None]:
    """What a scrape has set up is taken down."""
    yield
    for _, observer in list(PROCESS.observers.members):
        PROCESS.observers.remove(observer)
    PROCESS.collector = None


def test_a_mounted_page_starts_no_thread() -> None:
    before = threading.enumerate()
    application = httpguard.wsgi_app()
    answer = Client(application).get("/api/snapshot")
    assert answer.json is not None
    assert answer.json["history"]["seconds_ago"][-1] == 0
    assert threading.enumerate() == before


def test_the_time_of_a_look_counts_once() -> None:
    now = [0.0]

    def find() -> None:
        now[0] += 1.5

    history = History(find, lambda: now[0])
    assert history.sample() == SECONDS - 1.5


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
def test_a_forked_worker_shows_itself() -> None:
    application = httpguard.wsgi_app()
    client = Client(application)

    def pid() -> int:
        shown = json.loads(client.get("/api/snapshot").get_data())
        return int(shown["program"]["pid"])

    assert pid() == os.getpid()
    child = os.fork()
    if not child:
        os._exit(0 if pid() == os.getpid() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_forked_worker_has_its_own_metrics(
    guard: GuardControl, server: Server, unobserved: None
) -> None:
    pytest.importorskip("prometheus_client")
    guard.install()
    client = Client(httpguard.wsgi_app())

    def opened() -> float:
        text = client.get("/metrics").get_data(as_text=True)
        (line,) = [
            line
            for line in text.splitlines()
            if line.startswith("httpguard_responses_opened_total ")
        ]
        return float(line.split()[1])

    for _ in range(5):
        assert requests.get(server.url("/bytes/90000"), stream=True).content
    assert opened() == 5
    child = os.fork()
    if not child:
        os._exit(0 if opened() == 0 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert opened() == 5


def test_a_login_holds_in_every_worker(mount: Callable[..., Any]) -> None:
    _, headers, _ = mount(TOKEN, "/guard")(f"/guard/?token={TOKEN}")
    pair = headers["set-cookie"].partition(";")[0]
    # Another process of the program has the same token.
    worker = mount(TOKEN, "/guard")
    assert worker("/guard/api/snapshot", Cookie=pair)[0] == 200
    assert worker("/guard/api/snapshot", Cookie=pair[:-1])[0] == 401
    other = mount(f"{TOKEN}-of-another-program", "/guard")
    assert other("/guard/api/snapshot", Cookie=pair)[0] == 401


def test_cookies_in_headers_of_their_own() -> None:
    """As HTTP/2 may have them."""
    application = httpguard.asgi_app(TOKEN)
    link = asyncio.run(call_asgi(application, f"/?token={TOKEN}", "GET", {}))
    pair = link[1]["set-cookie"].partition(";")[0]
    several = [("Cookie", "theme=dark"), ("Cookie", pair), ("Cookie", "a=b")]
    answer = asyncio.run(call_asgi(application, "/api/snapshot", "GET", several))
    assert answer[0] == 200


@pytest.mark.parametrize("path", ["/api/snapshot", "/metrics"])
def test_the_loop_goes_on_while_another_thread_sweeps(
    guard: GuardControl, unobserved: None, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    guard.install()
    application = httpguard.asgi_app()
    inside, release = threading.Event(), threading.Event()
    present = PROCESS.guard
    assert present is not None

    def slow(*_: object) -> None:
        inside.set()
        release.wait(60)

    monkeypatch.setattr(present.descriptors, "look", slow)
    sweeping = threading.Thread(target=httpguard.check)
    sweeping.start()
    assert inside.wait(60)

    async def stalls() -> float:
        """The longest time for which the loop stood still, in seconds."""
        answer = asyncio.ensure_future(call_asgi(application, path, "GET", {}))
        worst, last = 0.0, time.monotonic()
        while not answer.done():
            await asyncio.sleep(0.001)
            worst, last = max(worst, time.monotonic() - last), time.monotonic()
        assert (await answer)[0] == 200
        return worst

    try:
        begin = time.monotonic()
        assert asyncio.run(stalls()) < 5
        # Nor does the visitor wait for the sweep: it has not ended.
        assert time.monotonic() - begin < 30
        assert sweeping.is_alive()
    finally:
        release.set()
        sweeping.join()


def test_under_trio() -> None:
    trio = pytest.importorskip("trio")
    answer = trio.run(call_asgi, httpguard.asgi_app(), "/healthz", "GET", {})
    assert (answer[0], answer[2]) == (200, b"ok\n")
