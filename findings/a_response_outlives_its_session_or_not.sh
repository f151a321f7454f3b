#!/usr/bin/env bash
# Read after its session is closed, a response of requests is whole, one of httpx or aiohttp
# raises, one of http.client is empty.
#
# A streamed response is handed out of the `with` of its session, client or connection, and
# read after that. requests and urllib3 read all of it, and its socket stays until then.
# httpx and aiohttp raise. http.client returns nothing, as for an empty body, and no error.
#
# Versions: requests 2.34.2 with urllib3 2.8.0, httpx 0.28.1, aiohttp 3.14.5, CPython 3.11.
#
# Seen:
#   requests: 5000000 bytes
#   urllib3: 5000000 bytes
#   httpx: ReadError
#   httpx, async: ReadError
#   aiohttp: RuntimeError
#   http.client: 0 bytes
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'requests==2.34.2' \
  'urllib3==2.8.0' 'httpx==0.28.1' 'httpcore==1.0.9' 'aiohttp==3.14.5' 'anyio==4.16.0' \
  'h11==0.16.0'
cat >"$work/program.py" <<'PY'
import asyncio
import contextlib
import http.client
import http.server
import threading

import aiohttp
import httpx
import requests
import urllib3


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "5000000")
        self.end_headers()
        try:
            self.wfile.write(b"x" * 5_000_000)
        except OSError:
            pass

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
server.handle_error = lambda *_: None  # Connections that are closed.
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"


def by_requests():
    with requests.Session() as session:
        response = session.get(url, stream=True)
    return response.content


def by_urllib3():
    with urllib3.PoolManager() as manager:
        response = manager.request("GET", url, preload_content=False)
    return response.read()


def by_httpx():
    with httpx.Client() as client:
        response = client.send(client.build_request("GET", url), stream=True)
    return response.read()


async def by_httpx_async():
    async with httpx.AsyncClient() as client:
        response = await client.send(client.build_request("GET", url), stream=True)
    return await response.aread()


async def by_aiohttp():
    async with aiohttp.ClientSession() as session:
        response = await session.get(url)
    return await response.read()


def by_http_client():
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port)
    with contextlib.closing(connection):
        connection.request("GET", "/")
        response = connection.getresponse()
    return response.read()


for name, ask in (
    ("requests", by_requests),
    ("urllib3", by_urllib3),
    ("httpx", by_httpx),
    ("httpx, async", lambda: asyncio.run(by_httpx_async())),
    ("aiohttp", lambda: asyncio.run(by_aiohttp())),
    ("http.client", by_http_client),
):
    try:
        print(f"{name}: {len(ask())} bytes")
    except (httpx.HTTPError, aiohttp.ClientError, RuntimeError) as error:
        print(f"{name}: {type(error).__name__}")
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
requests: 5000000 bytes
urllib3: 5000000 bytes
httpx: ReadError
httpx, async: ReadError
aiohttp: RuntimeError
http.client: 0 bytes
TXT
