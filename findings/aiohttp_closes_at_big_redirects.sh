#!/usr/bin/env bash
# A redirect with a large body is read whole by requests and httpx, and costs aiohttp its
# connection.
#
# The client follows a redirect whose own body is large. requests and httpx read that body
# to its end, forty megabytes that nobody asked for, and use the connection again. aiohttp
# reads nothing of it, closes the connection, and connects once more to the same server.
#
# Versions: aiohttp 3.14.5, httpx 0.28.1, requests 2.34.2, CPython 3.11.
#
# Seen:
#   requests: 1 connection(s), the redirect's body went whole
#   httpx: 1 connection(s), the redirect's body went whole
#   aiohttp: 2 connection(s), the redirect's body went not whole
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'requests==2.34.2' \
  'urllib3==2.8.0' 'httpx==0.28.1' 'httpcore==1.0.9' 'aiohttp==3.14.5' 'anyio==4.16.0' \
  'h11==0.16.0'
cat >"$work/program.py" <<'PY'
import asyncio
import http.server
import threading

import aiohttp
import httpx
import requests

SIZE = 40_000_000
sent = []
connections = set()


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        connections.add(self.client_address)
        self.send_response(302 if self.path == "/old" else 200)
        self.send_header("Location", "/new")
        self.send_header("Content-Length", str(SIZE if self.path == "/old" else 2))
        self.end_headers()
        if self.path == "/new":
            self.wfile.write(b"ok")
            return
        for _ in range(SIZE // 200_000):
            self.wfile.write(b"x" * 200_000)
        sent.append(SIZE)

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
server.handle_error = lambda *_: None  # Connections that are dropped.
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/old"


def by_requests():
    return requests.get(url).text


def by_httpx():
    return httpx.get(url, follow_redirects=True).text


async def by_aiohttp():
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return await response.text()


for name, fetch in (
    ("requests", by_requests),
    ("httpx", by_httpx),
    ("aiohttp", lambda: asyncio.run(by_aiohttp())),
):
    connections.clear()
    sent.clear()
    assert fetch() == "ok"
    whole = "whole" if sent else "not whole"
    print(f"{name}: {len(connections)} connection(s), the redirect's body went {whole}")
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
requests: 1 connection(s), the redirect's body went whole
httpx: 1 connection(s), the redirect's body went whole
aiohttp: 2 connection(s), the redirect's body went not whole
TXT
