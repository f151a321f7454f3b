#!/usr/bin/env bash
# respx, pytest-httpx and OpenTelemetry see nothing of httpx-aiohttp: a test's request goes
# out to the server, and a trace has no span; sentry-sdk has two.
#
# httpx-aiohttp puts aiohttp under httpx's AsyncClient. respx, pytest-httpx and
# OpenTelemetry's instrumentation of httpx stand at the transport that it replaces. A test
# that mocks the answer to a POST sends the POST, and has the server's answer; it fails only
# then, as the mock was not called, and not at all where that check is off. In a trace the
# request is missing. sentry-sdk, which knows httpx and aiohttp, has it twice. vcrpy plays
# it as it was recorded.
#
# Versions: httpx-aiohttp 0.2.0 with httpx 0.28.1 and aiohttp 3.14.5, respx 0.23.1,
# pytest-httpx 0.36.2, vcrpy 9.4.2, opentelemetry-instrumentation-httpx 0.66b2, sentry-sdk
# 2.75.0, CPython 3.11.
#
# Seen (one POST by each; what the program has, and how many came to the server):
#   respx: httpx mocked, 0 came; on aiohttp real, 1 came, then it fails
#   respx, assert_all_called=False: httpx mocked, 0 came; on aiohttp real, 1 came
#   pytest-httpx: httpx mocked, 0 came; on aiohttp real, 1 came, then it fails
#   pytest-httpx, is_optional=True: httpx mocked, 0 came; on aiohttp real, 1 came
#   vcrpy, played: httpx real, 0 came; on aiohttp real, 0 came
#   OpenTelemetry: httpx 1 span(s); on aiohttp 0 span(s)
#   sentry-sdk: httpx 1 span(s); on aiohttp 2 span(s)
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'httpx-aiohttp==0.2.0' \
  'httpx==0.28.1' 'httpcore==1.0.9' 'aiohttp==3.14.5' 'respx==0.23.1' 'pytest==9.2.0' \
  'pytest-httpx==0.36.2' 'vcrpy==9.4.2' 'opentelemetry-instrumentation-httpx==0.66b2' \
  'opentelemetry-sdk==1.45.2' 'sentry-sdk==2.75.0' 'urllib3==2.8.0'
cat >"$work/program.py" <<'PY'
import asyncio
import http.server
import os
import sys
import threading

import httpx
import httpx_aiohttp
import pytest
import respx
import sentry_sdk
import vcr
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

CLIENTS = {"httpx": httpx.AsyncClient, "on aiohttp": httpx_aiohttp.HttpxAiohttpClient}
came = []


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        came.append(self.path)
        self.send_response(200)
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"real")

    def log_message(self, *args):
        pass


async def posted(client):
    async with CLIENTS[client]() as http_client:
        return (await http_client.post(url)).text


def by_respx(client, **options):
    try:
        with respx.mock(**options) as mock:
            mock.post(url).respond(text="mocked")
            text = asyncio.run(posted(client))
    except AssertionError:
        return text, ", then it fails"
    return text, ""


def by_pytest(client, **options):
    seen = []

    class Plugin:
        @pytest.hookimpl(tryfirst=True)
        def pytest_pyfunc_call(self, pyfuncitem):
            mock = pyfuncitem.funcargs["httpx_mock"]
            mock.add_response(url=url, text="mocked", **options)
            seen.append(asyncio.run(posted(client)))
            return True

    with open(os.devnull, "w") as nowhere:
        kept, sys.stdout = sys.stdout, nowhere
        try:
            arguments = ["-q", "-p", "no:cacheprovider", os.path.join(folder, "test_one.py")]
            failed = pytest.main(arguments, plugins=[Plugin()]) != 0
        finally:
            sys.stdout = kept
    return seen[0], ", then it fails" if failed else ""


def by_vcr(client):
    for _ in range(2):
        came.clear()
        with vcr.use_cassette(os.path.join(folder, f"{client}.yaml")):
            text = asyncio.run(posted(client))
    return text, ""


folder = sys.argv[1]
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/"
with open(os.path.join(folder, "test_one.py"), "w") as file:
    file.write("def test_one(httpx_mock): pass\n")
for name, ask in (
    ("respx", by_respx),
    ("respx, assert_all_called=False", lambda client: by_respx(client, assert_all_called=False)),
    ("pytest-httpx", by_pytest),
    ("pytest-httpx, is_optional=True", lambda client: by_pytest(client, is_optional=True)),
    ("vcrpy, played", by_vcr),
):
    row = []
    for client in CLIENTS:
        came.clear()
        text, end = ask(client)
        row.append(f"{client} {text}, {len(came)} came{end}")
    print(f"{name}: {'; '.join(row)}")

memory = InMemorySpanExporter()
tracing = TracerProvider()
tracing.add_span_processor(SimpleSpanProcessor(memory))
HTTPXClientInstrumentor().instrument(tracer_provider=tracing)
row = []
for client in CLIENTS:
    memory.clear()
    asyncio.run(posted(client))
    row.append(f"{client} {len(memory.get_finished_spans())} span(s)")
print(f"OpenTelemetry: {'; '.join(row)}")
HTTPXClientInstrumentor().uninstrument()

sent = []
sentry_sdk.init(
    dsn="http://key@127.0.0.1:9/1",  # Nothing is sent there.
    traces_sample_rate=1.0,
    send_client_reports=False,
    before_send_transaction=lambda event, hint: sent.append(event),
)
row = []
for client in CLIENTS:
    with sentry_sdk.start_transaction(name="one"):
        asyncio.run(posted(client))
    spans = [span for span in sent[-1]["spans"] if span["op"] == "http.client"]
    row.append(f"{client} {len(spans)} span(s)")
print(f"sentry-sdk: {'; '.join(row)}")
PY
"$work/venv/bin/python" "$work/program.py" "$work" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
respx: httpx mocked, 0 came; on aiohttp real, 1 came, then it fails
respx, assert_all_called=False: httpx mocked, 0 came; on aiohttp real, 1 came
pytest-httpx: httpx mocked, 0 came; on aiohttp real, 1 came, then it fails
pytest-httpx, is_optional=True: httpx mocked, 0 came; on aiohttp real, 1 came
vcrpy, played: httpx real, 0 came; on aiohttp real, 0 came
OpenTelemetry: httpx 1 span(s); on aiohttp 0 span(s)
sentry-sdk: httpx 1 span(s); on aiohttp 2 span(s)
TXT
