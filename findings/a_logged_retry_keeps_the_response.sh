#!/usr/bin/env bash
# A log record of urllib3's retry that is kept, as pytest keeps it, keeps the response that
# came in the end, and its connection.
#
# Where a request is sent again, urllib3 logs a warning with the error as its argument.
# Whoever keeps the record, as pytest does for each test and
# `logging.handlers.MemoryHandler` until it is flushed, keeps the error, its traceback, the
# frames that called, and with them the response that came in the end: its connection stays
# open though the program has forgotten it, and in a pool that blocks its slot is taken. A
# handler that writes the text at once keeps nothing.
#
# Versions: urllib3 2.8.0 and requests 2.34.2, CPython 3.11.
#
# Seen (open sockets after a stream was forgotten):
#   urllib3, text written: 0
#   urllib3, record kept: 1, cleared 0
#   requests with a Retry, text written: 0
#   requests with a Retry, record kept: 1, cleared 0
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'requests==2.34.2' \
  'urllib3==2.8.0' 'psutil==7.2.2'
cat >"$work/program.py" <<'PY'
import gc
import http.server
import io
import logging
import logging.handlers
import threading

import psutil
import requests
import urllib3
from requests.adapters import HTTPAdapter

asked = []


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        asked.append(self.path)
        if len(asked) % 2:  # The first try of each has no answer.
            self.close_connection = True
            return
        self.send_response(200)
        self.send_header("Content-Length", "5000000")
        self.end_headers()
        self.wfile.write(b"x" * 5_000_000)

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
server.handle_error = lambda *_: None  # Connections that are dropped.
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/"


def sockets():
    gc.collect()
    connections = psutil.Process().net_connections()
    return sum(bool(c.raddr) and c.raddr.port == server.server_port for c in connections)


def of_urllib3():
    pools = urllib3.PoolManager()
    return pools, pools.request("GET", url, preload_content=False).status


def of_requests():
    session = requests.Session()
    session.mount("http://", HTTPAdapter(max_retries=3))
    return session, session.get(url, stream=True).status_code


def seen_with(program, handler):
    log = logging.getLogger("urllib3")
    log.addHandler(handler)
    log.propagate = False
    try:
        client, status = program()
    finally:
        log.removeHandler(handler)
    return client, sockets()


for name, program in {"urllib3": of_urllib3, "requests with a Retry": of_requests}.items():
    client, count = seen_with(program, logging.StreamHandler(io.StringIO()))
    print(f"{name}, text written: {count}")
    del client
    memory = logging.handlers.MemoryHandler(1000, flushLevel=logging.CRITICAL)
    client, count = seen_with(program, memory)
    memory.buffer.clear()
    print(f"{name}, record kept: {count}, cleared {sockets()}")
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
urllib3, text written: 0
urllib3, record kept: 1, cleared 0
requests with a Retry, text written: 0
requests with a Retry, record kept: 1, cleared 0
TXT
