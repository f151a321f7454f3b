#!/usr/bin/env bash
# Metrics of OpenTelemetry count a request that urllib3 sent four times as one that was
# well, and a body that comes in chunks as none.
#
# urllib3's instrumentation, and that of requests, stands around the retries: a request
# that was refused by 503 three times, and answered then, is one of status 200 in
# `http.client.duration`, and the three 503 are not there. urllib3's counts each redirect
# as a request of its own, as httpx's does; those of requests, urllib and aiohttp count
# one for all. The size of an answer is its `Content-Length`: where it has none, as each
# body in chunks, urllib3's and urllib's put down 0 bytes, not nothing, and the average
# sinks.
#
# Versions: OpenTelemetry's instrumentations 0.66b1 on its SDK 1.45.1, urllib3 2.8.0,
# requests 2.34.2, CPython 3.11.
#
# Seen (how often each was sent, counted with which status, and the bytes counted):
#   urllib3, plain: sent 1, counted 1 of 200, 5000 bytes
#   urllib3, chunked: sent 1, counted 1 of 200, 0 bytes
#   urllib3, busy: sent 4, counted 1 of 200, 5000 bytes
#   urllib3, moved: sent 3, counted 1 of 200, 2 of 302, 5000 bytes
#   urllib, plain: sent 1, counted 1 of 200, 5000 bytes
#   urllib, chunked: sent 1, counted 1 of 200, 0 bytes
#   urllib, moved: sent 3, counted 1 of 200, 5000 bytes
#   requests, busy: sent 4, counted 1 of 200
#   requests, moved: sent 3, counted 1 of 200
#   aiohttp, moved: sent 3, counted 1 of 200
#   httpx, moved: sent 3, counted 1 of 200, 2 of 302
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check \
  'opentelemetry-sdk==1.45.1' 'opentelemetry-api==1.45.1' \
  'opentelemetry-instrumentation-urllib3==0.66b1' \
  'opentelemetry-instrumentation-requests==0.66b1' \
  'opentelemetry-instrumentation-httpx==0.66b1' \
  'opentelemetry-instrumentation-urllib==0.66b1' \
  'opentelemetry-instrumentation-aiohttp-client==0.66b1' 'urllib3==2.8.0' \
  'requests==2.34.2' 'httpx==0.28.1' 'aiohttp==3.14.5' 'httpcore==1.0.9' 'h11==0.16.0' \
  'anyio==4.16.0'
cat >"$work/program.py" <<'PY'
import asyncio
import http.server
import threading
import urllib.request

import aiohttp
import httpx
import requests
import urllib3
from opentelemetry.instrumentation.aiohttp_client import AioHttpClientInstrumentor
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.instrumentation.requests import RequestsInstrumentor
from opentelemetry.instrumentation.urllib import URLLibInstrumentor
from opentelemetry.instrumentation.urllib3 import URLLib3Instrumentor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from requests.adapters import HTTPAdapter

BODY = b"x" * 5000
asked = []


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        asked.append(self.path)
        busy = self.path == "/busy" and len(asked) < 4
        moved = self.path == "/moved" and len(asked) < 3
        body = b"" if busy or moved else BODY
        self.send_response(503 if busy else 302 if moved else 200)
        if moved:
            self.send_header("Location", self.path)
        if self.path == "/chunked":
            self.send_header("Transfer-Encoding", "chunked")
            body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        else:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
root = f"http://127.0.0.1:{server.server_port}"
THRICE = urllib3.Retry(5, status_forcelist=[503], backoff_factor=0)


def by_urllib3(url):
    urllib3.PoolManager(retries=THRICE).request("GET", url)


def by_requests(url):
    with requests.Session() as session:
        session.mount("http://", HTTPAdapter(max_retries=THRICE))
        session.get(url)


def by_httpx(url):
    httpx.get(url, follow_redirects=True)


def by_urllib(url):
    with urllib.request.urlopen(url) as response:
        response.read()


async def by_session(url):
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        await response.read()


def by_aiohttp(url):
    asyncio.run(by_session(url))


def counted(reader):
    found = {}
    for resource in reader.get_metrics_data().resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                found[metric.name] = metric.data.data_points
    calls = found["http.client.duration"]
    statuses = [(point.attributes["http.status_code"], point.count) for point in calls]
    told = ", ".join(f"{count} of {status}" for status, count in sorted(statuses))
    if sizes := found.get("http.client.response.size"):
        told += f", {sum(point.sum for point in sizes)} bytes"
    return told


for name, call, instrumentor, paths in (
    ("urllib3", by_urllib3, URLLib3Instrumentor, ("/plain", "/chunked", "/busy", "/moved")),
    ("urllib", by_urllib, URLLibInstrumentor, ("/plain", "/chunked", "/moved")),
    ("requests", by_requests, RequestsInstrumentor, ("/busy", "/moved")),
    ("aiohttp", by_aiohttp, AioHttpClientInstrumentor, ("/moved",)),
    ("httpx", by_httpx, HTTPXClientInstrumentor, ("/moved",)),
):
    for path in paths:
        asked.clear()
        reader = InMemoryMetricReader()
        meters = MeterProvider([reader])
        instrumentor().instrument(meter_provider=meters, tracer_provider=TracerProvider())
        call(root + path)
        instrumentor().uninstrument()
        print(f"{name}, {path[1:]}: sent {len(asked)}, counted {counted(reader)}")
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
urllib3, plain: sent 1, counted 1 of 200, 5000 bytes
urllib3, chunked: sent 1, counted 1 of 200, 0 bytes
urllib3, busy: sent 4, counted 1 of 200, 5000 bytes
urllib3, moved: sent 3, counted 1 of 200, 2 of 302, 5000 bytes
urllib, plain: sent 1, counted 1 of 200, 5000 bytes
urllib, chunked: sent 1, counted 1 of 200, 0 bytes
urllib, moved: sent 3, counted 1 of 200, 5000 bytes
requests, busy: sent 4, counted 1 of 200
requests, moved: sent 3, counted 1 of 200
aiohttp, moved: sent 3, counted 1 of 200
httpx, moved: sent 3, counted 1 of 200, 2 of 302
TXT
