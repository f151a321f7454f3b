#!/usr/bin/env bash
# A rate limit of requests-ratelimiter counts no retries: a server that is busy is asked
# as often and as fast as `max_retries` allows.
#
# The limit stands in front of the adapter of requests, and the `Retry` that the adapter
# has tries again behind it. A session of two requests a second sends eight at once, and
# it does so where the server says that it is busy. Redirects are counted, and so is
# what the program itself tries again.
#
# Versions: requests-ratelimiter 0.10.0 on pyrate-limiter 4.5.1, requests 2.34.2,
# urllib3 2.8.0, CPython 3.11.
#
# Seen (`per_second=2`, as the server sees it; each fourth request is answered well):
#   LimiterSession, HTTPAdapter(max_retries=3): 16 requests, at most 8 in 0.6 seconds
#   LimiterAdapter(max_retries=3): 16 requests, at most 8 in 0.6 seconds
#   LimiterSession, redirects: 16 requests, at most 2 in 0.6 seconds
#   LimiterSession, the program calls again: 16 requests, at most 2 in 0.6 seconds
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check \
  'requests-ratelimiter==0.10.0' 'pyrate-limiter==4.5.1' 'requests==2.34.2' \
  'urllib3==2.8.0'
cat >"$work/program.py" <<'PY'
import http.server
import threading
import time

import requests
from requests.adapters import HTTPAdapter
from requests_ratelimiter import LimiterAdapter, LimiterSession
from urllib3 import Retry

asked = []


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        asked.append(time.monotonic())
        last = len(asked) % 4 == 0  # The fourth request is answered, each other in vain.
        self.send_response(200 if last else 503 if self.path == "/busy" else 302)
        if not last and self.path == "/moved":
            self.send_header("Location", self.path)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"
RETRY = Retry(3, status_forcelist=[503], backoff_factor=0)


def a_session():
    return LimiterSession(per_second=2)


def a_session_that_retries():
    session = a_session()
    session.mount("http://", HTTPAdapter(max_retries=RETRY))
    return session


def an_adapter():
    session = requests.Session()
    session.mount("http://", LimiterAdapter(per_second=2, max_retries=RETRY))
    return session


def by_itself(session, path):
    while session.get(url + path).status_code != 200:
        pass


def once(session, path):
    assert session.get(url + path).status_code == 200


for name, make, path, ask in (
    ("LimiterSession, HTTPAdapter(max_retries=3)", a_session_that_retries, "/busy", once),
    ("LimiterAdapter(max_retries=3)", an_adapter, "/busy", once),
    ("LimiterSession, redirects", a_session, "/moved", once),
    ("LimiterSession, the program calls again", a_session, "/busy", by_itself),
):
    asked.clear()
    with make() as session:
        for _ in range(4):
            ask(session, path)
    most = max(sum(0 <= b - a < 0.6 for b in asked) for a in asked)
    print(f"{name}: {len(asked)} requests, at most {most} in 0.6 seconds")
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
LimiterSession, HTTPAdapter(max_retries=3): 16 requests, at most 8 in 0.6 seconds
LimiterAdapter(max_retries=3): 16 requests, at most 8 in 0.6 seconds
LimiterSession, redirects: 16 requests, at most 2 in 0.6 seconds
LimiterSession, the program calls again: 16 requests, at most 2 in 0.6 seconds
TXT
