#!/usr/bin/env bash
# A Timeout of google-auth's `max_allowed_time` forgets the answer that came: a streamed one
# is left open.
#
# `max_allowed_time` of an AuthorizedSession waits for an answer that comes later, as its
# documentation says, and raises Timeout then, without the answer. A streamed one is left
# open: each such call takes a new connection, and one that stays open for as long as the
# error is kept. A time-out of requests itself ends the wait, and leaves nothing open.
#
# Versions: google-auth 2.63.0 with requests 2.34.2 and urllib3 2.8.0, CPython 3.11.7.
#
# Seen (three calls of 0.2 s each, answered after 0.6 s, whose errors are kept):
#   max_allowed_time: Timeout after the answer, 1 connection(s), 0 open
#   max_allowed_time, stream: Timeout after the answer, 3 connection(s), 3 open
#   timeout, stream: ReadTimeout after the time given, 3 connection(s), 0 open
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check \
  'google-auth==2.63.0' 'requests==2.34.2' 'urllib3==2.8.0'
cat >"$work/program.py" <<'PY'
import http.server
import threading
import time
import weakref

import google.auth.credentials
import requests
from google.auth.transport.requests import AuthorizedSession

answers, connections = [], []


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        connections.append(self.client_address)
        time.sleep(0.6)
        self.send_response(200)
        self.send_header("Content-Length", "2000000")
        self.end_headers()
        self.wfile.write(b"x" * 2_000_000)

    def log_message(self, *args):
        pass


class Token(google.auth.credentials.Credentials):
    valid, expired = True, False

    def __init__(self):
        super().__init__()
        self.token = "a token"

    def refresh(self, request):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
server.handle_error = lambda *_: None  # Connections that are closed.
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"


def keep(response, *args, **kwargs):
    answers.append(weakref.ref(response))


def error_of(call):
    try:
        call()
    except requests.Timeout as error:
        return error


def show(name, call):
    answers.clear()
    connections.clear()
    started = time.monotonic()
    errors = [error_of(call) for _ in range(3)]
    raised = type(errors[0]).__name__
    waited = "the answer" if time.monotonic() - started > 1.5 else "the time given"
    left = [answer() for answer in answers if answer() is not None]
    still_open = sum(not answer.raw.closed for answer in left)
    made = len(set(connections))
    print(f"{name}: {raised} after {waited}, {made} connection(s), {still_open} open")


session = AuthorizedSession(Token())
session.hooks["response"].append(keep)
show("max_allowed_time", lambda: session.get(url, max_allowed_time=0.2))
show("max_allowed_time, stream", lambda: session.get(url, stream=True, max_allowed_time=0.2))
show("timeout, stream", lambda: session.get(url, stream=True, timeout=0.2))
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
max_allowed_time: Timeout after the answer, 1 connection(s), 0 open
max_allowed_time, stream: Timeout after the answer, 3 connection(s), 3 open
timeout, stream: ReadTimeout after the time given, 3 connection(s), 0 open
TXT
