#!/usr/bin/env bash
# A POST that was carried out and not answered is a ConnectTimeout of httpx-aiohttp, and so
# is a pool that is full; openai's client on aiohttp raises APITimeoutError at once.
#
# httpx-aiohttp puts aiohttp under httpx's AsyncClient, and openai has a copy of it in its
# `DefaultAioHttpClient`. A connection that breaks before the answer, or is refused, and a
# wait for a full pool are a ConnectTimeout of it. That is httpx's name for a connection that
# was never made, after which a POST may be sent again: here it may have been carried out.
# `except httpx.PoolTimeout` catches nothing, and openai speaks of time where none has passed.
#
# Versions: httpx-aiohttp 0.2.0 with httpx 0.28.1 and aiohttp 3.14.5, openai 3.57.0 on
# httpx2 2.16.2, CPython 3.11.
#
# Seen (with a time-out of 30 seconds, of the pool 2; how many POSTs came to the server):
#   not answered: httpx RemoteProtocolError, on aiohttp ConnectTimeout, 1 POST each
#   not answered, openai: APIConnectionError, on aiohttp APITimeoutError at once, 1 POST each
#   reset: httpx ReadError, on aiohttp ConnectTimeout, 1 POST each
#   reset, openai: APIConnectionError, on aiohttp APITimeoutError at once, 1 POST each
#   refused: httpx ConnectError, on aiohttp ConnectTimeout, 0 POST each
#   refused, openai: APIConnectionError, on aiohttp APITimeoutError at once, 0 POST each
#   full pool: httpx PoolTimeout, on aiohttp ConnectTimeout
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'httpx-aiohttp==0.2.0' \
  'httpx==0.28.1' 'httpcore==1.0.9' 'aiohttp==3.14.5' 'openai==3.57.0' 'httpx2==2.16.2' \
  'httpcore2==2.16.2' 'anyio==4.16.0' 'h11==0.16.0'
cat >"$work/program.py" <<'PY'
import asyncio
import http.server
import socket
import struct
import threading
import time

import httpx
import httpx_aiohttp
import openai

posts = []


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        posts.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.close_connection = True
        if "reset" in self.path:
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.connection.close()

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "10000000")
        self.end_headers()
        self.wfile.write(bytes(10_000_000))

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
server.handle_error = lambda *_: None  # Connections that were closed here.
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"
unused = socket.socket()
unused.bind(("127.0.0.1", 0))  # Nobody listens there.
nobody = f"http://127.0.0.1:{unused.getsockname()[1]}"
ONE = httpx.Limits(max_connections=1)


async def post(client, where):
    async with client:
        await client.post(where, content=b"x")


async def ask(client, where):
    async with client:
        await client.chat.completions.create(model="m", messages=[])


async def second(client, where):
    async with client, client.stream("GET", where):
        await client.get(where)


def error_of(ask, client, where):
    posts.clear()
    start = time.monotonic()
    try:
        asyncio.run(ask(client, where))
    except Exception as error:
        soon = isinstance(error, openai.APITimeoutError) and time.monotonic() - start < 10
        return type(error).__name__ + " at once" * soon


def sdk(where, **options):
    return openai.AsyncOpenAI(base_url=where, api_key="a key", max_retries=0, timeout=30, **options)


for name, where in (
    ("not answered", url),
    ("reset", url + "/reset"),
    ("refused", nobody),
):
    plain = error_of(post, httpx.AsyncClient(timeout=30), where)
    counts = [len(posts)]
    other = error_of(post, httpx_aiohttp.HttpxAiohttpClient(timeout=30), where)
    counts.append(len(posts))
    print(f"{name}: httpx {plain}, on aiohttp {other}, {counts[0]} POST each")
    plain = error_of(ask, sdk(where), where)
    counts.append(len(posts))
    other = error_of(ask, sdk(where, http_client=openai.DefaultAioHttpClient()), where)
    counts.append(len(posts))
    assert len(set(counts)) == 1, counts
    print(f"{name}, openai: {plain}, on aiohttp {other}, {counts[0]} POST each")
plain = error_of(second, httpx.AsyncClient(timeout=2, limits=ONE), url)
other = error_of(second, httpx_aiohttp.HttpxAiohttpClient(timeout=2, limits=ONE), url)
print(f"full pool: httpx {plain}, on aiohttp {other}")
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
not answered: httpx RemoteProtocolError, on aiohttp ConnectTimeout, 1 POST each
not answered, openai: APIConnectionError, on aiohttp APITimeoutError at once, 1 POST each
reset: httpx ReadError, on aiohttp ConnectTimeout, 1 POST each
reset, openai: APIConnectionError, on aiohttp APITimeoutError at once, 1 POST each
refused: httpx ConnectError, on aiohttp ConnectTimeout, 0 POST each
refused, openai: APIConnectionError, on aiohttp APITimeoutError at once, 0 POST each
full pool: httpx PoolTimeout, on aiohttp ConnectTimeout
TXT
