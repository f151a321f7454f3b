#!/usr/bin/env bash
# After a redirect, a digest or a retry, requests and urllib3 send a generator's upload
# again without a body, and call it well.
#
# An upload whose body is a generator is read up by the first request. Where the server
# answers 307 or asks for digest authentication, or a `Retry` tries a 503 again, the second
# request goes out with an empty body, nothing is raised, and the answer is 200: what the
# program meant to store is empty there. httpx 0.28.1, httpx2 2.16.2 and aiohttp 3.14.5
# raise.
#
# Versions: requests 2.34.2 with urllib3 2.8.0, CPython 3.11.
#
# Seen (bytes that came with each request):
#   requests, 307: 200, bytes [1000, 0]
#   requests, digest: 200, bytes [1000, 0]
#   requests, retried: 200, bytes [1000, 0]
#   urllib3, 307: 200, bytes [1000, 0]
#   urllib3, retried: 200, bytes [1000, 0]
#   httpx, 307: StreamConsumed, bytes [1000]
#   httpx, digest: StreamConsumed, bytes [1000]
#   httpx2, 307: StreamConsumed, bytes [1000]
#   aiohttp, 307: ClientPayloadError, bytes [1000]
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'requests==2.34.2' \
  'urllib3==2.8.0' 'httpx==0.28.1' 'httpx2==2.16.2' 'aiohttp==3.14.5' 'anyio==4.16.0' \
  'h11==0.16.0' 'httpcore==1.0.9' 'httpcore2==2.16.2'
cat >"$work/program.py" <<'PY'
import asyncio
import http.server
import threading

import aiohttp
import httpx
import httpx2
import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.auth import HTTPDigestAuth

stored = []  # The length of each body that came.


class Store(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_PUT(self):
        length = 0
        while size := int(self.rfile.readline(), 16):
            length += len(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        stored.append(length)
        first = len(stored) == 1
        if first and self.path == "/moved":
            self.answer(307, "Location", "/here")
        elif first and self.path == "/private":
            self.answer(401, "WWW-Authenticate", 'Digest realm="r", nonce="n", qop="auth"')
        else:
            self.answer(503 if first and self.path == "/busy" else 200, "X-None", "")

    def answer(self, status, name, value):
        self.send_response(status)
        self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Store)
server.daemon_threads = True
server.handle_error = lambda *_: None  # Bodies that are broken off.
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"
again = urllib3.Retry(3, status_forcelist=[503])


def body():
    yield b"x" * 500
    yield b"x" * 500


async def body_of_a_task():
    for part in body():
        yield part


def requests_retried():
    session = requests.Session()
    session.mount("http://", HTTPAdapter(max_retries=again))
    return session.put(url + "/busy", data=body()).status_code


async def aiohttp_moved():
    async with aiohttp.ClientSession() as session:
        async with session.put(url + "/moved", data=body_of_a_task()) as response:
            return response.status


def httpx_digest():
    auth = httpx.DigestAuth("me", "secret")
    return httpx.put(url + "/private", content=body(), auth=auth).status_code


def requests_digest():
    auth = HTTPDigestAuth("me", "secret")
    return requests.put(url + "/private", data=body(), auth=auth).status_code


def moved(client):
    return client.put(url + "/moved", content=body(), follow_redirects=True).status_code


for name, program in {
    "requests, 307": lambda: requests.put(url + "/moved", data=body()).status_code,
    "requests, digest": requests_digest,
    "requests, retried": requests_retried,
    "urllib3, 307": lambda: urllib3.request("PUT", url + "/moved", body=body()).status,
    "urllib3, retried": lambda: urllib3.request(
        "PUT", url + "/busy", body=body(), retries=again
    ).status,
    "httpx, 307": lambda: moved(httpx),
    "httpx, digest": httpx_digest,
    "httpx2, 307": lambda: moved(httpx2),
    "aiohttp, 307": lambda: asyncio.run(aiohttp_moved()),
}.items():
    stored.clear()
    try:
        result = program()
    except Exception as error:
        result = type(error).__name__
    # A body that was broken off is not stored.
    print(f"{name}: {result}, bytes {stored}")
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
requests, 307: 200, bytes [1000, 0]
requests, digest: 200, bytes [1000, 0]
requests, retried: 200, bytes [1000, 0]
urllib3, 307: 200, bytes [1000, 0]
urllib3, retried: 200, bytes [1000, 0]
httpx, 307: StreamConsumed, bytes [1000]
httpx, digest: StreamConsumed, bytes [1000]
httpx2, 307: StreamConsumed, bytes [1000]
aiohttp, 307: ClientPayloadError, bytes [1000]
TXT
