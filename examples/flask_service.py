"""A Flask service, one thread a request, with a handler that leaks its upstream.

Three clients' calls to it leak three connections. The handler is named, not Flask
and not werkzeug, and it is reported once, not three times; the summary at exit
has the count. The two handlers below it do the same work without a leak.

Run:  python examples/flask_service.py
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import requests
from _server import serve
from flask import Flask, Response
from werkzeug.serving import WSGIRequestHandler, make_server

import httpguard

if TYPE_CHECKING:
    from collections.abc import Iterator

app = Flask(__name__)


@app.get("/leaky")
def leaky() -> tuple[dict[str, Any], int]:
    """Return early, with the upstream response still open."""
    upstream = requests.get(app.config["UPSTREAM"], stream=True, timeout=5)  # LEAK
    if upstream.headers["Content-Type"] != "application/json":
        return {"error": "upstream sent no JSON"}, 502
    return upstream.json(), 200


@app.get("/repaired")
def repaired() -> tuple[dict[str, Any], int]:
    """Whatever way out is taken, `with` closes."""
    with requests.get(app.config["UPSTREAM"], stream=True, timeout=5) as upstream:
        if upstream.headers["Content-Type"] != "application/json":
            return {"error": "upstream sent no JSON"}, 502
        return upstream.json(), 200


@app.get("/download")
def download() -> Response:
    """Pass a body through piece by piece: the generator owns the response."""

    def pieces() -> Iterator[bytes]:
        """Closed by the server if the client hangs up, and `with` closes then."""
        with requests.get(app.config["UPSTREAM"], stream=True, timeout=5) as upstream:
            yield from upstream.iter_content(8192)

    return Response(pieces(), mimetype="text/plain")


class Quiet(WSGIRequestHandler):
    """No access log: the report is what there is to see."""

    def log(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def run_service(upstream: str) -> Iterator[str]:
    """Run the service in threads of this process, and yield its URL."""
    app.config["UPSTREAM"] = upstream
    service = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=service.serve_forever, name="service")
    thread.start()
    try:
        yield f"http://127.0.0.1:{service.server_port}"
    finally:
        service.shutdown()
        thread.join()
        service.server_close()


def main() -> None:
    """Call the service as its clients do."""
    httpguard.install()
    with serve() as upstream, run_service(upstream) as service:
        for path in ("/leaky", "/leaky", "/leaky", "/repaired", "/download"):
            answer = requests.get(service + path, timeout=5)
            print(f"GET {path}: {answer.status_code}, {len(answer.content)} bytes")
    for leak in httpguard.check().leaks:
        print(f"{leak.count} {leak.kind}, opened in {leak.site.function}()")


if __name__ == "__main__":
    main()
