#!/usr/bin/env bash
# requests sends a file with its length, and an empty one in chunks, which stores refuse;
# urllib3 sends each in chunks.
#
# requests sends a file with its Content-Length, but an empty one, or one that was read to
# its end, in chunks. A server that takes none, as object stores do, so refuses the empty
# files of many and stores all others. urllib3, httplib2 and http.client send each file in
# chunks. httpx 0.28.1, httpx2 2.16.2 and aiohttp 3.14.5 give a length of 0.
#
# Versions: requests 2.34.2, urllib3 2.8.0, httplib2 0.32.1, http.client of CPython 3.11.
#
# Seen (of a server that answers 501 to chunks, as S3 does):
#   requests: with 3 bytes 200, empty 501, read up 501
#   urllib3: with 3 bytes 501, empty 501, read up 501
#   httplib2: with 3 bytes 501, empty 501, read up 501
#   http.client: with 3 bytes 501, empty 501, read up 501
#   httpx: with 3 bytes 200, empty 200, read up LocalProtocolError
#   httpx2: with 3 bytes 200, empty 200, read up 200
#   aiohttp: with 3 bytes 200, empty 200, read up 200
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'requests==2.34.2' \
  'urllib3==2.8.0' 'httplib2==0.32.1' 'httpx==0.28.1' 'httpx2==2.16.2' 'aiohttp==3.14.5' \
  'anyio==4.16.0' 'h11==0.16.0' 'httpcore==1.0.9' 'httpcore2==2.16.2'
cat >"$work/program.py" <<'PY'
import asyncio
import http.client
import http.server
import sys
import threading

import aiohttp
import httplib2
import httpx
import httpx2
import requests
import urllib3


class Store(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_PUT(self):
        if self.headers.get("Transfer-Encoding"):
            while size := int(self.rfile.readline(), 16):
                self.rfile.read(size + 2)
            self.rfile.readline()
            self.send_response(501)
        else:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Store)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
host = f"127.0.0.1:{server.server_port}"
url = f"http://{host}/"
for name, content in {"full": b"abc", "empty": b""}.items():
    with open(f"{sys.argv[1]}/{name}", "wb") as file:
        file.write(content)


def of_http_client(file):
    connection = http.client.HTTPConnection(host)
    connection.request("PUT", "/", body=file)
    return connection.getresponse().status


async def of_aiohttp(file):
    async with aiohttp.ClientSession() as session, session.put(url, data=file) as response:
        return response.status


def outcome(put, name, *, read=False):
    with open(f"{sys.argv[1]}/{name}", "rb") as file:
        if read:
            file.read()
        try:
            return put(file)
        except Exception as error:
            return type(error).__name__


for name, put in {
    "requests": lambda file: requests.put(url, data=file).status_code,
    "urllib3": lambda file: urllib3.request("PUT", url, body=file).status,
    "httplib2": lambda file: httplib2.Http().request(url, "PUT", body=file)[0].status,
    "http.client": of_http_client,
    "httpx": lambda file: httpx.put(url, content=file).status_code,
    "httpx2": lambda file: httpx2.put(url, content=file).status_code,
    "aiohttp": lambda file: asyncio.run(of_aiohttp(file)),
}.items():
    full, empty = outcome(put, "full"), outcome(put, "empty")
    print(f"{name}: with 3 bytes {full}, empty {empty}, read up {outcome(put, 'full', read=True)}")
PY
"$work/venv/bin/python" "$work/program.py" "$work" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
requests: with 3 bytes 200, empty 501, read up 501
urllib3: with 3 bytes 501, empty 501, read up 501
httplib2: with 3 bytes 501, empty 501, read up 501
http.client: with 3 bytes 501, empty 501, read up 501
httpx: with 3 bytes 200, empty 200, read up LocalProtocolError
httpx2: with 3 bytes 200, empty 200, read up 200
aiohttp: with 3 bytes 200, empty 200, read up 200
TXT
