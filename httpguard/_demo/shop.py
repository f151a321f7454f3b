"""The shop: a local HTTP server for the demo's programs to talk to."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_PAGES: Final = {
    "/status": b'{"status": "open"}\n',
    "/stock": b'{"apples": 12}\n',
    "/reservations": b'{"reservation": 7}\n',
    "/confirm": b'{"confirmed": 7}\n',
    "/orders.csv": b"order,customer,total\n" * 1500,
    "/customers.csv": b"customer,name,city\n" * 1500,
    "/invoice.pdf": b"%PDF-1.7\n".ljust(30_000),
    # More than aiohttp takes in by itself.
    "/ledger.csv": b"date,order,amount\n" * 120_000,
    "/archive.csv": b"date,order,amount\n" * 120_000,
    "/backup.csv": b"date,order,amount\n" * 120_000,
}
# Longer than the programs' max_idle, with the pauses shorter.
_TICKS: Final = 12
_TICK_SECONDS: Final = 0.05


@contextmanager
def open_shop() -> Iterator[str]:
    """Serve on a free port of the loopback interface: the shop's URL."""
    with _Listener(("127.0.0.1", 0), _Counter) as listener:
        thread = threading.Thread(
            target=listener.serve_forever, args=(0.05,), daemon=True
        )
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.server_address[1]}"
        finally:
            listener.shutdown()
            thread.join()


class _Listener(ThreadingMixIn, TCPServer):
    """Not http.server's own: that one asks the name service for the host."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that hang up in the middle are what the demo is about."""


class _Counter(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body are two writes; the second shall not wait for the first.
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        page = _PAGES.get(self.path)
        if self.path == "/prices":
            self._send_prices()
        elif page is None:
            self.send_error(404)
        else:
            self._head("Content-Length", str(len(page)))
            self.wfile.write(page)

    do_POST = do_GET  # noqa: N815  # The name is http.server's.

    def _send_prices(self) -> None:
        self._head("Transfer-Encoding", "chunked")
        for number in range(_TICKS):
            line = b"apples,%d\n" % (100 + number)
            self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
            time.sleep(_TICK_SECONDS)
        self.wfile.write(b"0\r\n\r\n")

    def _head(self, name: str, value: str) -> None:
        self.send_response(200)
        self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""
