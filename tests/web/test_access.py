"""Where the page is served, and who may see it."""

from __future__ import annotations

import http.client
import socket
from contextlib import closing
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

import httpguard
from httpguard import ConfigError
from httpguard._process.process import PROCESS
from tests.web.asking import TOKEN, ask, exchange, port_of

if TYPE_CHECKING:
    from httpguard._web import Page


class TestAddress:
    @pytest.mark.parametrize(
        "host", ["0.0.0.0", "::", "192.0.2.1", "example.com", "localhost.example"]
    )
    def test_other_machines_need_a_token(self, host: str) -> None:
        with pytest.raises(ConfigError, match="needs a token"):
            httpguard.serve(host)
        with pytest.raises(ConfigError, match="needs a token"):
            httpguard.install(serve=f"{host}:0")
        assert not PROCESS.addresses

    def test_any_address_with_one(self) -> None:
        with httpguard.serve("0.0.0.0", token=TOKEN) as page:
            assert ask(page)[0].status == 401
            assert ask(page, Authorization=f"Bearer {TOKEN}")[0].status == 200
            host = socket.gethostname()
            assert ask(page, "/healthz", Host=host)[0].status == 200
            assert ask(page, "/healthz", Host=f"{host}.example")[0].status == 421

    def test_no_name_is_looked_up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def ask(*_: object) -> None:
            raise AssertionError("a name server would be asked")

        for name in ("getfqdn", "gethostbyname", "gethostbyname_ex", "gethostbyaddr"):
            monkeypatch.setattr(socket, name, ask)
        real = socket.getaddrinfo

        def only_addresses(host: str, *arguments: Any, **options: Any) -> Any:
            assert host == "0.0.0.0"
            return real(host, *arguments, **options)

        monkeypatch.setattr(socket, "getaddrinfo", only_addresses)
        httpguard.serve("0.0.0.0", token=TOKEN).close()

    @pytest.mark.parametrize(
        "given", [(0,), ("0",), ("127.0.0.1:0",), ("localhost:0",)]
    )
    def test_a_port_alone_and_host_with_port(self, given: tuple[Any, ...]) -> None:
        with httpguard.serve(*given) as page:
            assert urlsplit(page.url).hostname in {"127.0.0.1", "localhost"}
            assert ask(page, "/healthz")[0].status == 200
            with httpguard.serve(0) as other:
                assert port_of(other) != port_of(page)

    def test_the_port_is_the_one_that_was_given(self) -> None:
        page = httpguard.serve()
        page.close()
        for given in (port_of(page), str(port_of(page))):
            with httpguard.serve(given) as again:
                assert again.url == page.url

    @pytest.mark.parametrize(
        "given",
        [
            *((None,), (True,), (1.5,), (-1,), (65536,), ("",), (":80",)),
            *(("65536",), ("host:x",), (["::1", 1],), (8765, 80), ("8765", 80)),
            ("127.0.0.1:1", 80),
        ],
    )
    def test_what_is_no_address(self, given: tuple[Any, ...]) -> None:
        with pytest.raises(
            ConfigError, match="a port from 0 to 65535, or HOST:PORT"
        ) as caught:
            httpguard.serve(*given)
        assert repr(given[0]) in str(caught.value)
        assert "tuple" not in str(caught.value)  # The setting takes one.

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
