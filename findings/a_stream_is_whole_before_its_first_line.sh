#!/usr/bin/env bash
# requests-cache, aiohttp-client-cache, vcrpy and httpx's ASGITransport hand out a stream
# only when its last event was sent.
#
# A server sends an event, and nine more a second later, and a program streams them. Under a
# cache or a recorder, and in process with httpx's ASGITransport, it has the first when the
# last was sent: `stream=True` is accepted, and read to its end before it is handed out; a
# stream without an end is never handed out. CacheControl, httpx-retries, httpx's
# WSGITransport and starlette's TestClient let the events through.
#
# Versions: requests-cache 1.3.3, aiohttp-client-cache 0.15.0, vcrpy 9.4.2, CacheControl
# 0.14.4, httpx-retries 0.6.0, starlette 1.10.0, with requests 2.34.2, urllib3 2.8.0, httpx
# 0.28.1 and aiohttp 3.14.5, CPython 3.11.
#
# Seen (events sent when the first one was read):
#   requests: 1
#   CacheControl: 1
#   httpx-retries: 1
#   WSGITransport: 1
#   TestClient: 1
#   requests-cache: 10
#   aiohttp-client-cache: 10
#   vcrpy, requests: 10
#   vcrpy, httpx: 10
#   vcrpy, aiohttp: 10
#   ASGITransport: 10
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check \
  'requests-cache==1.3.3' 'aiohttp-client-cache==0.15.0' 'vcrpy==9.4.2' \
  'CacheControl==0.14.4' 'httpx-retries==0.6.0' 'starlette==1.10.0' 'requests==2.34.2' \
  'urllib3==2.8.0' 'httpx==0.28.1' 'aiohttp==3.14.5' 'anyio==4.16.0' 'h11==0.16.0' \
  'httpcore==1.0.9'
cat >"$work/program.py" <<'PY'
import asyncio
import http.server
import sys
import threading
import time
import warnings

import aiohttp
import aiohttp_client_cache
import cachecontrol
import httpx
import httpx_retries
import requests
import requests_cache
import vcr

warnings.simplefilter("ignore")
from starlette.testclient import TestClient  # noqa: E402

sent = []
came = threading.Event()  # The first event has come to the program.


def events():
    sent.clear()
    came.clear()
    for number in range(10):
        sent.append(number)
        yield b"data: %d\n\n" % number
        if not number:
            came.wait(1)


def at_first():
    """How many were sent as the first one is read."""
    count = len(sent)
    came.set()
    return count


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for event in events():
            self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
server.handle_error = lambda *_: None  # Connections that are dropped.
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"


async def asgi(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for event in events():
        await send({"type": "http.response.body", "body": event, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


def wsgi(environ, start_response):
    start_response("200 OK", [])
    return events()


def by_requests(session):
    with session, session.get(url, stream=True) as response:
        for _ in response.iter_lines():
            return at_first()


def by_httpx(client):
    with client.stream("GET", url) as response:
        for _ in response.iter_lines():
            return at_first()


async def by_task():
    async with httpx.AsyncClient(transport=httpx.ASGITransport(asgi)) as client:
        async with client.stream("GET", url) as response:
            async for _ in response.aiter_lines():
                return at_first()


async def by_aiohttp(session):
    async with session() as session, session.get(url) as response:
        async for _ in response.content:
            return at_first()


def recorded(program):
    tapes = vcr.VCR(record_mode="all", cassette_library_dir=sys.argv[1])
    with tapes.use_cassette(f"{time.monotonic()}.yaml"):
        return program()


def cached():
    memory = aiohttp_client_cache.CacheBackend()
    return aiohttp_client_cache.CachedSession(cache=memory)


for name, program in (
    ("requests", lambda: by_requests(requests.Session())),
    ("CacheControl", lambda: by_requests(cachecontrol.CacheControl(requests.Session()))),
    ("httpx-retries", lambda: by_httpx(httpx.Client(transport=httpx_retries.RetryTransport()))),
    ("WSGITransport", lambda: by_httpx(httpx.Client(transport=httpx.WSGITransport(wsgi)))),
    ("TestClient", lambda: by_httpx(TestClient(asgi))),
    ("requests-cache", lambda: by_requests(requests_cache.CachedSession(backend="memory"))),
    ("aiohttp-client-cache", lambda: asyncio.run(by_aiohttp(cached))),
    ("vcrpy, requests", lambda: recorded(lambda: by_requests(requests.Session()))),
    ("vcrpy, httpx", lambda: recorded(lambda: by_httpx(httpx.Client()))),
    ("vcrpy, aiohttp", lambda: recorded(lambda: asyncio.run(by_aiohttp(aiohttp.ClientSession)))),
    ("ASGITransport", lambda: asyncio.run(by_task())),
):
    print(f"{name}: {program()}")
PY
"$work/venv/bin/python" "$work/program.py" "$work" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
requests: 1
CacheControl: 1
httpx-retries: 1
WSGITransport: 1
TestClient: 1
requests-cache: 10
aiohttp-client-cache: 10
vcrpy, requests: 10
vcrpy, httpx: 10
vcrpy, aiohttp: 10
ASGITransport: 10
TXT
