#!/usr/bin/env bash
# httpx 0.28.1, httpcore 1.0.9, h2 4.4.1, CPython 3.11: over HTTP/2, closing a response
# does not give back what it has taken. The bytes that came in unread stay counted against
# the connection's 16 MiB, and no RST_STREAM tells the server that nobody wants the rest:
# after some hundred answers that were closed unread, nothing more comes in, the streams
# add up to the server's limit, and each request fails at once, though no response is open.
# Read to their end, as many do no harm.
#
# Seen:
#   read: 400 requests, then 200
#   closed: window 0, LocalProtocolError('Max outbound streams is 100, 100 open')
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -q --disable-pip-version-check \
  'httpx[http2]==0.28.1' 'httpcore==1.0.9' 'h2==4.4.1' 'hypercorn==0.18.0' 2>/dev/null
cat >"$work/close.py" <<'PY'
import asyncio
import os
import socket
import sys
import threading

import httpx
from hypercorn.asyncio import serve
from hypercorn.config import Config

listener = socket.create_server(("127.0.0.1", 0))
port = listener.getsockname()[1]
config = Config()
config.bind = [f"fd://{listener.detach()}"]
config.h2_max_concurrent_streams = 100
config.loglevel = "CRITICAL"


async def answer(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x" * 90_000})


async def main():
    await serve(answer, config, shutdown_trigger=asyncio.Event().wait)


threading.Thread(target=asyncio.run, args=(main(),), daemon=True).start()
url = f"http://127.0.0.1:{port}/"


def client():
    return httpx.Client(http1=False, http2=True, timeout=10, trust_env=False)


reads = client()
for _ in range(400):
    reads.get(url)
print("read: 400 requests, then", reads.get(url).status_code)

closes = client()
error = None
for _ in range(400):
    try:
        closes.send(closes.build_request("GET", url), stream=True).close()
    except httpx.HTTPError as failed:
        error = failed
        break
window = closes._transport._pool._connections[0]._connection._h2_state
left = window._inbound_flow_control_window_manager.current_window_size
print(f"closed: window {left}, {error!r}")
sys.stdout.flush()
as_said = left == 0 and isinstance(error, httpx.LocalProtocolError)
os._exit(0 if as_said else 1)
PY
"$work/venv/bin/python" "$work/close.py"
