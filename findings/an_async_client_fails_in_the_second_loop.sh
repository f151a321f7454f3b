#!/usr/bin/env bash
# An async client of httpx or openai that is kept over several `asyncio.run` fails in each
# second one, a session of aiohttp in all but the first.
#
# A module has an async client, and each task of a worker calls `asyncio.run`. The
# connection that is idle in the client belongs to the loop before, which is closed. Each
# second call of httpx raises RuntimeError, and the one after it goes well; the retries of
# openai do not help. aiohttp's session goes on in none but the first loop.
#
# Versions: httpx 0.28.1, httpx2 2.16.2, openai 3.57.0 on httpx2, aiohttp 3.14.5, CPython
# 3.11.7.
#
# Seen (four times `asyncio.run` with one client):
#   httpx: fine, Event loop is closed, fine, Event loop is closed
#   httpx2: fine, Event loop is closed, fine, Event loop is closed
#   openai: fine, Event loop is closed, fine, Event loop is closed
#   aiohttp: fine, Event loop is closed, Event loop is closed, Event loop is closed
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'httpx==0.28.1' \
  'httpcore==1.0.9' 'openai==3.57.0' 'httpx2==2.16.2' 'httpcore2==2.16.2' 'anyio==4.16.0' \
  'h11==0.16.0' 'opentelemetry-api==1.45.2' 'aiohttp==3.14.5'
cat >"$work/program.py" <<'PY'
import asyncio
import http.server
import threading

import aiohttp
import httpx
import httpx2
import openai


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = b'{"object": "list", "data": []}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
server.handle_error = lambda *_: None  # Connections that are closed.
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"
session = None


async def by_aiohttp():
    global session
    session = session or aiohttp.ClientSession()
    async with session.get(url) as response:
        await response.read()


async def seen(call):
    try:
        await call()
    except RuntimeError as error:
        return str(error)
    return "fine"


for name, call in (
    ("httpx", lambda client=httpx.AsyncClient(): client.get(url)),
    ("httpx2", lambda client=httpx2.AsyncClient(): client.get(url)),
    (
        "openai",
        lambda client=openai.AsyncOpenAI(base_url=url, api_key="k"): client.models.list(),
    ),
    ("aiohttp", by_aiohttp),
):
    print(f"{name}: {', '.join(asyncio.run(seen(call)) for _ in range(4))}")
session._connector._close()
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
httpx: fine, Event loop is closed, fine, Event loop is closed
httpx2: fine, Event loop is closed, fine, Event loop is closed
openai: fine, Event loop is closed, fine, Event loop is closed
aiohttp: fine, Event loop is closed, Event loop is closed, Event loop is closed
TXT
