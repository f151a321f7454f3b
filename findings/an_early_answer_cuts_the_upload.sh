#!/usr/bin/env bash
# An upload of aiohttp, and of httpx on it, ends where the server begins to answer: the call
# says 202 or 200, and the server has a part.
#
# A server may answer before it has read all: 202 as soon as it takes an upload on, or the
# headers at once and a body when it is done. requests, urllib3 and httpx send the whole
# upload first, and then look. aiohttp hands out the answer as it comes, and where the
# body of that has ended, or the `async with` is left with the status alone, it cuts the
# upload off and closes the connection, in the middle of the program's generator, and raises
# nothing. A body that the server ends last, and the program reads, lets it finish.
#
# Versions: aiohttp 3.14.5, httpx-aiohttp 0.2.0, httpx 0.28.1, requests 2.34.2, urllib3
# 2.8.0, CPython 3.11.
#
# Seen (what a server that reads everything has; a half is sent a second after it answered):
#   requests: 202 at once: all; headers at once: all
#   urllib3: 202 at once: all; headers at once: all
#   httpx: 202 at once: all; headers at once: all
#   aiohttp, read: 202 at once: cut off; headers at once: all
#   aiohttp, status alone: 202 at once: cut off; headers at once: cut off
#   httpx-aiohttp, read: 202 at once: cut off; headers at once: all
#   httpx-aiohttp, status alone: 202 at once: cut off; headers at once: cut off
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'aiohttp==3.14.5' \
  'httpx-aiohttp==0.2.0' 'httpx==0.28.1' 'httpcore==1.0.9' 'requests==2.34.2' \
  'urllib3==2.8.0'
cat >"$work/program.py" <<'PY'
import asyncio
import http.server
import threading
import time

import aiohttp
import httpx
import httpx_aiohttp
import requests
import urllib3

PARTS = 20
came = []  # What came of the upload, once it is over.
answered = threading.Event()
over = threading.Event()


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        early = "accepted" in self.path
        self.send_response(202 if early else 200)
        if early:
            self.send_header("Content-Length", "0")
        else:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        answered.set()
        size, end = 0, b""
        try:
            while part := int(self.rfile.readline() or b"0", 16):
                size += len(self.rfile.read(part))
                self.rfile.readline()
            end = self.rfile.readline()
        except OSError:
            self.close_connection = True
        came[:] = [size, end == b"\r\n"]
        over.set()
        if not early:
            self.wfile.write(b"4\r\ndone\r\n0\r\n\r\n")

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
server.handle_error = lambda *_: None  # Connections that are dropped.
threading.Thread(target=server.serve_forever, daemon=True).start()


def parts():
    for number in range(PARTS):
        yield bytes(1000)
        if number == PARTS // 2:
            answered.wait(10)
            time.sleep(1)


async def parts_of_task():
    for number in range(PARTS):
        yield bytes(1000)
        if number == PARTS // 2:
            await asyncio.to_thread(answered.wait, 10)
            await asyncio.sleep(1)


def by_httpx(url):
    with httpx.stream("POST", url, content=parts()) as response:
        return response.status_code


async def by_aiohttp(url, read):
    async with aiohttp.ClientSession() as session:
        async with session.post(url, data=parts_of_task()) as response:
            if read:
                await response.read()
            return response.status


async def by_both(url, read):
    async with httpx_aiohttp.HttpxAiohttpClient() as client:
        async with client.stream("POST", url, content=parts_of_task()) as response:
            if read:
                await response.aread()
            return response.status_code


def told(ask, path):
    over.clear()
    answered.clear()
    status = ask(f"http://127.0.0.1:{server.server_port}/{path}")
    assert status == (202 if path == "accepted" else 200), status
    assert over.wait(10)
    size, ended = came
    assert ended == (size == PARTS * 1000), came
    return "all" if ended else "cut off"


for name, ask in (
    ("requests", lambda url: requests.post(url, data=parts(), stream=True).status_code),
    ("urllib3", lambda url: urllib3.request("POST", url, body=parts()).status),
    ("httpx", by_httpx),
    ("aiohttp, read", lambda url: asyncio.run(by_aiohttp(url, True))),
    ("aiohttp, status alone", lambda url: asyncio.run(by_aiohttp(url, False))),
    ("httpx-aiohttp, read", lambda url: asyncio.run(by_both(url, True))),
    ("httpx-aiohttp, status alone", lambda url: asyncio.run(by_both(url, False))),
):
    accepted, later = told(ask, "accepted"), told(ask, "later")
    print(f"{name}: 202 at once: {accepted}; headers at once: {later}")
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
requests: 202 at once: all; headers at once: all
urllib3: 202 at once: all; headers at once: all
httpx: 202 at once: all; headers at once: all
aiohttp, read: 202 at once: cut off; headers at once: all
aiohttp, status alone: 202 at once: cut off; headers at once: cut off
httpx-aiohttp, read: 202 at once: cut off; headers at once: all
httpx-aiohttp, status alone: 202 at once: cut off; headers at once: cut off
TXT
