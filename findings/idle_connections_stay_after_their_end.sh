#!/usr/bin/env bash
# Idle connections that the server has closed, or httpx should no longer keep, stay until a
# next request; aiohttp lets go of them.
#
# Each response is read to its end, and its connection idle. Where the server closes that,
# requests, urllib3 and httpx do not notice: the sockets stay in CLOSE_WAIT. The next
# request to that host replaces one of them in requests and urllib3, all of them in httpx.
# `keepalive_expiry` of httpx closes nothing either, before the next request. aiohttp lets
# go by itself.
#
# Versions: requests 2.34.2, urllib3 2.8.0, httpx 0.28.1, aiohttp 3.14.5, CPython 3.11.
#
# Seen (sockets of ten threads' or tasks' requests, 2 s later):
#   requests: server closed them: 10 in CLOSE_WAIT
#   requests, after one request more: 9 in CLOSE_WAIT, 1 in ESTABLISHED
#   urllib3: server closed them: 10 in CLOSE_WAIT
#   urllib3, after one request more: 9 in CLOSE_WAIT, 1 in ESTABLISHED
#   httpx: server closed them: 10 in CLOSE_WAIT
#   httpx, after one request more: 1 in ESTABLISHED
#   httpx, async: server closed them: 10 in CLOSE_WAIT
#   aiohttp: server closed them: none
#   httpx: 0.5 s to keep them: 10 in ESTABLISHED
#   httpx, after one request more: 1 in ESTABLISHED
#   httpx, async: 0.5 s to keep them: 10 in ESTABLISHED
#   aiohttp: 0.5 s to keep them: none
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'requests==2.34.2' \
  'urllib3==2.8.0' 'httpx==0.28.1' 'httpcore==1.0.9' 'aiohttp==3.14.5' 'psutil==7.2.2' \
  'anyio==4.16.0' 'h11==0.16.0'
cat >"$work/program.py" <<'PY'
import asyncio
import collections
import concurrent.futures
import functools
import http.server
import threading
import time

import aiohttp
import httpx
import psutil
import requests
import urllib3
from requests.adapters import HTTPAdapter

together = threading.Barrier(10)
later = 2


class Kept(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/":
            together.wait()  # So that each has a connection of its own.
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *args):
        pass


class Closed(Kept):
    timeout = 0.5  # Then an idle connection is closed.


def serve(answer):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), answer)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_port


def sockets(port):
    states = collections.Counter(
        one.status for one in psutil.Process().net_connections("tcp4")
        if one.raddr and one.raddr.port == port
    )
    return ", ".join(f"{states[state]} in {state}" for state in sorted(states)) or "none"


def ten(get, port):
    with concurrent.futures.ThreadPoolExecutor(10) as threads:
        for answer in threads.map(get, [f"http://127.0.0.1:{port}/"] * 10):
            assert answer
    time.sleep(later)
    return sockets(port)


def one_more(name, get, port):
    assert get(f"http://127.0.0.1:{port}/one-more")
    print(f"{name}, after one request more: {sockets(port)}")


async def ten_tasks(get, port):
    for answer in await asyncio.gather(*map(get, [f"http://127.0.0.1:{port}/"] * 10)):
        assert answer
    await asyncio.sleep(later)
    return sockets(port)


async def tasks(name, port, httpx_limits, aiohttp_limits):
    async with httpx.AsyncClient(limits=httpx_limits, trust_env=False) as client:
        print(f"httpx, async: {name}: {await ten_tasks(client.get, port)}")

    async def get(url):
        async with session.get(url) as response:
            return await response.read()

    connector = aiohttp.TCPConnector(**aiohttp_limits)
    async with aiohttp.ClientSession(connector=connector) as session:
        print(f"aiohttp: {name}: {await ten_tasks(get, port)}")


name, port = "server closed them", serve(Closed)
with requests.Session() as session:
    session.mount("http://", HTTPAdapter(pool_maxsize=10))
    print(f"requests: {name}: {ten(session.get, port)}")
    one_more("requests", session.get, port)
with urllib3.PoolManager(maxsize=10) as manager:
    get = functools.partial(manager.request, "GET")
    print(f"urllib3: {name}: {ten(get, port)}")
    one_more("urllib3", get, port)
with httpx.Client(trust_env=False) as client:
    print(f"httpx: {name}: {ten(client.get, port)}")
    one_more("httpx", client.get, port)
asyncio.run(tasks(name, port, httpx.Limits(), {}))

name, port = "0.5 s to keep them", serve(Kept)
limits = httpx.Limits(keepalive_expiry=0.5)
with httpx.Client(limits=limits, trust_env=False) as client:
    print(f"httpx: {name}: {ten(client.get, port)}")
    one_more("httpx", client.get, port)
asyncio.run(tasks(name, port, limits, {"keepalive_timeout": 0.5}))
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
requests: server closed them: 10 in CLOSE_WAIT
requests, after one request more: 9 in CLOSE_WAIT, 1 in ESTABLISHED
urllib3: server closed them: 10 in CLOSE_WAIT
urllib3, after one request more: 9 in CLOSE_WAIT, 1 in ESTABLISHED
httpx: server closed them: 10 in CLOSE_WAIT
httpx, after one request more: 1 in ESTABLISHED
httpx, async: server closed them: 10 in CLOSE_WAIT
aiohttp: server closed them: none
httpx: 0.5 s to keep them: 10 in ESTABLISHED
httpx, after one request more: 1 in ESTABLISHED
httpx, async: 0.5 s to keep them: 10 in ESTABLISHED
aiohttp: 0.5 s to keep them: none
TXT
