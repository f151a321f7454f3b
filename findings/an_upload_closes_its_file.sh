#!/usr/bin/env bash
# aiohttp and boto3's `upload_fileobj` close the file that they are given, so that a second
# try with it fails.
#
# A program uploads a file that it has opened. aiohttp closes it, alone or in a form, and so
# does boto3's `upload_fileobj`; the others, boto3's `put_object` included, leave it open.
# So a second try with the same file, as aiohttp-retry makes one after a 503, ends with "I/O
# operation on closed file", and the refusal is not told.
#
# Versions: aiohttp 3.14.5, aiohttp-retry 2.9.1, boto3 1.44.8, requests 2.34.2, urllib3
# 2.8.0, httpx 0.28.1, CPython 3.11.
#
# Seen:
#   requests, data: open
#   requests, files: open
#   urllib3: open
#   httpx, files: open
#   boto3, put_object: open
#   boto3, upload_fileobj: closed
#   aiohttp, data: closed
#   aiohttp, form: closed
#   aiohttp-retry after a 503: 1 request(s), ValueError: I/O operation on closed file
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'requests==2.34.2' \
  'urllib3==2.8.0' 'httpx==0.28.1' 'aiohttp==3.14.5' 'aiohttp-retry==2.9.1' \
  'boto3==1.44.8' 'botocore==1.44.8' 's3transfer==0.19.3' 'anyio==4.16.0' 'h11==0.16.0' \
  'httpcore==1.0.9'
cat >"$work/program.py" <<'PY'
import asyncio
import http.server
import sys
import threading

import aiohttp
import aiohttp_retry
import boto3
import httpx
import requests
import urllib3

asked, refuse = [], []


class Store(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_PUT(self):
        if "Content-Length" in self.headers:
            self.rfile.read(int(self.headers["Content-Length"]))
        else:
            while size := int(self.rfile.readline().split(b";")[0], 16):
                self.rfile.read(size + 2)
            while self.rfile.readline().strip():
                pass
        asked.append(self.path)
        self.send_response(refuse.pop() if refuse else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Store)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"
store = boto3.client(
    "s3",
    endpoint_url=url,
    region_name="us-east-1",
    aws_access_key_id="an id",
    aws_secret_access_key="a key",
)
with open(sys.argv[1], "wb") as made:
    made.write(b"x" * 1000)


async def by_aiohttp(data):
    async with aiohttp.ClientSession() as session, session.put(url, data=data) as response:
        await response.read()


async def again(data):
    options = aiohttp_retry.ListRetry([0.01] * 3, statuses={503})
    async with aiohttp_retry.RetryClient(retry_options=options) as client:
        async with client.put(url, data=data) as response:
            return response.status


for name, put in (
    ("requests, data", lambda file: requests.put(url, data=file)),
    ("requests, files", lambda file: requests.put(url, files={"f": file})),
    ("urllib3", lambda file: urllib3.request("PUT", url, body=file)),
    ("httpx, files", lambda file: httpx.put(url, files={"f": file})),
    ("boto3, put_object", lambda file: store.put_object(Bucket="b", Key="k", Body=file)),
    ("boto3, upload_fileobj", lambda file: store.upload_fileobj(file, "b", "k")),
    ("aiohttp, data", lambda file: asyncio.run(by_aiohttp(file))),
    ("aiohttp, form", lambda file: asyncio.run(by_aiohttp({"f": file}))),
):
    with open(sys.argv[1], "rb") as file:
        put(file)
        print(f"{name}: {'closed' if file.closed else 'open'}")
asked.clear()
refuse.append(503)
with open(sys.argv[1], "rb") as file:
    try:
        outcome = asyncio.run(again(file))
    except ValueError as error:
        outcome = f"ValueError: {error}"
print(f"aiohttp-retry after a 503: {len(asked)} request(s), {outcome}")
PY
"$work/venv/bin/python" "$work/program.py" "$work/file" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
requests, data: open
requests, files: open
urllib3: open
httpx, files: open
boto3, put_object: open
boto3, upload_fileobj: closed
aiohttp, data: closed
aiohttp, form: closed
aiohttp-retry after a 503: 1 request(s), ValueError: I/O operation on closed file
TXT
