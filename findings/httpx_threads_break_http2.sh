#!/usr/bin/env bash
# httpx 0.28.1, httpcore 1.0.9, h2 4.4.1, CPython 3.11: two threads whose first requests
# share a new HTTP/2 connection break it now and then. httpcore changes the state of a
# connection in both, without a lock, until h2 refuses what comes of it, or the server
# ends the connection, and requests fail that have done nothing wrong. 4 in 1,800 requests
# as CPython switches threads by default; here it switches sooner. One thread after the
# other has no such errors.
#
# Seen, after some 10 connections, one of:
#   RemoteProtocolError('<ConnectionTerminated error_code:1, last_stream_id:5, ...>')
#   LocalProtocolError('Invalid input StreamInputs.SEND_HEADERS in state 5')
#   RemoteProtocolError('Server disconnected')
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -q --disable-pip-version-check \
  'httpx[http2]==0.28.1' 'httpcore==1.0.9' 'h2==4.4.1' 'hypercorn==0.18.0' 2>/dev/null
cat >"$work/share.py" <<'PY'
import asyncio
import os
import socket
import sys
import threading

import httpx
from hypercorn.asyncio import serve
from hypercorn.config import Config

CONNECTIONS = 1500
listener = socket.create_server(("127.0.0.1", 0))
port = listener.getsockname()[1]
config = Config()
config.bind = [f"fd://{listener.detach()}"]
config.h2_max_concurrent_streams = 3
config.loglevel = "CRITICAL"


async def answer(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x" * 90_000})


async def main():
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    await serve(answer, config, shutdown_trigger=asyncio.Event().wait)


threading.Thread(target=asyncio.run, args=(main(),), daemon=True).start()
url = f"http://127.0.0.1:{port}/"
sys.setswitchinterval(1e-6)
errors = []


def ask(client, begin, times):
    begin.wait()
    try:
        for _ in range(times):
            client.send(client.build_request("GET", url), stream=True)
    except httpx.HTTPError as error:
        errors.append(error)


for number in range(1, CONNECTIONS + 1):
    client = httpx.Client(http1=False, http2=True, timeout=10, trust_env=False)
    begin = threading.Barrier(2)
    threads = [
        threading.Thread(target=ask, args=(client, begin, times)) for times in (1, 2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    client.close()
    if errors:
        break
print(f"after {number} connections: {errors[:1]}")
sys.stdout.flush()
as_said = bool(errors) and isinstance(errors[0], httpx.ProtocolError)
os._exit(0 if as_said else 1)
PY
"$work/venv/bin/python" "$work/share.py"
