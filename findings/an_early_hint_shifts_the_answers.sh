#!/usr/bin/env bash
# http.client of CPython 3.11 (3.10, 3.12 and 3.13 alike), requests 2.34.2 with urllib3
# 2.8.0: a server sends "103 Early Hints" first, as RFC 8297 has it (102 Processing of
# WebDAV does the same), and its answer when it is ready. To http.client only 100 is not
# the answer: the 103 is, with an empty body, and `ok` is true. The connection counts as
# free, so the real answer is taken for that of the next request on it.
# httpx 0.28.1 and aiohttp 3.14.5 wait for the answer.
#
# Seen:
#   http.client: 103 '', 200 'of /first'
#   requests: 103 '', 200 'of /first'
#   httpx: 200 'of /first', 200 'of /second'
#   aiohttp: 200 'of /first', 200 'of /second'
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -q --disable-pip-version-check 'requests==2.34.2' \
  'urllib3==2.8.0' 'httpx==0.28.1' 'aiohttp==3.14.5' 2>/dev/null
cat >"$work/program.py" <<'PY'
import asyncio
import http.client
import http.server
import select
import threading

import aiohttp
import httpx
import requests

PATHS = "/first", "/second"


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/first":
            self.send_response_only(103)
            self.send_header("Link", "</style.css>; rel=preload")
            self.end_headers()
            # It works at the answer for half a second, or until the client goes on.
            select.select([self.connection], [], [], 0.5)
        body = f"of {self.path}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"


def by_hand():
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=9)
    for path in PATHS:
        connection.request("GET", path)
        response = connection.getresponse()
        yield response.status, response.read().decode()


def by(session):
    for path in PATHS:
        response = session.get(url + path, timeout=9)
        yield response.status_code, response.text


async def by_tasks():
    async with aiohttp.ClientSession() as session:
        for path in PATHS:
            async with session.get(url + path) as response:
                yield response.status, await response.text()


async def all_of(answers):
    return [answer async for answer in answers]


for name, answers in {
    "http.client": by_hand(),
    "requests": by(requests.Session()),
    "httpx": by(httpx.Client()),
    "aiohttp": asyncio.run(all_of(by_tasks())),
}.items():
    print(f"{name}:", ", ".join(f"{status} {text!r}" for status, text in answers))
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
http.client: 103 '', 200 'of /first'
requests: 103 '', 200 'of /first'
httpx: 200 'of /first', 200 'of /second'
aiohttp: 200 'of /first', 200 'of /second'
TXT
