#!/usr/bin/env bash
# A body that is encoded twice, or by `x-gzip`, is handed out compressed by aiohttp and
# httplib2, the second by httpx too, and nothing is raised.
#
# A body may be encoded twice, `Content-Encoding: deflate, gzip`, and its encoding written
# `x-gzip` or `GZIP`. What these do not know they hand out as it came, compressed, with
# status 200 and no error: aiohttp and httplib2 the body that is encoded twice, all four
# `x-gzip`, and httplib2 `GZIP`. requests 2.34.2 on urllib3 2.8.0 and curl_cffi 0.17.0
# decode each.
#
# Versions: aiohttp 3.14.5, httpx 0.28.1, httpx2 2.16.2, httplib2 0.32.1, CPython 3.11.
#
# Seen (decoded, or raw: as it came):
#   requests: gzip decoded, GZIP decoded, x-gzip decoded, deflate, gzip decoded
#   curl_cffi: gzip decoded, GZIP decoded, x-gzip decoded, deflate, gzip decoded
#   httpx: gzip decoded, GZIP decoded, x-gzip raw, deflate, gzip decoded
#   httpx2: gzip decoded, GZIP decoded, x-gzip raw, deflate, gzip decoded
#   aiohttp: gzip decoded, GZIP decoded, x-gzip raw, deflate, gzip raw
#   httplib2: gzip decoded, GZIP raw, x-gzip raw, deflate, gzip raw
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'requests==2.34.2' \
  'urllib3==2.8.0' 'httpx==0.28.1' 'httpx2==2.16.2' 'aiohttp==3.14.5' 'httplib2==0.32.1' \
  'curl_cffi==0.17.0' 'anyio==4.16.0' 'h11==0.16.0' 'httpcore==1.0.9' 'httpcore2==2.16.2'
cat >"$work/program.py" <<'PY'
import asyncio
import gzip
import http.server
import threading
import urllib.parse
import zlib

import aiohttp
import curl_cffi
import httplib2
import httpx
import httpx2
import requests

TEXT = b"a line\n" * 1000
ENCODINGS = {
    "gzip": gzip.compress(TEXT),
    "GZIP": gzip.compress(TEXT),
    "x-gzip": gzip.compress(TEXT),
    "deflate, gzip": gzip.compress(zlib.compress(TEXT)),
}


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        encoding = urllib.parse.unquote(self.path.lstrip("/"))
        body = ENCODINGS[encoding]
        self.send_response(200)
        self.send_header("Content-Encoding", encoding)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/"


async def of_aiohttp(address):
    async with aiohttp.ClientSession() as session, session.get(address) as response:
        return await response.read()


def outcome(get, encoding):
    body = get(url + urllib.parse.quote(encoding))
    return {TEXT: "decoded", ENCODINGS[encoding]: "raw"}[body]


for name, get in {
    "requests": lambda address: requests.get(address).content,
    "curl_cffi": lambda address: curl_cffi.get(address).content,
    "httpx": lambda address: httpx.get(address).content,
    "httpx2": lambda address: httpx2.get(address).content,
    "aiohttp": lambda address: asyncio.run(of_aiohttp(address)),
    "httplib2": lambda address: httplib2.Http().request(address)[1],
}.items():
    seen = (f"{encoding} {outcome(get, encoding)}" for encoding in ENCODINGS)
    print(f"{name}: {', '.join(seen)}")
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
requests: gzip decoded, GZIP decoded, x-gzip decoded, deflate, gzip decoded
curl_cffi: gzip decoded, GZIP decoded, x-gzip decoded, deflate, gzip decoded
httpx: gzip decoded, GZIP decoded, x-gzip raw, deflate, gzip decoded
httpx2: gzip decoded, GZIP decoded, x-gzip raw, deflate, gzip decoded
aiohttp: gzip decoded, GZIP decoded, x-gzip raw, deflate, gzip raw
httplib2: gzip decoded, GZIP raw, x-gzip raw, deflate, gzip raw
TXT
