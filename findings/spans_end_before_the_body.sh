#!/usr/bin/env bash
# OpenTelemetry's spans of httpx, aiohttp and urllib leave the body out, its time and its
# errors; those of requests have it.
#
# The same program reads a body that takes a second, whole. The spans of requests and urllib3
# have that time in them, those of httpx, aiohttp and urllib have not: they end as the body
# begins, and so do those of requests with `stream=True`. Where the body breaks off, the
# program gets an error, and these spans a 200 and no error.
#
# Versions: OpenTelemetry's instrumentations 0.66b1 of requests 2.34.2, urllib3 2.8.0, httpx
# 0.28.1, aiohttp 3.14.5 and urllib.request, CPython 3.11.
#
# Seen:
#   requests: body in the span, body that breaks off ERROR
#   requests, stream=True: body not in the span, body that breaks off UNSET
#   urllib3: body in the span, body that breaks off ERROR
#   urllib: body not in the span, body that breaks off UNSET
#   httpx: body not in the span, body that breaks off UNSET
#   aiohttp: body not in the span, body that breaks off UNSET
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'requests==2.34.2' \
  'urllib3==2.8.0' 'httpx==0.28.1' 'aiohttp==3.14.5' 'opentelemetry-sdk==1.45.1' \
  'opentelemetry-instrumentation-requests==0.66b1' \
  'opentelemetry-instrumentation-urllib3==0.66b1' \
  'opentelemetry-instrumentation-urllib==0.66b1' \
  'opentelemetry-instrumentation-httpx==0.66b1' \
  'opentelemetry-instrumentation-aiohttp-client==0.66b1' 'anyio==4.16.0' 'h11==0.16.0' \
  'httpcore==1.0.9' 'opentelemetry-api==1.45.1' 'opentelemetry-instrumentation==0.66b1' \
  'opentelemetry-semantic-conventions==0.66b1' 'opentelemetry-util-http==0.66b1' \
  'wrapt==2.5.2' 'wrapt==2.5.2'
cat >"$work/program.py" <<'PY'
import asyncio
import http.server
import threading
import time
import urllib.request

import aiohttp
import httpx
import requests
import urllib3
from opentelemetry import trace
from opentelemetry.instrumentation.aiohttp_client import AioHttpClientInstrumentor
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.instrumentation.requests import RequestsInstrumentor
from opentelemetry.instrumentation.urllib import URLLibInstrumentor
from opentelemetry.instrumentation.urllib3 import URLLib3Instrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "10")
        self.end_headers()
        self.wfile.write(b"first")
        if self.path == "/cut":
            self.close_connection = True
            return
        time.sleep(1)
        self.wfile.write(b"later")

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"
spans = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(spans))
trace.set_tracer_provider(provider)


async def of_a_task(target):
    async with aiohttp.ClientSession() as session, session.get(target) as response:
        return await response.read()


def ask(fetch, target):
    """The one span, and what the program got."""
    spans.clear()
    try:
        result = fetch(target)
    except Exception as error:
        result = error
    (span,) = spans.get_finished_spans()
    return span, result


for name, (instrumentor, fetch) in {
    "requests": (RequestsInstrumentor, lambda u: requests.get(u).content),
    "requests, stream=True": (
        RequestsInstrumentor,
        lambda u: requests.get(u, stream=True).content,
    ),
    "urllib3": (
        URLLib3Instrumentor,
        lambda u: urllib3.request("GET", u, retries=False).data,
    ),
    "urllib": (URLLibInstrumentor, lambda u: urllib.request.urlopen(u).read()),
    "httpx": (HTTPXClientInstrumentor, lambda u: httpx.get(u).content),
    "aiohttp": (AioHttpClientInstrumentor, lambda u: asyncio.run(of_a_task(u))),
}.items():
    instrumentor().instrument()
    span, body = ask(fetch, url + "/slow")
    assert body == b"firstlater"
    there = "" if span.end_time - span.start_time > 900_000_000 else "not "
    span, error = ask(fetch, url + "/cut")
    assert isinstance(error, Exception)
    status = span.status.status_code.name
    print(f"{name}: body {there}in the span, body that breaks off {status}")
    instrumentor().uninstrument()
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
requests: body in the span, body that breaks off ERROR
requests, stream=True: body not in the span, body that breaks off UNSET
urllib3: body in the span, body that breaks off ERROR
urllib: body not in the span, body that breaks off UNSET
httpx: body not in the span, body that breaks off UNSET
aiohttp: body not in the span, body that breaks off UNSET
TXT
