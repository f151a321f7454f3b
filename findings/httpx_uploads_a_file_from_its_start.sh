#!/usr/bin/env bash
# `files=` of httpx uploads a file from its start, also the part that the program has read
# already.
#
# A program has read the first line of a file, and uploads the rest. requests, urllib3,
# urllib.request and aiohttp send what is left, in a form too. `files=` of httpx and httpx2
# goes back and sends the whole file; `content=` of httpx announces the length of the whole,
# sends the rest, and raises LocalProtocolError.
#
# Versions: httpx 0.28.1, httpx2 2.16.2, requests 2.34.2, urllib3 2.8.0, aiohttp 3.14.5,
# CPython 3.11.
#
# Seen ("header\n" was read, "rest\n" is left):
#   requests, data: 'rest\n'
#   requests, files: 'rest\n'
#   urllib3: 'rest\n'
#   urlopen: 'rest\n'
#   aiohttp, data: 'rest\n'
#   aiohttp, form: 'rest\n'
#   httpx, content: LocalProtocolError
#   httpx, files: 'header\nrest\n'
#   httpx2, content: 'rest\n'
#   httpx2, files: 'header\nrest\n'
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'requests==2.34.2' \
  'urllib3==2.8.0' 'httpx==0.28.1' 'httpx2==2.16.2' 'aiohttp==3.14.5' 'anyio==4.16.0' \
  'h11==0.16.0' 'httpcore==1.0.9' 'httpcore2==2.16.2'
cat >"$work/program.py" <<'PY'
import asyncio
import http.server
import pathlib
import sys
import threading
from urllib.request import Request, urlopen

import aiohttp
import httpx
import httpx2
import requests
import urllib3

came = []


class Store(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_PUT(self):
        if "Content-Length" in self.headers:
            body = self.rfile.read(int(self.headers["Content-Length"]))
        else:
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        if body.startswith(b"--"):  # A form of one part.
            body = body.partition(b"\r\n\r\n")[2].partition(b"\r\n--")[0]
        came.append(body.decode())
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Store)
server.daemon_threads = True
server.handle_error = lambda *_: None  # Connections that are dropped.
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"
path = pathlib.Path(sys.argv[1])
path.write_bytes(b"header\nrest\n")


async def by_aiohttp(data):
    async with aiohttp.ClientSession() as session, session.put(url, data=data) as response:
        await response.read()


for name, put in (
    ("requests, data", lambda file: requests.put(url, data=file)),
    ("requests, files", lambda file: requests.put(url, files={"f": file})),
    ("urllib3", lambda file: urllib3.request("PUT", url, body=file)),
    ("urlopen", lambda file: urlopen(Request(url, file, method="PUT"))),
    ("aiohttp, data", lambda file: asyncio.run(by_aiohttp(file))),
    ("aiohttp, form", lambda file: asyncio.run(by_aiohttp({"f": file}))),
    ("httpx, content", lambda file: httpx.put(url, content=file)),
    ("httpx, files", lambda file: httpx.put(url, files={"f": file})),
    ("httpx2, content", lambda file: httpx2.put(url, content=file)),
    ("httpx2, files", lambda file: httpx2.put(url, files={"f": file})),
):
    with path.open("rb") as file:
        file.readline()
        try:
            put(file)
        except Exception as error:
            print(f"{name}: {type(error).__name__}")
        else:
            print(f"{name}: {came[-1]!r}")
PY
"$work/venv/bin/python" "$work/program.py" "$work/file" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
requests, data: 'rest\n'
requests, files: 'rest\n'
urllib3: 'rest\n'
urlopen: 'rest\n'
aiohttp, data: 'rest\n'
aiohttp, form: 'rest\n'
httpx, content: LocalProtocolError
httpx, files: 'header\nrest\n'
httpx2, content: 'rest\n'
httpx2, files: 'header\nrest\n'
TXT
