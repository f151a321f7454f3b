#!/usr/bin/env bash
# `with client.get(..., catch_response=True)` of locust leaves a streamed response open.
#
# `catch_response=True` lets a task of locust say itself whether an answer was good. The
# response derives from that of requests, and its `with` does something else: it reports,
# and closes nothing. A streamed one that was not read to its end is open after the block;
# that of requests is closed. `contextlib.closing` around it closes.
#
# Versions: locust 2.47.0 with requests 2.34.2 and urllib3 2.8.0, CPython 3.11.7.
#
# Seen (responses that are open after ten blocks, and kept):
#   requests: 0
#   locust: 10
#   locust in contextlib.closing: 0
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'locust==2.47.0' \
  'requests==2.34.2' 'urllib3==2.8.0' 'gevent==26.9.0'
cat >"$work/program.py" <<'PY'
import gevent.monkey

gevent.monkey.patch_all()

import contextlib
import http.server
import threading

import requests
from locust.clients import HttpSession
from locust.env import Environment


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2000000")
        self.end_headers()
        self.wfile.write(b"x" * 2_000_000)

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
server.handle_error = lambda *_: None  # Connections that are closed.
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"
session = requests.Session()
user = HttpSession(url, Environment().events.request, None)


def by_requests():
    with session.get(url, stream=True) as response:
        response.raise_for_status()
    return response


def by_locust():
    with user.get("/", stream=True, catch_response=True) as response:
        response.success()
    return response


def closing():
    opened = user.get("/", stream=True, catch_response=True)
    with contextlib.closing(opened), opened as response:
        response.success()
    return response


for name, call in (
    ("requests", by_requests),
    ("locust", by_locust),
    ("locust in contextlib.closing", closing),
):
    kept = [call() for _ in range(10)]
    print(f"{name}: {sum(not response.raw.closed for response in kept)}")
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
requests: 0
locust: 10
locust in contextlib.closing: 0
TXT
