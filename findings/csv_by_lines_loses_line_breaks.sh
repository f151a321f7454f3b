#!/usr/bin/env bash
# `csv.reader` over `iter_lines()` of requests or httpx loses the line breaks in fields.
#
# A CSV file has a field of two lines, in quotes as RFC 4180 has it. `iter_lines()` of
# requests and httpx gives lines without their ends, so `csv.reader(response.iter_lines())`
# glues the two together, and nothing is raised. The lines of aiohttp, urllib3 and
# urllib.request keep their ends.
#
# Versions: requests 2.34.2, httpx 0.28.1, aiohttp 3.14.5, CPython 3.11.
#
# Seen (the field "two\r\nlines"):
#   requests, iter_lines: 'twolines'
#   httpx, iter_lines: 'twolines'
#   requests, raw: 'two\r\nlines'
#   aiohttp, content: 'two\r\nlines'
#   urllib3: 'two\r\nlines'
#   urlopen: 'two\r\nlines'
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'requests==2.34.2' \
  'urllib3==2.8.0' 'httpx==0.28.1' 'aiohttp==3.14.5' 'anyio==4.16.0' 'h11==0.16.0' \
  'httpcore==1.0.9'
cat >"$work/program.py" <<'PY'
import asyncio
import csv
import http.server
import threading
from urllib.request import urlopen

import aiohttp
import httpx
import requests
import urllib3

TABLE = b'id,note\r\n1,"two\r\nlines"\r\n2,one\r\n'


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/csv; charset=utf-8")
        self.send_header("Content-Length", str(len(TABLE)))
        self.end_headers()
        self.wfile.write(TABLE)

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"


def by_requests():
    with requests.get(url, stream=True) as response:
        return list(csv.reader(response.iter_lines(decode_unicode=True)))


def by_httpx():
    with httpx.stream("GET", url, trust_env=False) as response:
        return list(csv.reader(response.iter_lines()))


def by_raw():
    with requests.get(url, stream=True) as response:
        return list(csv.reader(line.decode() for line in response.raw))


async def by_aiohttp():
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return list(csv.reader([line.decode() async for line in response.content]))


def by_urllib3():
    with urllib3.request("GET", url, preload_content=False) as response:
        return list(csv.reader(line.decode() for line in response))


def by_urlopen():
    with urlopen(url) as response:
        return list(csv.reader(line.decode() for line in response))


for name, table in (
    ("requests, iter_lines", by_requests()),
    ("httpx, iter_lines", by_httpx()),
    ("requests, raw", by_raw()),
    ("aiohttp, content", asyncio.run(by_aiohttp())),
    ("urllib3", by_urllib3()),
    ("urlopen", by_urlopen()),
):
    assert len(table) == 3
    print(f"{name}: {table[1][1]!r}")
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
requests, iter_lines: 'twolines'
httpx, iter_lines: 'twolines'
requests, raw: 'two\r\nlines'
aiohttp, content: 'two\r\nlines'
urllib3: 'two\r\nlines'
urlopen: 'two\r\nlines'
TXT
