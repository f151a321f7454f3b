"""What the page's own server refuses, and whom it drops."""

from __future__ import annotations

import socket
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from httpguard._web.connection import Patience
from tests import program
from tests.web.asking import ask, exchange, port_of, serving

if TYPE_CHECKING:
    from pathlib import Path

    from httpguard._web import Page

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
STYLE = b"GET /static/page.css HTTP/1.1\r\nHost: localhost\r\n\r\n"


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
    def test_those_who_send_too_slowly_are_dropped(self, sent: bytes) -> None:
        with serving(Patience(head=0.2, idle=60, answer=60)) as port:
            assert exchange(port, sent) == b""

    def test_those_who_send_byte_by_byte_are_dropped(self) -> None:
        with (
            serving(Patience(head=0.2, idle=60, answer=60)) as port,
            socket.create_connection(("127.0.0.1", port), timeout=30) as sock,
        ):
            end = time.monotonic() + 30
            with pytest.raises(OSError, match=r"reset|pipe"):
                while time.monotonic() < end:
                    sock.sendall(b"G")
                    time.sleep(0.01)

    def test_those_who_ask_no_more_are_dropped(self) -> None:
        with serving(Patience(head=60, idle=0.2, answer=60)) as port:
            assert exchange(port, HEALTH).endswith(b"\r\n\r\nok\n")

    def test_those_who_read_too_slowly_are_dropped(self) -> None:
        with (
            serving(Patience(head=60, idle=60, answer=0.2)) as port,
            socket.socket() as sock,
        ):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.settimeout(30)
            sock.connect(("127.0.0.1", port))
            # It stops reading once the first answers are not taken: so that what
            # is sent here does not get through either.
            with pytest.raises(OSError, match=r"reset|pipe"):
                for _ in range(100_000):
                    sock.sendall(STYLE)
            assert ask(port, "/healthz")[0].status == 200

    def test_those_who_read_slowly_get_all_of_it(self) -> None:
        # More than the buffers of both ends hold.
        many = STYLE * 2000 + STYLE[:-2] + b"Connection: close\r\n\r\n"
        with serving() as port, socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.settimeout(30)
            sock.connect(("127.0.0.1", port))
            sender = threading.Thread(target=sock.sendall, args=(many,))
            sender.start()
            # Others are served meanwhile.
            assert ask(port, "/healthz")[0].status == 200
            answer = bytearray()
            while chunk := sock.recv(65536):
                answer += chunk
            sender.join()
        assert answer.count(b"HTTP/1.1 200 OK\r\n") == 2001

    def test_where_too_many_are_connected_the_idlest_goes(self) -> None:
        with serving(most=3) as port:
            address = ("127.0.0.1", port)
            socks = [socket.create_connection(address, timeout=30) for _ in range(3)]
            try:
                for sock in socks:
                    sock.sendall(HEALTH)
                    assert b"ok\n" in sock.recv(65536)
                assert ask(port, "/healthz")[0].status == 200
                assert socks[0].recv(65536) == b""
                socks[2].sendall(HEALTH)
                assert b"ok\n" in socks[2].recv(65536)
            finally:
                for sock in socks:
                    sock.close()

    def test_who_is_in_the_middle_of_a_request_stays(self) -> None:
        with (
            serving(most=2) as port,
            socket.create_connection(("127.0.0.1", port), timeout=30) as busy,
            socket.create_connection(("127.0.0.1", port), timeout=30) as idle,
        ):
            # One whole request each, so that it is known when they are read.
            busy.sendall(HEALTH + HEALTH[:9])
            assert b"ok\n" in busy.recv(65536)
            idle.sendall(HEALTH)
            assert b"ok\n" in idle.recv(65536)
            with socket.create_connection(("127.0.0.1", port), timeout=30) as third:
                third.sendall(HEALTH + HEALTH[:9])
                assert b"ok\n" in third.recv(65536)
                assert idle.recv(65536) == b""
                # Where nobody is idle, whoever comes is sent away.
                with pytest.raises(OSError, match=r"reset|closed"):
                    ask(port, "/healthz")
                for sock in (busy, third):
                    sock.sendall(HEALTH[9:])
                    assert b"ok\n" in sock.recv(65536)

    @pytest.mark.skipif(sys.platform != "linux", reason="counts on its limits")
    def test_without_descriptors_it_rests_and_goes_on(self, tmp_path: Path) -> None:
        source = """
        import os, resource, socket, time
        import httpguard
        page = httpguard.serve()
        port = int(page.url.rstrip("/").rpartition(":")[2])
        request = b"GET /healthz HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n"
        first, second = socket.socket(), socket.socket()
        first.connect(("127.0.0.1", port))
        first.sendall(request)
        while first.recv(65536):
            pass
        taken = []
        resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200))
        try:
            while True:
                taken.append(os.dup(0))
        except OSError:
            pass
        second.connect(("127.0.0.1", port))
        second.sendall(request)
        begin = time.process_time()
        time.sleep(1)
        used = time.process_time() - begin
        for number in taken:
            os.close(number)
        answer = b""
        while data := second.recv(65536):
            answer += data
        print(used < 0.5, answer[-3:])
        """
        done = program.run(program.write(tmp_path / "full.py", source))
        assert done.stdout.strip() == r"True b'ok\n'", done.stderr
