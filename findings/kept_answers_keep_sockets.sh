#!/usr/bin/env bash
# An answer of `requests.get` that is kept keeps its socket, though it was read to its end.
#
# `requests.get` closes its session, yet an answer that was read to its end and is kept in a
# list keeps its socket open. `PoolManager.clear()`, by which sessions close, lets go of the
# pools and closes none; each answer's `raw` still refers to its own. `close()` of the
# answer closes none either, since it has given its connection back. A program that gathers
# answers so runs out of file descriptors; one that gathers their bodies does not.
#
# Versions: requests 2.34.2 with urllib3 2.8.0, CPython 3.11.
#
# Seen (sockets after 40 calls, each read to its end):
#   answers kept: 40
#   their bodies kept: 0
#   answers kept and closed: 40
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'requests==2.34.2' \
  'urllib3==2.8.0' 'psutil==7.2.2'
cat >"$work/program.py" <<'PY'
import gc
import http.server
import threading

import psutil
import requests


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
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/"


def sockets():
    gc.collect()
    connections = psutil.Process().net_connections("tcp")
    return sum(bool(c.raddr) and c.raddr.port == server.server_port for c in connections)


kept = [requests.get(url) for _ in range(40)]
assert all(answer.content == b"hello" for answer in kept)
print("answers kept:", sockets())
kept = [answer.content for answer in kept]
print("their bodies kept:", sockets())
kept = [requests.get(url) for _ in range(40)]
for answer in kept:
    answer.close()
print("answers kept and closed:", sockets())
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
answers kept: 40
their bodies kept: 0
answers kept and closed: 40
TXT
