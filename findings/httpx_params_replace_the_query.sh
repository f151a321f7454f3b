#!/usr/bin/env bash
# `params=` of httpx takes the place of a URL's query: a client with a key asks for the
# first page for ever.
#
# `params=`, of a call or of the client, takes the place of the query that the URL has. A
# client that adds a key to each request so asks for the first page again and again, where
# it follows the link to the next, and loops without end if it does so until there is none.
# `params={}` alone takes the query away. requests 2.34.2 and aiohttp 3.14.5 add to it.
#
# Versions: httpx 0.28.1 and httpx2 2.16.2, CPython 3.11.
#
# Seen (each is given `/items?cursor=2`):
#   requests, of the session: /items?cursor=2&key=k, then /items?cursor=3&key=k
#   aiohttp, of the call: /items?cursor=2&key=k, then /items?cursor=3&key=k
#   httpx, of the client: /items?key=k, then /items?key=k
#   httpx, of the call: /items?key=k, then /items?key=k
#   httpx, params={}: /items, then /items
#   httpx2: as httpx
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'requests==2.34.2' \
  'httpx==0.28.1' 'httpx2==2.16.2' 'aiohttp==3.14.5' 'urllib3==2.8.0'
cat >"$work/program.py" <<'PY'
import asyncio
import http.server
import threading

import aiohttp
import httpx
import httpx2
import requests

asked = []


class Pages(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        asked.append(self.path)
        page = 3 if "cursor=2" in self.path else 2  # Of the first page, the next is the second.
        self.send_response(200)
        self.send_header("Link", f'<{url}/items?cursor={page}>; rel="next"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"
START = url + "/items?cursor=2"
KEY = {"key": "k"}


def two_pages(get):
    get(str(get(START).links["next"]["url"]))


def of_requests():
    session = requests.Session()
    session.params = KEY
    two_pages(session.get)


async def of_aiohttp():
    async with aiohttp.ClientSession() as session:
        async with session.get(START, params=KEY) as page:
            following = page.links["next"]["url"]
        async with session.get(following, params=KEY):
            pass


programs = {
    "requests, of the session": of_requests,
    "aiohttp, of the call": lambda: asyncio.run(of_aiohttp()),
}
for package in (httpx, httpx2):
    name, plain = package.__name__, package.Client()
    programs[f"{name}, of the client"] = lambda c=package.Client(params=KEY): two_pages(c.get)
    programs[f"{name}, of the call"] = lambda c=plain: two_pages(lambda u: c.get(u, params=KEY))
    programs[f"{name}, params={{}}"] = lambda c=plain: two_pages(lambda u: c.get(u, params={}))
for name, program in programs.items():
    asked.clear()
    program()
    print(f"{name}: {', then '.join(asked)}")
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
requests, of the session: /items?cursor=2&key=k, then /items?cursor=3&key=k
aiohttp, of the call: /items?cursor=2&key=k, then /items?cursor=3&key=k
httpx, of the client: /items?key=k, then /items?key=k
httpx, of the call: /items?key=k, then /items?key=k
httpx, params={}: /items, then /items
httpx2, of the client: /items?key=k, then /items?key=k
httpx2, of the call: /items?key=k, then /items?key=k
httpx2, params={}: /items, then /items
TXT
