#!/usr/bin/env bash
# `iter_lines()` of requests, and sseclient-py, hand on an event at once where it comes in
# chunks, and late where a proxy has taken the chunks away; ijson always waits.
#
# Events that a server sends in chunks come out of `iter_lines()`, `iter_content()` and
# sseclient-py 1.9.0 at once. Of a body without chunks, as a proxy with HTTP/1.0 makes it,
# which ends with its connection or has a length, they wait until 512 bytes are there (a
# chunk as large as asked for, or with `chunk_size=None` all of it): the first event comes
# with the last, and of a quiet stream it looks like a hang. `chunk_size=1` and
# `raw.read1()` do not wait, nor do httpx 0.28.1 and aiohttp 3.14.5. ijson 3.6.0 waits for
# 64 KiB of a file in chunks too, so that an endless array of small items yields none; fed
# by `httpx`'s `iter_bytes()` it does not wait.
#
# Versions: requests 2.34.2 on urllib3 2.8.0, CPython 3.11.
#
# Seen (whether the first event came before the second was sent: chunks, length, neither):
#   requests, iter_lines(): yes, no, no
#   requests, iter_lines(chunk_size=1): yes, yes, yes
#   requests, iter_content(None): yes, no, no
#   requests, raw.read1(): yes, yes, yes
#   sseclient-py on requests: yes, no, no
#   urllib3, stream(): yes, no, no
#   urllib3, lines: yes, no, no
#   httpx, iter_lines(): yes, yes, yes
#   aiohttp, lines: yes, yes, yes
#   urllib.request, lines: yes, yes, yes
#   ijson, a response of urllib.request: no, no, no
#   ijson, from httpx's iter_bytes(): yes, yes, yes
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'requests==2.34.2' \
  'urllib3==2.8.0' 'httpx==0.28.1' 'aiohttp==3.14.5' 'sseclient-py==1.9.0' 'ijson==3.6.0' \
  'anyio==4.16.0' 'h11==0.16.0' 'httpcore==1.0.9'
cat >"$work/program.py" <<'PY'
import asyncio
import http.server
import threading
import urllib.request

import aiohttp
import httpx
import ijson
import requests
import sseclient
import urllib3

EVENTS = (b"data: first\n\n", b"data: second\n\n")
ITEMS = (b'[{"id": 1},\n', b'{"id": 2}]')
HOW = ("chunks", "length", "neither")
came = threading.Event()  # The first event has come to the program.
in_time = []


class Events(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        how, _, kind = self.path.lstrip("/").partition("/")
        parts = ITEMS if kind == "items" else EVENTS
        self.send_response(200)
        if how == "chunks":
            self.send_header("Transfer-Encoding", "chunked")
        elif how == "length":
            self.send_header("Content-Length", str(sum(map(len, parts))))
        else:
            self.send_header("Connection", "close")
        self.end_headers()
        for part in parts:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(part), part) if how == "chunks" else part)
            if part is parts[0]:
                in_time.append(came.wait(1))
        if how == "chunks":
            self.wfile.write(b"0\r\n\r\n")
        self.close_connection = True

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Events)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/"


def take(parts):
    for _ in parts:
        came.set()


def by_requests(parts_of):
    return lambda address: take(parts_of(requests.get(address, stream=True)))


def by_urllib3(parts_of):
    return lambda address: take(
        parts_of(urllib3.PoolManager().request("GET", address, preload_content=False))
    )


def by_httpx(parts_of):
    def program(address):
        with httpx.stream("GET", address) as response:
            take(parts_of(response))

    return program


async def of_aiohttp(address):
    async with aiohttp.ClientSession() as session, session.get(address) as response:
        async for _ in response.content:
            came.set()


for name, program in {
    "requests, iter_lines()": by_requests(lambda response: response.iter_lines()),
    "requests, iter_lines(chunk_size=1)": by_requests(lambda r: r.iter_lines(chunk_size=1)),
    "requests, iter_content(None)": by_requests(lambda response: response.iter_content(None)),
    "requests, raw.read1()": by_requests(lambda response: iter(response.raw.read1, b"")),
    "sseclient-py on requests": by_requests(lambda r: sseclient.SSEClient(r).events()),
    "urllib3, stream()": by_urllib3(lambda response: response.stream()),
    "urllib3, lines": by_urllib3(iter),
    "httpx, iter_lines()": by_httpx(lambda response: response.iter_lines()),
    "aiohttp, lines": lambda address: asyncio.run(of_aiohttp(address)),
    "urllib.request, lines": lambda address: take(urllib.request.urlopen(address)),
    "ijson, a response of urllib.request": lambda address: take(
        ijson.items(urllib.request.urlopen(address + "/items"), "item")
    ),
    "ijson, from httpx's iter_bytes()": lambda address: by_httpx(
        lambda response: ijson.items(ijson.from_iter(response.iter_bytes()), "item")
    )(address + "/items"),
}.items():
    in_time.clear()
    for how in HOW:
        came.clear()
        program(url + how)
    print(f"{name}: {', '.join('yes' if yes else 'no' for yes in in_time)}")
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
requests, iter_lines(): yes, no, no
requests, iter_lines(chunk_size=1): yes, yes, yes
requests, iter_content(None): yes, no, no
requests, raw.read1(): yes, yes, yes
sseclient-py on requests: yes, no, no
urllib3, stream(): yes, no, no
urllib3, lines: yes, no, no
httpx, iter_lines(): yes, yes, yes
aiohttp, lines: yes, yes, yes
urllib.request, lines: yes, yes, yes
ijson, a response of urllib.request: no, no, no
ijson, from httpx's iter_bytes(): yes, yes, yes
TXT
