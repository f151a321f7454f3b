#!/usr/bin/env bash
# httpx closes what is left after its last byte; urllib3 needs one more read of a chunked
# body.
#
# A program reads as many bytes as the body has, and goes. With a Content-Length, urllib3's
# `read(n)` has given the connection back by then; httpx's iteration, left after the last
# byte, closes it. Of a chunked body the end is another read: urllib3 keeps the connection
# until then.
#
# Versions: httpx 0.28.1, urllib3 2.8.0, aiohttp 3.14.5, CPython 3.11.
#
# Seen:
#   urllib3 /fixed: 2 requests, 1 connection(s)
#   httpx /fixed: 2 requests, 2 connection(s)
#   aiohttp /fixed: 2 requests, 1 connection(s)
#   urllib3 /chunked: 2 requests, 2 connection(s)
#   httpx /chunked: 2 requests, 2 connection(s)
#   aiohttp /chunked: 2 requests, 1 connection(s)
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'urllib3==2.8.0' \
  'httpx==0.28.1' 'httpcore==1.0.9' 'aiohttp==3.14.5' 'anyio==4.16.0' 'h11==0.16.0'
cat >"$work/program.py" <<'PY'
import asyncio
import gc
import http.server
import threading

import aiohttp
import httpx
import urllib3

SIZE = 1000
connections = set()


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        connections.add(self.client_address)
        self.send_response(200)
        if self.path == "/chunked":
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (SIZE, b"x" * SIZE))
        else:
            self.send_header("Content-Length", str(SIZE))
            self.end_headers()
            self.wfile.write(b"x" * SIZE)

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
server.handle_error = lambda *_: None  # Connections that are dropped.
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"


def by_urllib3(path):
    pool = urllib3.PoolManager()
    for _ in range(2):
        response = pool.request("GET", url + path, preload_content=False)
        assert len(response.read(SIZE)) == SIZE
        del response


def by_httpx(path):
    client = httpx.Client()
    for _ in range(2):
        response = client.send(client.build_request("GET", url + path), stream=True)
        for chunk in response.iter_bytes(SIZE):
            assert len(chunk) == SIZE
            break
        del response
        gc.collect()


async def by_aiohttp(path):
    async with aiohttp.ClientSession() as session:
        for _ in range(2):
            response = await session.get(url + path)
            assert len(await response.content.readexactly(SIZE)) == SIZE
            del response
            await asyncio.sleep(0.2)


for path in ("/fixed", "/chunked"):
    for name, fetch in (
        ("urllib3", by_urllib3),
        ("httpx", by_httpx),
        ("aiohttp", lambda path: asyncio.run(by_aiohttp(path))),
    ):
        connections.clear()
        fetch(path)
        print(f"{name} {path}: 2 requests, {len(connections)} connection(s)")
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
urllib3 /fixed: 2 requests, 1 connection(s)
httpx /fixed: 2 requests, 2 connection(s)
aiohttp /fixed: 2 requests, 1 connection(s)
urllib3 /chunked: 2 requests, 2 connection(s)
httpx /chunked: 2 requests, 2 connection(s)
aiohttp /chunked: 2 requests, 1 connection(s)
TXT
