#!/usr/bin/env bash
# requests that fail have no span in sentry-sdk's traces, or one without a status; only
# httpx's say what failed.
#
# A request that goes well has its span. One whose connection is refused has none with
# requests and urlopen, and with aiohttp none that failed has; one that the server cuts off
# has a span of requests and urlopen, but no status. Only httpx's spans say what failed: the
# trace of a task shows the time that went by, and not on what.
#
# Versions: sentry-sdk 2.75.0 with requests 2.34.2, urllib3 2.8.0, aiohttp 3.14.5 and httpx
# 0.28.1, CPython 3.11.
#
# Seen (spans of one request):
#   requests: ok 'ok', refused none, cut off 'None'
#   urlopen: ok 'ok', refused none, cut off 'None'
#   aiohttp: ok 'ok', refused none, cut off none
#   httpx: ok 'ok', refused 'internal_error', cut off 'internal_error'
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check \
  'sentry-sdk==2.75.0' 'requests==2.34.2' 'urllib3==2.8.0' 'aiohttp==3.14.5' \
  'httpx==0.28.1' 'anyio==4.16.0' 'h11==0.16.0' 'httpcore==1.0.9'
cat >"$work/program.py" <<'PY'
import asyncio
import http.server
import socket
import threading
import urllib.request

import aiohttp
import httpx
import requests
import sentry_sdk


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/cut":
            self.close_connection = True
            return
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *args):
        pass


class Kept(sentry_sdk.Transport):
    spans = []

    def capture_envelope(self, envelope):
        for item in envelope.items:
            if item.type == "transaction":
                self.spans += item.payload.json["spans"]


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"
nobody = socket.socket()  # Bound, and not listening: refused.
nobody.bind(("127.0.0.1", 0))
refused = f"http://127.0.0.1:{nobody.getsockname()[1]}/"
sentry_sdk.init("http://key@sentry.invalid/1", traces_sample_rate=1.0, transport=Kept)


async def get(target):
    async with aiohttp.ClientSession() as session, session.get(target) as response:
        await response.read()


def spans(fetch, target):
    Kept.spans.clear()
    with sentry_sdk.start_transaction(name="task"):
        try:
            fetch(target)
        except Exception:
            assert target != url, "what goes well failed"
    sentry_sdk.flush()
    found = [repr(str(s.get("status"))) for s in Kept.spans if s["op"] == "http.client"]
    return ", ".join(found) or "none"


for name, fetch in {
    "requests": requests.get,
    "urlopen": urllib.request.urlopen,
    "aiohttp": lambda target: asyncio.run(get(target)),
    "httpx": httpx.get,
}.items():
    well, dead, cut = (spans(fetch, u) for u in (url, refused, url + "/cut"))
    print(f"{name}: ok {well}, refused {dead}, cut off {cut}")
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
requests: ok 'ok', refused none, cut off 'None'
urlopen: ok 'ok', refused none, cut off 'None'
aiohttp: ok 'ok', refused none, cut off none
httpx: ok 'ok', refused 'internal_error', cut off 'internal_error'
TXT
