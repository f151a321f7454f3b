#!/usr/bin/env bash
# `raise_for_status()` in a hook leaves the answer of each error open in requests, and
# unread in httpx: each takes a new connection.
#
# A session calls `raise_for_status()` in a hook for each response, so that no call forgets
# it. Hooks run before the body is read, of plain calls too. requests leaves the answer of
# each error open so, for as long as the error is kept, and a pool that blocks has lost the
# slot. httpx closes it, and what the server said of the error is lost. Both make a new
# connection after each, where a `raise_for_status()` after the call makes one for all.
#
# Versions: requests 2.34.2 with urllib3 2.8.0, httpx 0.28.1, CPython 3.11.7.
#
# Seen (ten answers of 404, whose errors are kept):
#   requests, after the call: 1 connection(s), 0 open, text: no such thing
#   requests, in a hook: 10 connection(s), 10 open, text: no such thing
#   httpx, after the call: 1 connection(s), 0 open, text: no such thing
#   httpx, in a hook: 10 connection(s), 0 open, text: ResponseNotRead
#   requests, in a pool that blocks: next request EmptyPoolError
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'requests==2.34.2' \
  'urllib3==2.8.0' 'httpx==0.28.1' 'httpcore==1.0.9' 'anyio==4.16.0' 'h11==0.16.0'
cat >"$work/program.py" <<'PY'
import http.server
import threading

import httpx
import requests
import urllib3

connections = []


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        connections.append(self.client_address)
        self.send_response(404)
        self.send_header("Content-Length", "13")
        self.end_headers()
        self.wfile.write(b"no such thing")

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
server.handle_error = lambda *_: None  # Connections that are closed.
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"


def check(response, *args, **kwargs):
    response.raise_for_status()


def by_requests(hook):
    session = requests.Session()
    if not hook:
        return lambda: check(session.get(url))
    session.hooks["response"].append(check)
    return lambda: session.get(url)


def by_httpx(hook):
    client = httpx.Client(event_hooks={"response": [check]} if hook else None)
    return (lambda: client.get(url)) if hook else (lambda: check(client.get(url)))


def error_of(call):
    try:
        call()
    except (requests.HTTPError, httpx.HTTPStatusError) as error:
        return error


def is_open(response):
    raw = getattr(response, "raw", None)
    return not response.is_closed if raw is None else raw.connection is not None


def text(response):
    try:
        return response.text
    except httpx.ResponseNotRead as error:
        return type(error).__name__


for name, make in (("requests", by_requests), ("httpx", by_httpx)):
    for way in ("after the call", "in a hook"):
        connections.clear()
        call = make(way == "in a hook")
        errors = [error_of(call) for _ in range(10)]
        still_open = sum(is_open(error.response) for error in errors)
        said = text(errors[0].response)
        made = len(set(connections))
        print(f"{name}, {way}: {made} connection(s), {still_open} open, text: {said}")
session = requests.Session()
adapter = requests.adapters.HTTPAdapter(pool_maxsize=1, pool_block=True)
session.mount(url, adapter)
session.hooks["response"].append(check)
error_of(lambda: session.get(url))
(key,) = adapter.poolmanager.pools.keys()
try:
    adapter.poolmanager.pools[key].urlopen("GET", "/", pool_timeout=0.5)
except urllib3.exceptions.EmptyPoolError as error:
    print(f"requests, in a pool that blocks: next request {type(error).__name__}")
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
requests, after the call: 1 connection(s), 0 open, text: no such thing
requests, in a hook: 10 connection(s), 10 open, text: no such thing
httpx, after the call: 1 connection(s), 0 open, text: no such thing
httpx, in a hook: 10 connection(s), 0 open, text: ResponseNotRead
requests, in a pool that blocks: next request EmptyPoolError
TXT
