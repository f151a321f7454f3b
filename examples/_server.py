"""The server the examples talk to: on this machine, on a free port, no network."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_BODY = b"".join(b"%-88d|\n" % number for number in range(1000))


class _Listener(ThreadingMixIn, TCPServer):
    """A thread for each connection."""

    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that hang up in the middle are what the examples are about."""


class _Connection(BaseHTTPRequestHandler):
    """Answers every GET with a thousand lines of text."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """The text, with its length."""
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(_BODY)))
        self.end_headers()
        self.wfile.write(_BODY)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@contextmanager
def serve() -> Iterator[str]:
    """Serve while the scope lasts, and yield the server's URL."""
    # A proxy of the environment could not reach it.
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1"
    with _Listener(("127.0.0.1", 0), _Connection) as listener:
        thread = threading.Thread(
            target=listener.serve_forever, args=(0.05,), daemon=True
        )
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.server_address[1]}/"
        finally:
            listener.shutdown()
            thread.join()
