#!/usr/bin/env bash
# A gzip stream without its end is whole to requests, urllib3, httpx and aiohttp; and of two
# members httpx gives the first alone.
#
# A proxy compresses what a server sends, the server breaks off, and the proxy ends its
# answer in good order: the gzip stream has no end, but the HTTP body has. Python's `gzip`
# raises EOFError; each client gives what came as if it were all. And of a body of two gzip
# members (files of logs joined end to end), whole and valid, httpx and httpx2 give the
# first only.
#
# Versions: requests 2.34.2, urllib3 2.8.0, httpx 0.28.1, httpx2 2.16.2, aiohttp 3.14.5,
# CPython 3.11.
#
# Seen (of 208890 bytes):
#   gzip.decompress: cut EOFError, two members 208890
#   urllib3: cut 100000, two members 208890
#   requests: cut 100000, two members 208890
#   httpx: cut 100000, two members 100000
#   httpx2: cut 100000, two members 100000
#   aiohttp: cut 100000, two members 208890
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'requests==2.34.2' \
  'urllib3==2.8.0' 'httpx==0.28.1' 'httpx2==2.16.2' 'aiohttp==3.14.5' 'anyio==4.16.0' \
  'h11==0.16.0' 'httpcore==1.0.9' 'httpcore2==2.16.2'
cat >"$work/program.py" <<'PY'
import asyncio
import gzip
import http.server
import threading
import zlib

import aiohttp
import httpx
import httpx2
import requests
import urllib3

WHOLE = b"".join(b"line %d\n" % number for number in range(20_000))
HALF = WHOLE[:100_000]
compressor = zlib.compressobj(wbits=31)
BODIES = {
    # What a proxy has sent when its server breaks off.
    "/cut": compressor.compress(HALF) + compressor.flush(zlib.Z_SYNC_FLUSH),
    "/two": gzip.compress(HALF) + gzip.compress(WHOLE[100_000:]),
}


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = BODIES[self.path]
        self.send_response(200)
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"


async def of_a_task(path):
    async with aiohttp.ClientSession() as session, session.get(url + path) as response:
        return await response.read()


def result(fetch, path):
    try:
        return len(fetch(path))
    except Exception as error:
        return type(error).__name__


print("bytes:", len(WHOLE))
for name, fetch in {
    "gzip.decompress": lambda path: gzip.decompress(BODIES[path]),
    "urllib3": lambda path: urllib3.request("GET", url + path).data,
    "requests": lambda path: requests.get(url + path).content,
    "httpx": lambda path: httpx.get(url + path).content,
    "httpx2": lambda path: httpx2.get(url + path).content,
    "aiohttp": lambda path: asyncio.run(of_a_task(path)),
}.items():
    print(f"{name}: cut {result(fetch, '/cut')}, two members {result(fetch, '/two')}")
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
bytes: 208890
gzip.decompress: cut EOFError, two members 208890
urllib3: cut 100000, two members 208890
requests: cut 100000, two members 208890
httpx: cut 100000, two members 100000
httpx2: cut 100000, two members 100000
aiohttp: cut 100000, two members 208890
TXT
