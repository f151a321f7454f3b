#!/usr/bin/env bash
# requests 2.32.5 with urllib3 2.5.0, CPython 3.11: `requests.get` closes its session,
# yet an answer that was read to its end and is kept in a list keeps its socket open.
# `PoolManager.clear()`, by which sessions close, lets go of the pools and closes none;
# each answer's `raw` still refers to its own.
#
# Seen:
#   40 answers, read and kept: 40 sockets open
#   only their bodies kept: 0 sockets open
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -q --disable-pip-version-check \
  'requests==2.32.5' 'urllib3==2.5.0' 'psutil==7.0.0' 2>/dev/null
cat >"$work/keep.py" <<'PY'
import http.server
import os
import subprocess
import sys

SERVER = """
import http.server
class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")
    def log_message(self, *args):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
print(server.server_port, flush=True)
server.serve_forever()
"""
server = subprocess.Popen(
    [sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True
)
url = f"http://127.0.0.1:{server.stdout.readline().strip()}/"

import psutil
import requests


def sockets():
    return len(psutil.Process().net_connections(kind="tcp"))


try:
    kept = [requests.get(url) for _ in range(40)]
    assert all(answer.content == b"hello" for answer in kept)
    print("40 answers, read and kept:", sockets(), "sockets open")
    bodies = [answer.content for answer in kept]
    del kept
    import gc

    gc.collect()
    print("only their bodies kept:", sockets(), "sockets open")
finally:
    server.kill()
PY
"$work/venv/bin/python" "$work/keep.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT'
40 answers, read and kept: 40 sockets open
only their bodies kept: 0 sockets open
TXT
