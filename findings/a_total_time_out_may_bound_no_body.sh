#!/usr/bin/env bash
# The total time-out of urllib3, and curl_cffi's of a stream, bound no body; aiohttp's
# counts the program's own time too.
#
# A server sends a body in 15 parts, 0.2 s apart, and each client may take one second. That
# of requests, httpx and urllib.request is for each read, as their docs say. urllib3's
# `Timeout(total=1)` is so too, as a note in its docs says and its name does not;
# curl_cffi's `timeout` is for all, but not with `stream=True`: they take all three seconds.
# aiohttp's `total` holds; it counts the program's own time between two reads too, so that a
# program that is slow with a large body gets TimeoutError from a server that is not.
#
# Versions: urllib3 2.8.0, requests 2.34.2, httpx 0.28.1, curl_cffi 0.17.0, aiohttp 3.14.5,
# CPython 3.11.
#
# Seen:
#   requests: whole
#   httpx: whole
#   urlopen: whole
#   urllib3, total: whole
#   urllib3, total, streamed: whole
#   curl_cffi: Timeout
#   curl_cffi, stream: whole
#   aiohttp, total: TimeoutError
#   aiohttp, fast server, slow program: TimeoutError
#   httpx, fast server, slow program: whole
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'requests==2.34.2' \
  'urllib3==2.8.0' 'httpx==0.28.1' 'curl_cffi==0.17.0' 'aiohttp==3.14.5' 'anyio==4.16.0' \
  'h11==0.16.0' 'httpcore==1.0.9'
cat >"$work/program.py" <<'PY'
import asyncio
import http.server
import threading
import time
from urllib.request import urlopen

import aiohttp
import curl_cffi.requests
import httpx
import requests
import urllib3

PART, PARTS = 1_000_000, 15


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(PART * PARTS))
        self.end_headers()
        for _ in range(PARTS):
            self.wfile.write(bytes(PART))
            if self.path == "/slow":
                time.sleep(0.2)

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
server.handle_error = lambda *_: None  # Connections that are dropped.
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"
slow, fast = url + "/slow", url + "/fast"
total = urllib3.Timeout(total=1)


def by_urllib3():
    with urllib3.request("GET", slow, timeout=total, preload_content=False) as response:
        return sum(len(part) for part in response.stream())


def by_curl():
    with curl_cffi.requests.Session() as session:
        with session.stream("GET", slow, timeout=1) as response:
            return sum(len(part) for part in response.iter_content())


async def by_aiohttp(url, work):
    limit = aiohttp.ClientTimeout(total=1)
    async with aiohttp.ClientSession(timeout=limit) as session, session.get(url) as response:
        size = 0
        async for part in response.content.iter_chunked(PART):
            size += len(part)
            await asyncio.sleep(work)
        return size


async def by_httpx(work):
    async with httpx.AsyncClient(timeout=1) as client, client.stream("GET", fast) as response:
        size = 0
        async for part in response.aiter_bytes(PART):
            size += len(part)
            await asyncio.sleep(work)
        return size


for name, program in (
    ("requests", lambda: len(requests.get(slow, timeout=1).content)),
    ("httpx", lambda: len(httpx.get(slow, timeout=1).content)),
    ("urlopen", lambda: len(urlopen(slow, timeout=1).read())),
    ("urllib3, total", lambda: len(urllib3.request("GET", slow, timeout=total).data)),
    ("urllib3, total, streamed", by_urllib3),
    ("curl_cffi", lambda: len(curl_cffi.requests.get(slow, timeout=1).content)),
    ("curl_cffi, stream", by_curl),
    ("aiohttp, total", lambda: asyncio.run(by_aiohttp(slow, 0))),
    ("aiohttp, fast server, slow program", lambda: asyncio.run(by_aiohttp(fast, 0.2))),
    ("httpx, fast server, slow program", lambda: asyncio.run(by_httpx(0.2))),
):
    try:
        size = program()
    except Exception as error:
        print(f"{name}: {type(error).__name__}")
    else:
        assert size == PART * PARTS
        print(f"{name}: whole")
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
requests: whole
httpx: whole
urlopen: whole
urllib3, total: whole
urllib3, total, streamed: whole
curl_cffi: Timeout
curl_cffi, stream: whole
aiohttp, total: TimeoutError
aiohttp, fast server, slow program: TimeoutError
httpx, fast server, slow program: whole
TXT
