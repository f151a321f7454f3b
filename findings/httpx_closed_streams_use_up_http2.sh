#!/usr/bin/env bash
# Some hundred responses of HTTP/2 that are closed unread use a connection of httpx up for
# good.
#
# Over HTTP/2, closing a response does not give back what it has taken. The bytes that came
# in unread stay counted against the connection's 16 MiB, and no RST_STREAM tells the server
# that nobody wants the rest: after some hundred answers that were closed unread, nothing
# more comes in, the streams add up to the server's limit, and each request fails at once,
# though no response is open. Read to their end, as many do no harm.
#
# Versions: httpx 0.28.1, httpcore 1.0.9, h2 4.4.1, CPython 3.11.
#
# Seen:
#   read: 400 requests, then 200
#   closed: fewer than 400 requests, then LocalProtocolError, Max outbound streams is 100, 100 open
#   the connection has 0 bytes left for what comes in
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check \
  'httpx[http2]==0.28.1' 'httpcore==1.0.9' 'h2==4.4.1' 'hypercorn==0.18.0' 'anyio==4.16.0' \
  'h11==0.16.0' 'hpack==4.2.0' 'hyperframe==6.1.0' 'priority==2.0.0'
cat >"$work/program.py" <<'PY'
import asyncio
import os
import socket
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
number, error = 0, None
while number < 400 and not error:
    try:
        closes.send(closes.build_request("GET", url), stream=True).close()
        number += 1
    except httpx.HTTPError as failed:
        error = failed
few = "fewer than 400" if number < 400 else number
print(f"closed: {few} requests, then {type(error).__name__}, {error}")
window = closes._transport._pool._connections[0]._connection._h2_state
left = window._inbound_flow_control_window_manager.current_window_size
print(f"the connection has {left} bytes left for what comes in", flush=True)
os._exit(0)
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
read: 400 requests, then 200
closed: fewer than 400 requests, then LocalProtocolError, Max outbound streams is 100, 100 open
the connection has 0 bytes left for what comes in
TXT
