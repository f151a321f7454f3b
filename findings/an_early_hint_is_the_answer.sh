#!/usr/bin/env bash
# `103 Early Hints`, or WebDAV's 102, is the answer to requests, urllib3, httplib2 and
# http.client: no body, `ok`.
#
# Before its answer a server may send others that only inform, such as `103 Early Hints`, or
# WebDAV's `102 Processing` while it is at work. These take the first of them, but for a
# 100, for the answer: status 103, no body, `ok` and `raise_for_status()` content, whatever
# came after it, an error too. urllib.request raises an HTTPError of that status. httpx
# 0.28.1, httpx2 2.16.2, aiohttp 3.14.5 and tornado 6.6.1 wait for the answer.
#
# Versions: urllib3 2.8.0, requests 2.34.2, httplib2 0.32.1, http.client and urllib.request
# of CPython 3.11.
#
# Seen (the answer is 503 in the end):
#   requests: 100 -> 503, 102 -> 102 ok, 103 -> 103 ok
#   urllib3: 100 -> 503, 102 -> 102, 103 -> 103
#   httplib2: 100 -> 503, 102 -> 102, 103 -> 103
#   urllib.request: 100 -> HTTPError 503, 102 -> HTTPError 102, 103 -> HTTPError 103
#   httpx, httpx2, aiohttp, tornado: 503 each time
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'requests==2.34.2' \
  'urllib3==2.8.0' 'httplib2==0.32.1' 'httpx==0.28.1' 'httpx2==2.16.2' 'aiohttp==3.14.5' \
  'tornado==6.6.1' 'anyio==4.16.0' 'h11==0.16.0' 'httpcore==1.0.9' 'httpcore2==2.16.2'
cat >"$work/program.py" <<'PY'
import asyncio
import http.server
import threading
import time
import urllib.error
import urllib.request

import aiohttp
import httplib2
import httpx
import httpx2
import requests
import tornado.httpclient
import urllib3


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        status = self.path.lstrip("/")
        self.wfile.write(f"HTTP/1.1 {status} First\r\nX-First: yes\r\n\r\n".encode())
        time.sleep(0.1)
        self.send_response(503)
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"busy")
        self.close_connection = True

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
server.handle_error = lambda *_: None  # Connections that are dropped.
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/"


def of_requests(address):
    response = requests.get(address)
    return f"{response.status_code}{' ok' if response.ok else ''}"


def of_urllib(address):
    try:
        return urllib.request.urlopen(address).status
    except urllib.error.HTTPError as error:
        error.close()
        return f"HTTPError {error.code}"


async def of_aiohttp(address):
    async with aiohttp.ClientSession() as session, session.get(address) as response:
        return response.status


async def of_tornado(address):
    client = tornado.httpclient.AsyncHTTPClient()
    return (await client.fetch(address, raise_error=False)).code


for name, get in {
    "requests": of_requests,
    "urllib3": lambda address: urllib3.PoolManager().request("GET", address).status,
    "httplib2": lambda address: httplib2.Http().request(address)[0].status,
    "urllib.request": of_urllib,
    "httpx": lambda address: httpx.get(address).status_code,
    "httpx2": lambda address: httpx2.get(address).status_code,
    "aiohttp": lambda address: asyncio.run(of_aiohttp(address)),
    "tornado": lambda address: asyncio.run(of_tornado(address)),
}.items():
    seen = (f"{first} -> {get(url + first)}" for first in ("100", "102", "103"))
    print(f"{name}: {', '.join(seen)}")
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
requests: 100 -> 503, 102 -> 102 ok, 103 -> 103 ok
urllib3: 100 -> 503, 102 -> 102, 103 -> 103
httplib2: 100 -> 503, 102 -> 102, 103 -> 103
urllib.request: 100 -> HTTPError 503, 102 -> HTTPError 102, 103 -> HTTPError 103
httpx: 100 -> 503, 102 -> 503, 103 -> 503
httpx2: 100 -> 503, 102 -> 503, 103 -> 503
aiohttp: 100 -> 503, 102 -> 503, 103 -> 503
tornado: 100 -> 503, 102 -> 503, 103 -> 503
TXT
