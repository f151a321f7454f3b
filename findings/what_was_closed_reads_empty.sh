#!/usr/bin/env bash
# A response that is read after its `with` is empty, without an error, to requests, urllib3,
# http.client and urllib.request; httpx and aiohttp raise.
#
# A response of 2,000,000 bytes is read after its `with`, one line too far to the left. To
# requests, urllib3, http.client and urllib.request its body is empty then, with status 200
# and no error, whichever way it is read; so is what is left of one that was half read.
# httpx and aiohttp raise.
#
# Versions: requests 2.34.2, urllib3 2.8.0, httpx 0.28.1, aiohttp 3.14.5, CPython 3.11.
#
# Seen:
#   requests, content: 0 bytes
#   requests, iter_lines: 0 bytes
#   requests, half read before: 0 bytes
#   urllib3, read: 0 bytes
#   urllib3, data: 0 bytes
#   http.client: 0 bytes
#   urllib.request: 0 bytes
#   httpx: StreamClosed
#   aiohttp: ClientConnectionError
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'requests==2.34.2' \
  'urllib3==2.8.0' 'httpx==0.28.1' 'httpcore==1.0.9' 'aiohttp==3.14.5' 'anyio==4.16.0' \
  'h11==0.16.0'
cat >"$work/program.py" <<'PY'
import asyncio
import http.client
import http.server
import threading
from urllib.request import urlopen

import aiohttp
import httpx
import requests
import urllib3


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
server.handle_error = lambda *_: None  # Connections that are closed early.
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"


def by_requests():
    with requests.get(url, stream=True) as response:
        response.raise_for_status()
    return response.content


def by_lines():
    with requests.get(url, stream=True) as response:
        response.raise_for_status()
    return b"".join(response.iter_lines())


def half_read():
    with requests.get(url, stream=True) as response:
        assert len(response.raw.read(1_000_000)) == 1_000_000
    return response.content


def by_urllib3():
    with urllib3.request("GET", url, preload_content=False) as response:
        assert response.status == 200
    return response.read()


def by_data():
    with urllib3.request("GET", url, preload_content=False) as response:
        assert response.status == 200
    return response.data


def by_http_client():
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port)
    connection.request("GET", "/")
    with connection.getresponse() as response:
        assert response.status == 200
    return response.read()


def by_urllib():
    with urlopen(url) as response:
        assert response.status == 200
    return response.read()


def by_httpx():
    with httpx.stream("GET", url) as response:
        response.raise_for_status()
    return response.read()


async def of_aiohttp():
    async with aiohttp.ClientSession() as session:
        async with session.get(url) as response:
            response.raise_for_status()
        return await response.read()


for name, read in (
    ("requests, content", by_requests),
    ("requests, iter_lines", by_lines),
    ("requests, half read before", half_read),
    ("urllib3, read", by_urllib3),
    ("urllib3, data", by_data),
    ("http.client", by_http_client),
    ("urllib.request", by_urllib),
    ("httpx", by_httpx),
    ("aiohttp", lambda: asyncio.run(of_aiohttp())),
):
    try:
        print(f"{name}: {len(read())} bytes")
    except Exception as error:
        print(f"{name}: {type(error).__name__}")
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
requests, content: 0 bytes
requests, iter_lines: 0 bytes
requests, half read before: 0 bytes
urllib3, read: 0 bytes
urllib3, data: 0 bytes
http.client: 0 bytes
urllib.request: 0 bytes
httpx: StreamClosed
aiohttp: ClientConnectionError
TXT
