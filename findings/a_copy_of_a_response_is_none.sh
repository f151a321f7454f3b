#!/usr/bin/env bash
# To copy a streamed response, as `dataclasses.asdict` does, downloads it in requests; the
# copy is closed in httpx, and takes the body away in urllib3, urllib.request and aiohttp.
#
# A streamed response of 2,000,000 bytes, unread, is copied: by copy, deepcopy, pickle, or
# dataclasses.asdict of what has it as a field. requests downloads the body for that, into
# both. httpx makes a copy that is closed and empty, of a response that stays open. A
# shallow copy of urllib3's, or of urllib.request's, shares the body: whoever reads first
# has it, and where the original goes, the copy's is lost.
#
# Versions: requests 2.34.2, urllib3 2.8.0, httpx 0.28.1, aiohttp 3.14.5, CPython 3.11.
#
# Seen (what the copy reads, and then the original):
#   requests: 2000000, 2000000; downloaded by the copying
#   requests, deepcopy: 2000000, 2000000; downloaded by the copying
#   requests, pickle: 2000000, 2000000; downloaded by the copying
#   requests, asdict: 2000000, 2000000; downloaded by the copying
#   httpx: StreamClosed, 2000000
#   httpx, deepcopy: StreamClosed, 2000000
#   httpx, pickle: StreamClosed, 2000000
#   httpx, asdict: StreamClosed, 2000000
#   urllib3: 2000000, 0
#   urllib3, deepcopy: TypeError
#   urllib3, pickle: TypeError
#   urllib3, asdict: TypeError
#   urllib3, original gone: 0
#   urllib.request: 2000000, ValueError
#   urllib.request, original gone: ValueError
#   aiohttp: 2000000, 0
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'requests==2.34.2' \
  'urllib3==2.8.0' 'httpx==0.28.1' 'httpcore==1.0.9' 'aiohttp==3.14.5' 'anyio==4.16.0' \
  'h11==0.16.0'
cat >"$work/program.py" <<'PY'
import asyncio
import copy
import dataclasses
import http.server
import pickle
import threading
from urllib.request import urlopen

import aiohttp
import httpx
import requests
import urllib3


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2000000")
        self.end_headers()
        self.wfile.write(b"x" * 2_000_000)

    def log_message(self, *args):
        pass


@dataclasses.dataclass
class Job:
    answer: object


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
server.handle_error = lambda *_: None  # Connections that are dropped.
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"
WAYS = {
    "": copy.copy,
    ", deepcopy": copy.deepcopy,
    ", pickle": lambda response: pickle.loads(pickle.dumps(response)),
    ", asdict": lambda response: dataclasses.asdict(Job(response))["answer"],
}


def read(response):
    """How many bytes, or which error."""
    try:
        return str(len(response.content if requested(response) else response.read()))
    except Exception as error:
        return type(error).__name__


def requested(response):
    return isinstance(response, requests.Response)


def downloaded(response):
    done = requested(response) and response.raw.tell() == 2_000_000
    return "; downloaded by the copying" if done else ""


def look(name, opened, ways=WAYS):
    for way, duplicate in ways.items():
        response = opened()
        try:
            double = duplicate(response)
        except TypeError:
            print(f"{name}{way}: TypeError")
            continue
        after = downloaded(response)
        print(f"{name}{way}: {read(double)}, {read(response)}{after}")


def by_urllib3():
    return urllib3.request("GET", url, preload_content=False)


async def of_aiohttp():
    async with aiohttp.ClientSession() as session:
        response = await session.get(url)
        double = copy.copy(response)
        print(f"aiohttp: {len(await double.read())}, {len(await response.read())}")


client = httpx.Client(trust_env=False)
request = client.build_request("GET", url)
shallow = {"": copy.copy}
look("requests", lambda: requests.get(url, stream=True))
look("httpx", lambda: client.send(request, stream=True))
look("urllib3", by_urllib3)
print(f"urllib3, original gone: {read(copy.copy(by_urllib3()))}")
look("urllib.request", lambda: urlopen(url), shallow)
print(f"urllib.request, original gone: {read(copy.copy(urlopen(url)))}")
asyncio.run(of_aiohttp())
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
requests: 2000000, 2000000; downloaded by the copying
requests, deepcopy: 2000000, 2000000; downloaded by the copying
requests, pickle: 2000000, 2000000; downloaded by the copying
requests, asdict: 2000000, 2000000; downloaded by the copying
httpx: StreamClosed, 2000000
httpx, deepcopy: StreamClosed, 2000000
httpx, pickle: StreamClosed, 2000000
httpx, asdict: StreamClosed, 2000000
urllib3: 2000000, 0
urllib3, deepcopy: TypeError
urllib3, pickle: TypeError
urllib3, asdict: TypeError
urllib3, original gone: 0
urllib.request: 2000000, ValueError
urllib.request, original gone: ValueError
aiohttp: 2000000, 0
TXT
