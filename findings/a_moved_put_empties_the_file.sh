#!/usr/bin/env bash
# A PUT that has moved (301) is sent there without its body by requests; after a 302,
# requests and httpx make a GET of it, and of a DELETE.
#
# A server answers 301 or 302, and the resource is at another path. requests sends a PUT
# there after a 301, without its body: the answer is 200, and what was there is empty now.
# After a 302, requests and httpx (which is told to follow redirects) ask by GET, for a
# DELETE too: the answer is 200, and nothing was written or deleted. urllib3 sends each
# again as it was, a POST too; aiohttp all but POST. After a 307 each keeps method and body.
#
# Versions: requests 2.34.2, urllib3 2.8.0, httpx 0.28.1, aiohttp 3.14.5, CPython 3.11.7.
#
# Seen (what comes to the new place: method and bytes of five):
#   301, requests: PUT 0, DELETE 0, GET 0
#   301, urllib3: PUT 5, DELETE 5, POST 5
#   301, httpx: PUT 5, DELETE 5, GET 0
#   301, aiohttp: PUT 5, DELETE 5, GET 0
#   302, requests: GET 0, GET 0, GET 0
#   302, urllib3: PUT 5, DELETE 5, POST 5
#   302, httpx: GET 0, GET 0, GET 0
#   302, aiohttp: PUT 5, DELETE 5, GET 0
#   307, requests: PUT 5, DELETE 5, POST 5
#   307, urllib3: PUT 5, DELETE 5, POST 5
#   307, httpx: PUT 5, DELETE 5, POST 5
#   307, aiohttp: PUT 5, DELETE 5, POST 5
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'requests==2.34.2' \
  'urllib3==2.8.0' 'httpx==0.28.1' 'httpcore==1.0.9' 'anyio==4.16.0' 'h11==0.16.0' \
  'aiohttp==3.14.5'
cat >"$work/program.py" <<'PY'
import asyncio
import http.server
import threading

import aiohttp
import httpx
import requests
import urllib3

came = []


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        size = len(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        moved = self.path != "/new/"
        if not moved:
            came.append(f"{self.command} {size}")
        self.send_response(int(self.path[1:]) if moved else 200)
        if moved:
            self.send_header("Location", "/new/")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_PUT = do_DELETE = do_POST = do_GET

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
server.handle_error = lambda *_: None  # Connections that are closed.
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"


def by_aiohttp(method, url):
    async def main():
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, url, data=b"bytes") as response,
        ):
            return response

    assert asyncio.run(main()).status == 200


def by_httpx(method, url):
    response = httpx.request(method, url, content=b"bytes", follow_redirects=True)
    assert response.status_code == 200


def by_requests(method, url):
    assert requests.request(method, url, data=b"bytes").status_code == 200


def by_urllib3(method, url):
    assert urllib3.request(method, url, body=b"bytes").status == 200


for status in (301, 302, 307):
    for name, ask in (
        ("requests", by_requests),
        ("urllib3", by_urllib3),
        ("httpx", by_httpx),
        ("aiohttp", by_aiohttp),
    ):
        came.clear()
        for method in ("PUT", "DELETE", "POST"):
            ask(method, f"{url}/{status}")
        print(f"{status}, {name}: {', '.join(came)}")
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
301, requests: PUT 0, DELETE 0, GET 0
301, urllib3: PUT 5, DELETE 5, POST 5
301, httpx: PUT 5, DELETE 5, GET 0
301, aiohttp: PUT 5, DELETE 5, GET 0
302, requests: GET 0, GET 0, GET 0
302, urllib3: PUT 5, DELETE 5, POST 5
302, httpx: GET 0, GET 0, GET 0
302, aiohttp: PUT 5, DELETE 5, GET 0
307, requests: PUT 5, DELETE 5, POST 5
307, urllib3: PUT 5, DELETE 5, POST 5
307, httpx: PUT 5, DELETE 5, POST 5
307, aiohttp: PUT 5, DELETE 5, POST 5
TXT
