#!/usr/bin/env bash
# A long header field, or a long line, is a status 400 of aiohttp, which no server has sent;
# requests and httpx take it.
#
# An answer of 200 or 302 that has a header field of more than 8190 bytes (a redirect to a
# signed URL, say), or more than 128 of them, raises ClientResponseError with `status` 400:
# to what looks at the status, the request was wrong, and is not worth another try. A line
# of more than 512 KiB, by `async for line in response.content`, raises LineTooLong with
# `code` 400, which no `except aiohttp.ClientError` catches. `max_field_size`, `max_headers`
# and `read_bufsize` of the session make room. httpx 0.28.1 takes them all; requests 2.34.2
# takes 100 fields, and says that these are too many.
#
# Versions: aiohttp 3.14.5, CPython 3.11.
#
# Seen:
#   a large field: requests 200, httpx 200, aiohttp ClientResponseError 400, with room 200
#   a long redirect: requests 200, httpx 200, aiohttp ClientResponseError 400, with room 200
#   130 fields: requests ConnectionError, httpx 200, aiohttp ClientResponseError 400, with room 200
#   a long line: requests 200, httpx 200, aiohttp LineTooLong 400 (no ClientError), with room 200
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'requests==2.34.2' \
  'urllib3==2.8.0' 'httpx==0.28.1' 'aiohttp==3.14.5' 'anyio==4.16.0' 'h11==0.16.0' \
  'httpcore==1.0.9'
cat >"$work/program.py" <<'PY'
import asyncio
import http.server
import threading
import urllib.parse

import aiohttp
import httpx
import requests

LONG = "x" * 9000
ANSWERS = {
    "a large field": (200, {"Content-Security-Policy": LONG}, b""),
    "a long redirect": (302, {"Location": f"/?signature={LONG}"}, b""),
    "130 fields": (200, {f"X-{number}": "a value" for number in range(130)}, b""),
    "a long line": (200, {}, b"x" * 600_000 + b"\n"),
}
ROOM = {"max_field_size": 100_000, "max_headers": 1000, "read_bufsize": 2**20}


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        path = urllib.parse.unquote(self.path.lstrip("/"))
        status, fields, body = ANSWERS.get(path, (200, {}, b""))
        self.send_response(status)
        for name, value in {**fields, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
server.handle_error = lambda *_: None  # Connections that are dropped.
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/"


def of_requests(address):
    with requests.get(address, stream=True) as response:
        list(response.iter_lines())
        return response.status_code


def of_httpx(address):
    with httpx.stream("GET", address, follow_redirects=True) as response:
        list(response.iter_lines())
        return response.status_code


def of_aiohttp(address, **options):
    async def main():
        async with aiohttp.ClientSession(**options) as session, session.get(address) as response:
            async for _ in response.content:
                pass
            return response.status

    return asyncio.run(main())


def outcome(program, address, **options):
    try:
        return program(address, **options)
    except aiohttp.ClientResponseError as error:
        return f"{type(error).__name__} {error.status}"
    except (aiohttp.ClientError, requests.RequestException, httpx.HTTPError) as error:
        return type(error).__name__
    except Exception as error:
        return f"{type(error).__name__} {error.code} (no ClientError)"


for name in ANSWERS:
    address = url + urllib.parse.quote(name)
    print(
        f"{name}: requests {outcome(of_requests, address)}, httpx {outcome(of_httpx, address)},"
        f" aiohttp {outcome(of_aiohttp, address)},"
        f" with room {outcome(of_aiohttp, address, **ROOM)}"
    )
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
a large field: requests 200, httpx 200, aiohttp ClientResponseError 400, with room 200
a long redirect: requests 200, httpx 200, aiohttp ClientResponseError 400, with room 200
130 fields: requests ConnectionError, httpx 200, aiohttp ClientResponseError 400, with room 200
a long line: requests 200, httpx 200, aiohttp LineTooLong 400 (no ClientError), with room 200
TXT
