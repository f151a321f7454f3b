#!/usr/bin/env bash
# A plain `urllib3.request`, and requests with `max_retries=3`, waits as long as a
# `Retry-After` says, three times.
#
# `Retry-After` in a 413, 429 or 503 makes a plain `urllib3.request` wait that long and ask
# again, three times, though nobody asked for retries of a status, and its time-out of 0.5 s
# does not count the waits. So does `HTTPAdapter(max_retries=3)`, whose documentation speaks
# of failed connections alone. Without that header, after a POST, and in plain requests,
# there is one request.
#
# Versions: urllib3 2.8.0 and requests 2.34.2, CPython 3.11.
#
# Seen:
#   urllib3, 503: 4 requests, slept 3 s
#   urllib3, 429: 4 requests, slept 3 s
#   urllib3, 413: 4 requests, slept 3 s
#   urllib3, 500: 1 requests, slept 0 s
#   urllib3, 503 without Retry-After: 1 requests, slept 0 s
#   urllib3, 503 to a POST: 1 requests, slept 0 s
#   requests, 503: 1 requests, slept 0 s
#   requests, max_retries=3, 503: 4 requests, slept 3 s
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'requests==2.34.2' \
  'urllib3==2.8.0'
cat >"$work/program.py" <<'PY'
import http.server
import threading
import time

import requests
import urllib3
from requests.adapters import HTTPAdapter

asked, slept = [], []
pause = time.sleep


def sleep(seconds):
    slept.append(int(seconds))
    pause(seconds)


time.sleep = sleep


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        asked.append(self.path)
        _, status, seconds = self.path.split("/")
        self.send_response(int(status))
        if seconds:
            self.send_header("Retry-After", seconds)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_GET

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"
session = requests.Session()
session.mount(url, HTTPAdapter(max_retries=3))


def by_urllib3(path, method="GET"):
    return urllib3.request(method, url + path, timeout=0.5).status


for name, status, ask in (
    ("urllib3, 503", 503, lambda: by_urllib3("/503/1")),
    ("urllib3, 429", 429, lambda: by_urllib3("/429/1")),
    ("urllib3, 413", 413, lambda: by_urllib3("/413/1")),
    ("urllib3, 500", 500, lambda: by_urllib3("/500/1")),
    ("urllib3, 503 without Retry-After", 503, lambda: by_urllib3("/503/")),
    ("urllib3, 503 to a POST", 503, lambda: by_urllib3("/503/1", "POST")),
    ("requests, 503", 503,
     lambda: requests.get(url + "/503/1", timeout=0.5).status_code),
    ("requests, max_retries=3, 503", 503,
     lambda: session.get(url + "/503/1", timeout=0.5).status_code),
):
    asked.clear()
    slept.clear()
    assert ask() == status, name
    print(f"{name}: {len(asked)} requests, slept {sum(slept)} s")
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
urllib3, 503: 4 requests, slept 3 s
urllib3, 429: 4 requests, slept 3 s
urllib3, 413: 4 requests, slept 3 s
urllib3, 500: 1 requests, slept 0 s
urllib3, 503 without Retry-After: 1 requests, slept 0 s
urllib3, 503 to a POST: 1 requests, slept 0 s
requests, 503: 1 requests, slept 0 s
requests, max_retries=3, 503: 4 requests, slept 3 s
TXT
