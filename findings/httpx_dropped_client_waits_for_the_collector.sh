#!/usr/bin/env bash
# The sockets of a dropped client of httpx stay until the collector runs; those of httpx2 go
# with it.
#
# Ten clients were dropped, each with one response that was never read. httpx2's are gone
# with their sockets at once; those of httpx keep all ten sockets until the cycle collector
# runs, which a program that allocates little, or has switched it off, waits long for. Here
# it is switched off, and comes when it is called.
#
# Versions: httpx 0.28.1, httpcore 1.0.9, httpx2 2.16.2, httpcore2 2.16.2, CPython 3.11.
#
# Seen:
#   httpx: 10 sockets open, 0 after a collection
#   httpx2: 0 sockets open, 0 after a collection
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'httpx==0.28.1' \
  'httpcore==1.0.9' 'httpx2==2.16.2' 'httpcore2==2.16.2' 'psutil==7.2.2' 'anyio==4.16.0' \
  'h11==0.16.0'
cat >"$work/program.py" <<'PY'
import gc
import http.server
import threading

import httpx
import httpx2
import psutil


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = b"x" * 2_000_000
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
server.handle_error = lambda *_: None  # Connections that are dropped.
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/"


def drop(library):
    client = library.Client()
    client.send(client.build_request("GET", url), stream=True)


def sockets():
    return sum(
        bool(one.raddr) and one.raddr.port == server.server_port
        for one in psutil.Process().net_connections("tcp")
    )


gc.disable()
for library in (httpx, httpx2):
    for _ in range(10):
        drop(library)
    before = sockets()
    gc.collect()
    print(f"{library.__name__}: {before} sockets open, {sockets()} after a collection")
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
httpx: 10 sockets open, 0 after a collection
httpx2: 0 sockets open, 0 after a collection
TXT
