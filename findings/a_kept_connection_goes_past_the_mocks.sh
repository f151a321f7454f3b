#!/usr/bin/env bash
# A connection that a client kept from before goes past mocket and httpretty: the
# request is sent to the real server, though real ones are forbidden.
#
# Both take the place of `socket`, and so mock connections that are made from then on. A
# client of the whole test run, or of the program's module, that has a connection in its
# pool sends the next request over it: a test with `strict_mode=True`, or
# `allow_net_connect=False`, has the real answer, and the real server has the request.
# vcrpy, pook, responses and respx, which stand in the clients, mock it.
#
# Versions: mocket 3.15.0, httpretty 1.1.4, vcrpy 9.4.2, pook 2.1.6, responses 0.26.3,
# respx 0.23.1, requests 2.34.2 with urllib3 2.8.0, httpx 0.28.1, CPython 3.11.
#
# Seen (what a client gets that is new, and one that was used before):
#   mocket, requests: new mocked, used real, 1 reached the server
#   mocket, httpx: new mocked, used real, 1 reached the server
#   httpretty, httpx: new mocked, used real, 1 reached the server
#   vcrpy, requests: new mocked, used mocked, 0 reached the server
#   vcrpy, httpx: new mocked, used mocked, 0 reached the server
#   pook, requests: new mocked, used mocked, 0 reached the server
#   pook, httpx: new mocked, used mocked, 0 reached the server
#   responses, requests: new mocked, used mocked, 0 reached the server
#   respx, httpx: new mocked, used mocked, 0 reached the server
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'mocket==3.15.0' \
  'httpretty==1.1.4' 'vcrpy==9.4.2' 'pook==2.1.6' 'responses==0.26.3' 'respx==0.23.1' \
  'requests==2.34.2' 'urllib3==2.8.0' 'httpx==0.28.1' 'httpcore==1.0.9' 'h11==0.16.0' \
  'anyio==4.16.0'
cat >"$work/program.py" <<'PY'
import contextlib
import http.server
import os
import tempfile
import threading

import httpretty
import httpx
import mocket
import pook
import requests
import responses
import respx
import vcr
from mocket.mockhttp import Entry

asked = []


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        asked.append(self.path)
        self.send_response(200)
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"real")

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/"
folder = tempfile.TemporaryDirectory()
cassette = os.path.join(folder.name, "cassette.yaml")
with open(cassette, "w") as file:
    file.write(
        f"""version: 1
interactions:
- request: {{body: null, headers: {{}}, method: GET, uri: '{url}'}}
  response:
    status: {{code: 200, message: OK}}
    headers: {{Content-Length: ['6']}}
    body: {{string: mocked}}
"""
    )


@contextlib.contextmanager
def by_mocket():
    with mocket.Mocketizer(strict_mode=True):
        Entry.single_register(Entry.GET, url, body="mocked")
        yield


@contextlib.contextmanager
def by_httpretty():
    with httpretty.enabled(allow_net_connect=False):
        httpretty.register_uri(httpretty.GET, url, body="mocked")
        yield


def by_vcrpy():
    return vcr.use_cassette(cassette, record_mode="none", allow_playback_repeats=True)


@contextlib.contextmanager
def by_pook():
    with pook.use():
        pook.get(url, reply=200, response_body="mocked")
        yield


@contextlib.contextmanager
def by_responses():
    with responses.mock:
        responses.get(url, body="mocked")
        yield


@contextlib.contextmanager
def by_respx():
    with respx.mock:
        respx.get(url).respond(text="mocked")
        yield


for name, mocked, client in (
    ("mocket, requests", by_mocket, requests.Session),
    ("mocket, httpx", by_mocket, httpx.Client),
    ("httpretty, httpx", by_httpretty, httpx.Client),
    ("vcrpy, requests", by_vcrpy, requests.Session),
    ("vcrpy, httpx", by_vcrpy, httpx.Client),
    ("pook, requests", by_pook, requests.Session),
    ("pook, httpx", by_pook, httpx.Client),
    ("responses, requests", by_responses, requests.Session),
    ("respx, httpx", by_respx, httpx.Client),
):
    with client() as new, client() as used:
        used.get(url)
        asked.clear()
        with mocked():
            first = new.get(url).text
        with mocked():
            second = used.get(url).text
    print(f"{name}: new {first}, used {second}, {len(asked)} reached the server")
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
mocket, requests: new mocked, used real, 1 reached the server
mocket, httpx: new mocked, used real, 1 reached the server
httpretty, httpx: new mocked, used real, 1 reached the server
vcrpy, requests: new mocked, used mocked, 0 reached the server
vcrpy, httpx: new mocked, used mocked, 0 reached the server
pook, requests: new mocked, used mocked, 0 reached the server
pook, httpx: new mocked, used mocked, 0 reached the server
responses, requests: new mocked, used mocked, 0 reached the server
respx, httpx: new mocked, used mocked, 0 reached the server
TXT
