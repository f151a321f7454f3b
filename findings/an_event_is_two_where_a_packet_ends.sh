#!/usr/bin/env bash
# `iter_lines()` of requests makes two events of one where a packet ends between `\r` and
# `\n`.
#
# The lines of a stream of events end with "\r\n". Where a packet ends between the two,
# `iter_lines()` of requests, with text or without, has an empty line more, and an empty
# line is the end of an event: the program that reads lines gets one event of a name without
# data, and one of data without a name. The lines of httpx and aiohttp, and the events of
# the two libraries, do not depend on packets.
#
# Versions: requests 2.34.2, httpx 0.28.1, aiohttp 3.14.5, sseclient-py 1.9.0, httpx-sse
# 0.4.3, CPython 3.11.
#
# Seen (the events, as name and data):
#   requests, in one packet: [('tick', '1')]
#   requests, cut after a \r: [('tick', ''), ('', '1')]
#   requests as text, in one packet: [('tick', '1')]
#   requests as text, cut after a \r: [('tick', ''), ('', '1')]
#   httpx, in one packet: [('tick', '1')]
#   httpx, cut after a \r: [('tick', '1')]
#   aiohttp, in one packet: [('tick', '1')]
#   aiohttp, cut after a \r: [('tick', '1')]
#   sseclient-py, in one packet: [('tick', '1')]
#   sseclient-py, cut after a \r: [('tick', '1')]
#   httpx-sse, in one packet: [('tick', '1')]
#   httpx-sse, cut after a \r: [('tick', '1')]
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'requests==2.34.2' \
  'urllib3==2.8.0' 'httpx==0.28.1' 'aiohttp==3.14.5' 'sseclient-py==1.9.0' \
  'httpx-sse==0.4.3' 'anyio==4.16.0' 'h11==0.16.0' 'httpcore==1.0.9'
cat >"$work/program.py" <<'PY'
import asyncio
import http.server
import threading
import time

import aiohttp
import httpx
import httpx_sse
import requests
import sseclient

PACKETS = {
    "in one packet": [b"event: tick\r\ndata: 1\r\n\r\n"],
    "cut after a \\r": [b"event: tick\r", b"\ndata: 1\r\n\r\n"],
}
now = []


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for packet in now:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(packet), packet))
            time.sleep(0.3)
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"


def events(lines):
    """Name and data of each event, which an empty line ends."""
    found, event = [], {}
    for line in lines:
        if line:
            name, value = line.split(": ")
            event[name] = value
        elif event:
            found.append((event.get("event", ""), event.get("data", "")))
            event = {}
    return found


def by_requests():
    with requests.get(url, stream=True) as response:
        return events(line.decode() for line in response.iter_lines())


def as_text():
    with requests.get(url, stream=True) as response:
        return events(response.iter_lines(decode_unicode=True))


def by_httpx():
    with httpx.stream("GET", url, trust_env=False) as response:
        return events(response.iter_lines())


async def by_aiohttp():
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return events([line.decode().rstrip("\r\n") async for line in response.content])


def by_sseclient():
    with requests.get(url, stream=True) as response:
        return [(event.event, event.data) for event in sseclient.SSEClient(response).events()]


def by_httpx_sse():
    with httpx.Client(trust_env=False) as client:
        with httpx_sse.connect_sse(client, "GET", url) as source:
            return [(event.event, event.data) for event in source.iter_sse()]


for name, program in (
    ("requests", by_requests),
    ("requests as text", as_text),
    ("httpx", by_httpx),
    ("aiohttp", lambda: asyncio.run(by_aiohttp())),
    ("sseclient-py", by_sseclient),
    ("httpx-sse", by_httpx_sse),
):
    for how, packets in PACKETS.items():
        now[:] = packets
        print(f"{name}, {how}: {program()}")
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
requests, in one packet: [('tick', '1')]
requests, cut after a \r: [('tick', ''), ('', '1')]
requests as text, in one packet: [('tick', '1')]
requests as text, cut after a \r: [('tick', ''), ('', '1')]
httpx, in one packet: [('tick', '1')]
httpx, cut after a \r: [('tick', '1')]
aiohttp, in one packet: [('tick', '1')]
aiohttp, cut after a \r: [('tick', '1')]
sseclient-py, in one packet: [('tick', '1')]
sseclient-py, cut after a \r: [('tick', '1')]
httpx-sse, in one packet: [('tick', '1')]
httpx-sse, cut after a \r: [('tick', '1')]
TXT
