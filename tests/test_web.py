"""The live page's own server: what it shows, to whom, and what it refuses."""

from __future__ import annotations

import gzip
import http.client
import json
import logging
import os
import socket
import sys
import textwrap
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import requests
import urllib3

import httpguard
from httpguard import ConfigError, LeakKind
from httpguard._leases import own as _own
from httpguard._process import process as _process
from httpguard._web import Page
from httpguard._web import history as _history
from httpguard._web import sites as _sites
from httpguard._web import view as _view
from httpguard._web.connection import Patience
from tests import program

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import GuardControl
    from tests.server import Server

TOKEN = "a-token-of-23-characters"


@pytest.fixture
def page() -> Iterator[Page]:
    with httpguard.serve() as served:
        yield served


def port_of(page: Page) -> int:
    port = urlsplit(page.url).port
    assert port is not None
    return port


def ask(
    page: Page, path: str = "/", method: str = "GET", **headers: str
) -> tuple[http.client.HTTPResponse, bytes]:
    """By http.client, which httpguard does not see."""
    connection = http.client.HTTPConnection("127.0.0.1", port_of(page), timeout=30)
    with closing(connection):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, headers=named)
        response = connection.getresponse()
        return response, response.read()


def state(page: Page, **headers: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(ask(page, "/api/snapshot", **headers)[1])
    return answer


def exchange(page: Page, data: bytes) -> bytes:
    """Send bytes as they are; all that comes until the page hangs up."""
    with socket.create_connection(("127.0.0.1", port_of(page)), timeout=30) as sock:
        sock.sendall(data)
        answer = b""
        while chunk := sock.recv(65536):
            answer += chunk
        return answer


class TestContent:
    def test_shows_what_leaked_and_what_is_open(
        self, guard: GuardControl, server: Server, page: Page
    ) -> None:
        guard.install()
        url = server.url("/bytes/90000?token=" + "x".join("secret"))
        requests.get(url, stream=True)  # leaks
        kept = requests.get(server.url("/bytes/90000"), stream=True)  # kept
        guard.advance(7)
        shown = state(page)
        (leak,) = shown["leaks"]
        assert leak["kind"] == LeakKind.DROPPED
        assert leak["site"]["filename"] == __file__
        assert leak["site"]["source"].endswith("# leaks")
        assert [frame for frame in leak["stack"] if frame["source"].endswith("# leaks")]
        assert "x".join("secret") not in json.dumps(shown)
        (row,) = shown["open_sites"]
        assert (row["count"], row["age"], row["idle"]) == (1, 7, 7)
        assert "# kept" in row["site"]["source"]
        assert shown["open_now"] == 1
        assert shown["history"]["leaks"][-1] == 1
        assert shown["program"]["pid"] == os.getpid()
        assert shown["process"]["threads"] > 1
        assert {"leaks", "open", "counters", "pools"} <= set(shown)
        kept.close()

    def test_a_site_is_shown_in_sums(
        self, guard: GuardControl, server: Server, page: Page
    ) -> None:
        guard.install(max_idle=60)
        pool = urllib3.HTTPConnectionPool(server.host, server.port, maxsize=5)

        def opened() -> urllib3.BaseHTTPResponse:
            return pool.request("GET", "/bytes/90000", preload_content=False)

        first, second = opened(), opened()
        guard.advance(50)
        second.read(1000)
        guard.check()
        with httpguard.allow("it is known"):
            third = opened()
        guard.advance(20)
        other = pool.request("GET", "/bytes/90000", preload_content=False)
        guard.check()
        shown = state(page)
        row, last = shown["open_sites"]
        assert (row["count"], row["judged"], row["allowed"]) == (3, 1, 1)
        assert (row["age"], row["idle"], row["bytes_read"]) == (70, 70, 1000)
        assert (last["count"], last["age"], last["judged"]) == (1, 0, 0)
        current = _process.current()
        few = _sites.by_site(current, 1)
        assert (few.open_now, len(few.rows), few.left_out) == (4, 1, 1)
        with httpguard.no_leaks():
            inside = opened()
            (row,) = _sites.by_site(current, 1).rows
            assert (row["count"], row["allowed"]) == (4, 1)
            inside.close()
        for response in (first, second, third, other):
            response.close()

    def test_nothing_leaked_nothing_shown(
        self, guard: GuardControl, server: Server, page: Page
    ) -> None:
        guard.install()
        with requests.get(server.url("/bytes/90000"), stream=True) as response:
            assert len(response.content) == 90000
        shown = state(page)
        assert shown["installed"]
        assert (shown["leaks"], shown["open"], shown["open_sites"]) == ([], [], [])

    def test_says_that_nothing_is_installed(
        self, guard: GuardControl, page: Page
    ) -> None:
        shown = state(page)
        assert not shown["installed"]
        assert shown["counters"] == {}

    def test_lost_slots_come_first(
        self, guard: GuardControl, server: Server, page: Page
    ) -> None:
        guard.install()
        blocking = urllib3.HTTPConnectionPool(
            server.host, server.port, maxsize=2, block=True
        )
        other = urllib3.HTTPConnectionPool(server.host, server.port)
        kept = other.request("GET", "/bytes/90000", preload_content=False)
        with blocking.request("GET", "/bytes/90000", preload_content=False):
            pass
        first, second = state(page)["pools"]
        assert (first["lost"], first["maxsize"], first["block"]) == (1, 2, True)
        assert (second["open"], second["lost"]) == (1, 0)
        kept.close()

    def test_files_of_the_page(self, page: Page) -> None:
        response, body = ask(page, "/")
        assert response.getheader("Content-Type") == "text/html; charset=utf-8"
        text = body.decode()
        assert "<script>" not in text
        assert "style=" not in text
        for name in ("page.js", "page.css", "icon.svg"):
            assert f"static/{name}" in text
            assert ask(page, f"/static/{name}")[0].status == 200
        assert b"http://" not in ask(page, "/static/page.js")[1]

    def test_health_and_unknown_paths(self, page: Page) -> None:
        assert ask(page, "/healthz")[1] == b"ok\n"
        for path in ("/nothing", "/static/../_page.py", "/static/%2e%2e/_page.py"):
            assert ask(page, path)[0].status == 404

    def test_head_has_no_body(self, page: Page) -> None:
        response, body = ask(page, "/healthz", "HEAD")
        assert (response.status, body) == (200, b"")
        assert response.getheader("Content-Length") == "3"

    @pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
    def test_figures_are_the_same_without_psutil(self, tmp_path: Path) -> None:
        pytest.importorskip("psutil")
        source = """
        import json
        from httpguard._web import figures as _figures
        print(json.dumps([_figures.figures(), _figures._by_stdlib()]))
        """
        done = program.run(program.write(tmp_path / "figures.py", source))
        exact, others = json.loads(done.stdout)
        assert set(exact) == set(others)
        # psutil counts the one too with which it looks.
        assert others["fds"] == exact["fds"] - 1
        for name in ("fd_limit", "threads"):
            assert others[name] == exact[name]
        assert others["rss"] == pytest.approx(exact["rss"], rel=0.1)

    def test_history_keeps_an_hour(self, guard: GuardControl) -> None:
        now = [0.0]
        history = _history.History(lambda: now[0])
        for _ in range(1000):
            history.sample()
            now[0] += _history.SECONDS
        ages = history.to_dict()["seconds_ago"]
        assert len(ages) == _history.KEPT + 1
        assert (ages[0], ages[-1]) == (3600, 0)

    def test_history_makes_up_for_nothing_after_a_pause(
        self, guard: GuardControl
    ) -> None:
        now = [0.0]
        history = _history.History(lambda: now[0])
        history.sample()
        now[0] = 10_000.0
        assert history.sample() == 0
        assert history.sample() <= _history.SECONDS
        assert len(history.to_dict()["open"]) <= 4


def viewed(guard: GuardControl) -> tuple[_view.View, list[float], _view.Document]:
    """A view, the time that it goes by, and the document of its beginning."""
    guard.install()
    now = [0.0]
    view = _view.View(lambda: now[0])
    return view, now, view.document()


class TestBounds:
    def test_rows_are_capped_and_the_rest_is_counted(
        self, guard: GuardControl, server: Server
    ) -> None:
        guard.install()
        source = "\n".join(
            f"def f{n}(get, url):\n  get(url, stream=True)" for n in range(130)
        )
        names: dict[str, Any] = {}
        exec(compile(source, "made.py", "exec"), names)
        for n in range(130):
            names[f"f{n}"](requests.get, server.url("/bytes/90000"))
        with httpguard.serve() as page:
            shown = state(page)
        assert len(shown["leaks"]) == 100
        assert shown["left_out"]["leaks"] == 30
        # Half of them are the latest, however rare.
        assert "f129" in {leak["site"]["function"] for leak in shown["leaks"]}

    def test_large_answers_lose_rows(
        self,
        guard: GuardControl,
        server: Server,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        guard.install()
        kept = [
            urllib3.HTTPConnectionPool(server.host, server.port).request(
                "GET", "/bytes/90000", preload_content=False
            )
            for _ in range(30)
        ]
        monkeypatch.setattr(_view, "_MOST_BYTES", 100_000)
        plain = _view.View().document().plain
        shown = json.loads(plain)
        assert len(plain) <= 100_000
        assert 0 < len(shown["open"]) < 30
        assert len(shown["open"]) + shown["left_out"]["open"] == 30
        for response in kept:
            response.close()

    def test_stacks_in_brief_say_so(self, guard: GuardControl, server: Server) -> None:
        guard.install()

        def deep(left: int, path: str) -> bytes:
            if left:
                return deep(left - 1, path)
            response = requests.get(server.url(path), stream=True)
            return response.content if path == "/lines" else b""

        for _ in range(16):
            deep(20, "/lines")
        deep(20, "/bytes/90000")
        with httpguard.serve() as page:
            (leak,) = state(page)["leaks"]
        assert [frame.get("cut") for frame in leak["stack"]] == [True] + [None] * 7

    def test_long_stacks_lose_their_outer_frames(
        self, guard: GuardControl, server: Server, page: Page
    ) -> None:
        guard.install(stack_depth=200)

        def deep(left: int) -> None:
            if left:
                deep(left - 1)
            else:
                requests.get(server.url("/bytes/90000"), stream=True)

        deep(150)
        (leak,) = state(page)["leaks"]
        assert len(leak["stack"]) == 60
        assert leak["frames_left_out"] > 90

    def test_polling_is_answered_from_one_document(
        self, guard: GuardControl, server: Server
    ) -> None:
        view, now, first = viewed(guard)
        requests.get(server.url("/bytes/90000"), stream=True)
        assert view.document() is first
        now[0] += 10.0
        second = view.document()
        assert second.tag != first.tag
        assert len(json.loads(second.plain)["leaks"]) == 1

    def test_what_is_dear_is_made_seldom_but_leaks_are_soon_seen(
        self, guard: GuardControl, server: Server
    ) -> None:
        view, now, first = viewed(guard)
        view._cost = 0.04
        now[0] = 7.9
        assert view.document() is first
        requests.get(server.url("/bytes/90000"), stream=True)
        second = view.document()
        assert second is not first
        view._cost = 0.04
        now[0] += 8.1
        assert view.document() is not second

    def test_another_guard_is_seen_at_once(self, guard: GuardControl) -> None:
        view, _, first = viewed(guard)
        httpguard.uninstall()
        second = view.document()
        assert second is not first
        assert not json.loads(second.plain)["installed"]

    def test_nothing_is_older_than_ten_seconds(self, guard: GuardControl) -> None:
        view, now, first = viewed(guard)
        view._cost = 100.0
        now[0] = 9.9
        assert view.document() is first
        now[0] = 10.0
        assert view.document() is not first

    def test_what_has_not_changed_is_not_sent_again(
        self, guard: GuardControl, page: Page
    ) -> None:
        for path in ("/", "/static/page.js"):
            tag = ask(page, path)[0].getheader("ETag") or ""
            response, body = ask(page, path, If_None_Match=tag)
            assert (response.status, body) == (304, b"")
        view = page._server._application.view
        view.document()
        view._made = float("inf")
        tag = ask(page, "/api/snapshot")[0].getheader("ETag") or ""
        assert ask(page, "/api/snapshot", If_None_Match=tag)[0].status == 304

    def test_packs_for_those_who_can_unpack(
        self, guard: GuardControl, server: Server, page: Page
    ) -> None:
        guard.install()
        requests.get(server.url("/bytes/90000"), stream=True)
        response, body = ask(page, "/api/snapshot", Accept_Encoding="gzip")
        assert response.getheader("Content-Encoding") == "gzip"
        assert len(json.loads(gzip.decompress(body))["leaks"]) == 1
        assert ask(page, "/api/snapshot")[0].getheader("Content-Encoding") is None

    def test_no_markup_in_an_answer(
        self, guard: GuardControl, server: Server, page: Page
    ) -> None:
        guard.install()
        name = "<script>\x1b\u202e.py"
        code = compile("get(url, stream=True)", name, "exec")
        exec(code, {"get": requests.get, "url": server.url("/bytes/90000")})
        body = ask(page, "/api/snapshot")[1]
        assert b"<" not in body
        (leak,) = json.loads(body)["leaks"]
        assert leak["site"]["filename"] == "<script>\\x1b\\u202e.py"


class TestAddress:
    @pytest.mark.parametrize(
        "host", ["0.0.0.0", "::", "192.0.2.1", "example.com", "localhost.example"]
    )
    def test_other_machines_need_a_token(self, host: str) -> None:
        with pytest.raises(ConfigError, match="needs a token"):
            httpguard.serve(host)
        with pytest.raises(ConfigError, match="needs a token"):
            httpguard.install(serve=f"{host}:0")
        assert not _own.ADDRESSES

    def test_any_address_with_one(self) -> None:
        with httpguard.serve("0.0.0.0", token=TOKEN) as page:
            assert ask(page)[0].status == 401
            assert ask(page, Authorization=f"Bearer {TOKEN}")[0].status == 200
            host = socket.gethostname()
            assert ask(page, "/healthz", Host=host)[0].status == 200
            assert ask(page, "/healthz", Host=f"{host}.example")[0].status == 421

    @pytest.mark.parametrize(
        "token", ["", "short", "with a space in it, long", "é" * 20]
    )
    def test_bad_tokens(self, token: str) -> None:
        with pytest.raises(ConfigError, match="16 to 512") as caught:
            httpguard.serve(token=token)
        if token:
            assert token not in str(caught.value)

    @pytest.mark.parametrize("port", [-1, 65536, "x", 1.5, True])
    def test_bad_ports(self, port: Any) -> None:
        with pytest.raises(ConfigError, match="from 0 to 65535"):
            httpguard.serve(port=port)

    def test_a_taken_port_is_an_error(self, page: Page) -> None:
        with pytest.raises(ConfigError, match="cannot listen there"):
            httpguard.serve(port=port_of(page))

    def test_close_frees_the_port(self) -> None:
        page = httpguard.serve()
        page.close()
        page.close()
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", port_of(page)), timeout=30)
        assert page.closed
        with httpguard.serve(port=port_of(page)) as again:
            assert again.url == page.url

    def test_ipv6(self) -> None:
        try:
            page = httpguard.serve("::1")
        except ConfigError:
            pytest.skip("no IPv6 on this machine")
        with page:
            assert page.url == f"http://[::1]:{port_of(page)}/"
            connection = http.client.HTTPConnection("::1", port_of(page), timeout=30)
            with closing(connection):
                connection.request("GET", "/healthz")
                assert connection.getresponse().read() == b"ok\n"


class TestWhoMaySeeIt:
    @pytest.mark.parametrize(
        "host", ["localhost", "localhost:1", "127.0.0.1:80", "[::1]:9", "LOCALHOST."]
    )
    def test_its_own_names(self, page: Page, host: str) -> None:
        assert ask(page, Host=host)[0].status == 200

    @pytest.mark.parametrize(
        "host",
        [
            "evil.example",
            "127.0.0.1.evil.example",
            "localhost.evil.example:80",
            "",
            "[",
        ],
    )
    @pytest.mark.parametrize("path", ["/", "/api/snapshot", "/healthz"])
    def test_rebound_names(self, page: Page, host: str, path: str) -> None:
        response, body = ask(page, path, Host=host)
        assert response.status == 421
        assert b"leaks" not in body

    def test_no_host_at_all(self, page: Page) -> None:
        assert exchange(page, b"GET / HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 421")

    def test_a_link_becomes_a_cookie(self) -> None:
        with httpguard.serve(token=TOKEN) as page:
            assert page.login_url == f"{page.url}?token={TOKEN}"
            assert TOKEN not in repr(page)
            assert ask(page, "/?token=wrong-token-of-the-same")[0].status == 401
            assert ask(page, f"/?token={TOKEN}&token={TOKEN}")[0].status == 401
            assert ask(page, f"/api/snapshot?token={TOKEN}")[0].status == 401
            response, _ = ask(page, f"/?token={TOKEN}")
            assert (response.status, response.getheader("Location")) == (303, "/")
            cookie = response.getheader("Set-Cookie") or ""
            assert TOKEN not in cookie
            assert {"HttpOnly", "SameSite=Lax"} <= set(cookie.split("; "))
            pair = cookie.partition(";")[0]
            assert ask(page, Cookie=f"a=b; {pair}")[0].status == 200
            assert ask(page, Cookie=pair[:-1])[0].status == 401
            # A rebound name has no cookie; if it had, it would not help.
            assert ask(page, Cookie=pair, Host="evil.example")[0].status == 421

    @pytest.mark.parametrize("path", ["/", "/api/snapshot", "/static/page.js", "/x"])
    def test_nothing_without_the_token(self, path: str) -> None:
        with httpguard.serve(token=TOKEN) as page:
            for given in ("", "Bearer", f"Basic {TOKEN}", f"Bearer {TOKEN}x"):
                response, _ = ask(page, path, Authorization=given)
                assert response.status == 401
                assert response.getheader("WWW-Authenticate")
            assert ask(page, "/healthz")[0].status == 200

    def test_a_bearer_may_use_any_name(self) -> None:
        with httpguard.serve(token=TOKEN) as page:
            answer = ask(page, Host="shop.cluster", Authorization=f"bearer {TOKEN}")
            assert answer[0].status == 200

    @pytest.mark.parametrize("path", ["/", "/api/snapshot", "/healthz", "/nothing"])
    def test_every_answer_is_locked_down(self, page: Page, path: str) -> None:
        for method in ("GET", "POST"):
            headers = ask(page, path, method, Origin="http://evil.example")[0].headers
            policy = headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "frame-ancestors 'none'" in policy
            assert "unsafe" not in policy
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert headers["Referrer-Policy"] == "no-referrer"
            assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
            assert not [name for name in headers if name.startswith("Access-Control")]


class TestRequestsItRefuses:
    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
    def test_it_is_only_read(self, page: Page, method: str) -> None:
        response, _ = ask(page, "/api/snapshot", method)
        assert response.status == 405
        assert response.getheader("Allow") == "GET, HEAD"

    def test_bodies(self, page: Page) -> None:
        head = b" / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello"
        assert exchange(page, b"POST" + head).startswith(b"HTTP/1.1 405")
        assert exchange(page, b"GET" + head).startswith(b"HTTP/1.1 400")

    @pytest.mark.parametrize(
        "data",
        [
            b"nonsense\r\n\r\n",
            b"GET http://evil/ HTTP/1.1\r\n\r\n",
            b"GET / HTTP/2.0\r\n\r\n",
            b"GET /a b HTTP/1.1\r\n\r\n",
            b"GET /\x00 HTTP/1.1\r\n\r\n",
            b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: localhost\r\n folded\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: localhost\nX: y\r\n\r\n",
            b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        ],
    )
    def test_malformed_ones(self, page: Page, data: bytes) -> None:
        answer = exchange(page, data)
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert b"Connection: close" in answer
        assert ask(page, "/healthz")[0].status == 200

    def test_long_heads(self, page: Page) -> None:
        answer = exchange(page, b"GET / HTTP/1.1\r\nX: " + b"a" * 9000)
        assert answer.startswith(b"HTTP/1.1 431 ")

    def test_several_requests_in_one_packet(self, page: Page) -> None:
        one = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
        answer = exchange(page, one + b"\r\n" + one + b"Connection: close\r\n\r\n")
        assert answer.count(b"HTTP/1.1 200 OK") == 2

    def test_a_request_in_pieces(self, page: Page) -> None:
        with socket.create_connection(("127.0.0.1", port_of(page)), timeout=30) as sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n":
                sock.sendall(bytes([byte]))
            assert sock.makefile("rb").read().endswith(b"\r\n\r\nok\n")


class TestSlowClients:
    @pytest.mark.parametrize("sent", [b"", b"GET / HT"])
    def test_those_who_send_too_slowly_are_dropped(
        self, page: Page, sent: bytes
    ) -> None:
        page._server._patience = Patience(head=0.2, idle=60, answer=60)
        assert exchange(page, sent) == b""

    def test_those_who_ask_no_more_are_dropped(self, page: Page) -> None:
        page._server._patience = Patience(head=60, idle=0.2, answer=60)
        request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
        assert exchange(page, request).endswith(b"\r\n\r\nok\n")

    def test_those_who_read_too_slowly_are_dropped(self, page: Page) -> None:
        page._server._patience = Patience(head=60, idle=60, answer=0.2)
        request = b"GET /static/page.css HTTP/1.1\r\nHost: localhost\r\n\r\n"
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.settimeout(30)
            sock.connect(("127.0.0.1", port_of(page)))
            # It stops reading once the first answers are not taken: so that what
            # is sent here does not get through either.
            with pytest.raises(OSError, match=r"reset|pipe"):
                for _ in range(100_000):
                    sock.sendall(request)
        page._server._patience = Patience()
        assert ask(page, "/healthz")[0].status == 200

    def test_those_who_read_slowly_get_all_of_it(self, page: Page) -> None:
        request = b"GET /static/page.css HTTP/1.1\r\nHost: localhost\r\n"
        many = (request + b"\r\n") * 500 + request + b"Connection: close\r\n\r\n"
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.settimeout(30)
            sock.connect(("127.0.0.1", port_of(page)))
            sender = threading.Thread(target=sock.sendall, args=(many,))
            sender.start()
            # The server has sent what it can, and has more.
            while not any(each.writing for each in page._server._connections):
                time.sleep(0.01)
            answer = bytearray()
            while chunk := sock.recv(65536):
                answer += chunk
            sender.join()
        assert answer.count(b"HTTP/1.1 200 OK\r\n") == 501

    def test_where_too_many_are_connected_the_idlest_goes(self, page: Page) -> None:
        page._server._most = 3
        address = ("127.0.0.1", port_of(page))
        socks = [socket.create_connection(address, timeout=30) for _ in range(3)]
        try:
            for sock in socks:
                sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
                assert b"ok\n" in sock.recv(65536)
            assert ask(page, "/healthz")[0].status == 200
            assert socks[0].recv(65536) == b""
            socks[2].sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert b"ok\n" in socks[2].recv(65536)
        finally:
            for sock in socks:
                sock.close()

    def test_who_is_in_the_middle_of_a_request_stays(self, page: Page) -> None:
        page._server._most = 2
        address = ("127.0.0.1", port_of(page))
        request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
        with (
            socket.create_connection(address, timeout=30) as busy,
            socket.create_connection(address, timeout=30) as idle,
        ):
            busy.sendall(request[:9])
            idle.sendall(request)
            assert b"ok\n" in idle.recv(65536)
            assert ask(page, "/healthz")[0].status == 200
            assert idle.recv(65536) == b""
            # Where nobody is idle, whoever comes is sent away.
            page._server._most = 1
            with pytest.raises(OSError, match=r"reset|closed"):
                ask(page, "/healthz")
            busy.sendall(request[9:])
            assert b"ok\n" in busy.recv(65536)

    def test_without_descriptors_it_waits_and_goes_on(self, page: Page) -> None:
        server = page._server
        listener = server._listener
        refused = threading.Event()

        class Exhausted:
            """The listener as it is while there is no descriptor left."""

            def fileno(self) -> int:
                return listener.fileno()

            def accept(self) -> tuple[socket.socket, Any]:
                if not refused.is_set():
                    refused.set()
                    raise OSError(24, "Too many open files")
                return listener.accept()

            def close(self) -> None:
                listener.close()

        server.pause()
        server._selector.unregister(listener)
        server._listener = Exhausted()  # type: ignore[assignment]
        server._selector.register(server._listener, 1)
        server.resume()
        assert ask(page, "/healthz")[0].status == 200
        assert refused.is_set()


class TestTheProgramDoesNotNotice:
    def test_its_own_requests_to_the_page_get_no_lease(
        self, guard: GuardControl, page: Page
    ) -> None:
        guard.install(max_idle=10)
        host = f"http://localhost:{port_of(page)}/healthz"
        kept: list[Any] = [
            requests.get(page.url, stream=True),
            requests.get(host, stream=True),
            urllib3.PoolManager().request("GET", page.url, preload_content=False),
        ]
        requests.get(page.url, stream=True)
        guard.advance(100)
        snapshot = guard.check()
        assert snapshot.open == ()
        assert snapshot.leaks == ()
        assert snapshot.counters["opened"] == 0
        for response in kept:
            response.close()

    def test_other_ports_of_this_machine_do(
        self, guard: GuardControl, server: Server, page: Page
    ) -> None:
        guard.install()
        requests.get(server.url("/bytes/90000"), stream=True)
        assert len(guard.check().leaks) == 1

    def test_after_close_the_address_is_like_any_other(self) -> None:
        page = httpguard.serve()
        assert ("127.0.0.1", port_of(page)) in _own.ADDRESSES
        page.close()
        assert not _own.ADDRESSES

    def test_a_failure_inside_is_an_answer_and_a_line_in_the_log(
        self,
        guard: GuardControl,
        page: Page,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        def fail(*_: object) -> None:
            raise RuntimeError("inside")

        guard.install()
        monkeypatch.setattr(_view.View, "_content", fail)
        assert ask(page, "/api/snapshot")[0].status == 500
        assert ask(page, "/healthz")[0].status == 200
        assert "httpguard failed in web" in caplog.text


class TestSetting:
    def test_install_serves_and_uninstall_closes(
        self, guard: GuardControl, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.INFO, "httpguard"):
            httpguard.install(serve=0, check_interval=0)
        (record,) = caplog.records
        url = record.getMessage().rpartition(" ")[2]
        port = urlsplit(url).port or 0
        httpguard.install(serve=0, check_interval=0)
        with socket.create_connection(("127.0.0.1", port), timeout=30):
            pass
        httpguard.uninstall()
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", port), timeout=30)
        assert not _own.ADDRESSES

    def test_a_second_install_without_it_closes(self, guard: GuardControl) -> None:
        httpguard.install(serve=0, check_interval=0)
        assert _own.ADDRESSES
        httpguard.install(serve=None, check_interval=0)
        assert not _own.ADDRESSES

    def test_a_taken_port_moves_the_page(
        self, guard: GuardControl, page: Page, caplog: pytest.LogCaptureFixture
    ) -> None:
        httpguard.install(serve=port_of(page), check_interval=0)
        assert "cannot listen there" in caplog.text
        assert "httpguard's page is at http://127.0.0.1:" in caplog.text

    @pytest.mark.parametrize("text", ["x", "70000", ":80", "a b:1", "1:2:x"])
    def test_bad_values_name_the_variable(
        self, monkeypatch: pytest.MonkeyPatch, text: str
    ) -> None:
        monkeypatch.setenv("HTTPGUARD_SERVE", text)
        with pytest.raises(ConfigError, match=r"HTTPGUARD_SERVE=.*HOST:PORT"):
            httpguard.install()

    def test_a_bad_token_is_not_shown(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HTTPGUARD_SERVE_TOKEN", "hunter2")
        with pytest.raises(ConfigError, match="HTTPGUARD_SERVE_TOKEN") as caught:
            httpguard.install()
        assert "hunter2" not in str(caught.value)
        assert TOKEN not in repr(httpguard.Settings(serve_token=TOKEN))

    def test_no_leaks_serves_nothing(
        self, guard: GuardControl, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HTTPGUARD_SERVE", "0")
        with httpguard.no_leaks():
            assert not _own.ADDRESSES


class TestWorlds:
    SERVING = """
        import http.client, os, sys, threading
        import httpguard
        httpguard.install()
        page = httpguard.serve()
        port = int(page.url.rstrip("/").rpartition(":")[2])

        def ask():
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            connection.request("GET", "/healthz")
            body = connection.getresponse().read()
            connection.close()
            return body
        """

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
    def test_a_forked_child_lets_go_of_the_page(self, tmp_path: Path) -> None:
        source = (
            self.SERVING
            + """
        assert ask() == b"ok\\n"
        read, write = os.pipe()
        ready, say_ready = os.pipe()
        child = os.fork()
        if not child:
            # As long as the child lives it must not hold the port.
            names = [thread.name for thread in threading.enumerate()]
            assert page.closed, "the child's copy is open"
            assert not [name for name in names if "page" in name], names
            os.write(say_ready, b"x")
            os.read(read, 1)
            os._exit(0)
        os.close(say_ready)
        assert os.read(ready, 1), "the child failed"
        assert ask() == b"ok\\n", "the parent goes on"
        page.close()
        try:
            ask()
        except ConnectionRefusedError:
            print("refused")
        os.write(write, b"x")
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        """
        )
        done = program.run("-W", "error", program.write(tmp_path / "forks.py", source))
        assert done.stderr == ""
        assert done.stdout.split() == ["refused", "0"]

    def test_under_gevent(self, tmp_path: Path) -> None:
        source = "from gevent import monkey; monkey.patch_all()\n" + textwrap.dedent(
            self.SERVING
        )
        source += "import gevent\njobs = [gevent.spawn(ask) for _ in range(5)]\n"
        source += "gevent.joinall(jobs)\nprint([job.value for job in jobs])\n"
        done = program.run(program.write(tmp_path / "greenlets.py", source))
        assert done.stdout.strip() == str([b"ok\n"] * 5), done.stderr

    def test_by_a_variable_and_the_exit_is_clean(self, tmp_path: Path) -> None:
        source = """
        import logging
        logging.basicConfig(level="INFO")
        import httpguard
        httpguard.install()
        """
        done = program.run(
            "-X",
            "dev",
            "-W",
            "error",
            program.write(tmp_path / "serves.py", source),
            env={"HTTPGUARD_SERVE": "0"},
        )
        assert done.returncode == 0
        assert "httpguard's page is at http://127.0.0.1:" in done.stderr
        assert "Traceback" not in done.stderr

    def test_import_is_light(self, tmp_path: Path) -> None:
        source = """
        import sys
        import httpguard
        httpguard.install()
        print([name for name in sys.modules if "httpguard._web" in name])
        """
        done = program.run(program.write(tmp_path / "light.py", source))
        assert done.stdout.strip() == "[]", done.stderr
