#!/usr/bin/env bash
# A time-out in the body is a ConnectionError of requests, which `except requests.Timeout`
# lets through.
#
# A server stops answering, before the headers or in the middle of the body. requests raises
# ReadTimeout for the former and ConnectionError for the latter, which `except
# requests.Timeout` lets through; with `stream=True` likewise, but from `raw.read`, which
# raises urllib3's own. The others have one error for both.
#
# Versions: requests 2.34.2, urllib3 2.8.0, httpx 0.28.1, aiohttp 3.14.5, CPython 3.11.
#
# Seen (before the headers, in the body):
#   requests.get: ReadTimeout, ConnectionError
#   requests, iter_content: ReadTimeout, ConnectionError
#   requests, raw.read: ReadTimeout, ReadTimeoutError
#   urllib3: ReadTimeoutError, ReadTimeoutError
#   urllib.request: TimeoutError, TimeoutError
#   httpx: ReadTimeout, ReadTimeout
#   aiohttp: SocketTimeoutError, SocketTimeoutError
#   caught by `except requests.Timeout`: yes, no
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
from urllib.request import urlopen

import aiohttp
import httpx
import requests
import urllib3

over = threading.Event()


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/body":
            self.send_response(200)
            self.send_header("Content-Length", "2000000")
            self.end_headers()
            self.wfile.write(b"x" * 1_000)
        over.wait()
        self.close_connection = True

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"


def by_raw(path):
    with requests.get(url + path, stream=True, timeout=1) as response:
        return response.raw.read()


def by_chunks(path):
    with requests.get(url + path, stream=True, timeout=1) as response:
        return list(response.iter_content(100_000))


def by_urllib(path):
    with urlopen(url + path, timeout=1) as response:
        return response.read()


async def of_aiohttp(path):
    limit = aiohttp.ClientTimeout(sock_read=1)
    async with aiohttp.ClientSession(timeout=limit) as session:
        async with session.get(url + path) as response:
            return await response.read()


def raised(ask, path):
    try:
        ask(path)
    except Exception as error:
        return error


def by_requests(path):
    return requests.get(url + path, timeout=1)


for name, ask in (
    ("requests.get", by_requests),
    ("requests, iter_content", by_chunks),
    ("requests, raw.read", by_raw),
    ("urllib3", lambda path: urllib3.request("GET", url + path, timeout=1, retries=False)),
    ("urllib.request", by_urllib),
    ("httpx", lambda path: httpx.get(url + path, timeout=1, trust_env=False)),
    ("aiohttp", lambda path: asyncio.run(of_aiohttp(path))),
):
    errors = [raised(ask, "/headers"), raised(ask, "/body")]
    print(f"{name}: " + ", ".join(type(error).__name__ for error in errors))
caught = [
    "yes" if isinstance(raised(by_requests, path), requests.Timeout) else "no"
    for path in ("/headers", "/body")
]
print("caught by `except requests.Timeout`: " + ", ".join(caught))
over.set()
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
requests.get: ReadTimeout, ConnectionError
requests, iter_content: ReadTimeout, ConnectionError
requests, raw.read: ReadTimeout, ReadTimeoutError
urllib3: ReadTimeoutError, ReadTimeoutError
urllib.request: TimeoutError, TimeoutError
httpx: ReadTimeout, ReadTimeout
aiohttp: SocketTimeoutError, SocketTimeoutError
caught by `except requests.Timeout`: yes, no
TXT
