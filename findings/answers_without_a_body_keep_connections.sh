#!/usr/bin/env bash
# A streamed answer to HEAD, or of status 204, holds its connection until it is read or
# closed, in all but aiohttp.
#
# Such an answer has no body at all, so that nothing is left to read; the client holds the
# connection for it all the same. Who looks at its status and drops it has lost a slot of
# the pool, and the next request fails.
#
# Versions: requests 2.34.2, urllib3 2.8.0, httpx 0.28.1, aiohttp 3.14.5, CPython 3.11.
#
# Seen:
#   HEAD dropped, then the next request:
#     urllib3 EmptyPoolError
#     requests EmptyPoolError
#     httpx PoolTimeout
#     aiohttp 200
#   204 dropped, then the next request:
#     urllib3 EmptyPoolError
#     requests EmptyPoolError
#     httpx PoolTimeout
#     aiohttp 204
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'requests==2.34.2' \
  'urllib3==2.8.0' 'httpx==0.28.1' 'httpcore==1.0.9' 'aiohttp==3.14.5' 'anyio==4.16.0' \
  'h11==0.16.0'
cat >"$work/program.py" <<'PY'
import asyncio
import gc
import http.server
import threading

import aiohttp
import httpx
import requests
import urllib3


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(204)
        self.end_headers()

    def do_HEAD(self):
        self.send_response(200)
        self.send_header("Content-Length", "200000")
        self.end_headers()

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
server.handle_error = lambda *_: None  # Connections that are dropped.
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/"


def of_urllib3(method):
    manager = urllib3.PoolManager(maxsize=1, block=True)
    manager.request(method, url, preload_content=False)
    gc.collect()
    try:
        return manager.request(method, url, pool_timeout=0.5).status
    except urllib3.exceptions.EmptyPoolError as error:
        return type(error).__name__


def of_requests(method):
    session = requests.Session()
    adapter = requests.adapters.HTTPAdapter(pool_maxsize=1, pool_block=True)
    session.mount("http://", adapter)
    session.request(method, url, stream=True)
    gc.collect()
    (key,) = adapter.poolmanager.pools.keys()
    try:
        pool = adapter.poolmanager.pools[key]
        return pool.urlopen(method, "/", pool_timeout=0.5).status
    except urllib3.exceptions.EmptyPoolError as error:
        return type(error).__name__


def of_httpx(method):
    client = httpx.Client(
        limits=httpx.Limits(max_connections=1), timeout=httpx.Timeout(5, pool=0.5)
    )
    client.send(client.build_request(method, url), stream=True)
    gc.collect()
    try:
        return client.request(method, url).status_code
    except httpx.PoolTimeout as error:
        return type(error).__name__


async def of_aiohttp(method):
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=1),
        timeout=aiohttp.ClientTimeout(connect=2),
    ) as session:
        await session.request(method, url)
        gc.collect()
        try:
            return (await session.request(method, url)).status
        except aiohttp.ConnectionTimeoutError as error:
            return type(error).__name__


for method, name in (("HEAD", "HEAD"), ("GET", "204")):
    print(f"{name} dropped, then the next request:")
    print("  urllib3", of_urllib3(method))
    print("  requests", of_requests(method))
    print("  httpx", of_httpx(method))
    print("  aiohttp", asyncio.run(of_aiohttp(method)))
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
HEAD dropped, then the next request:
  urllib3 EmptyPoolError
  requests EmptyPoolError
  httpx PoolTimeout
  aiohttp 200
204 dropped, then the next request:
  urllib3 EmptyPoolError
  requests EmptyPoolError
  httpx PoolTimeout
  aiohttp 204
TXT
