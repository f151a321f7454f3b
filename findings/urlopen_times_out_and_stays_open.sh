#!/usr/bin/env bash
# CPython 3.11.7 and 3.13.0, urllib.request; urllib3 2.5.0: a body stalls, and the read times
# out. urllib3 closes the connection as it raises; the response of `urlopen` keeps its socket,
# and cannot read from it any more: it is closed only by `close()` or with its last reference,
# which a list of failed downloads, or the traceback of a kept error, may be.
#
# Seen:
#   urlopen: TimeoutError
#   urlopen: OSError
#   urlopen: still open
#   urllib3: ReadTimeoutError
#   urllib3: closed
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -q --disable-pip-version-check \
  'urllib3==2.5.0' 2>/dev/null
cat >"$work/program.py" <<'PY'
import socket
import http.server
import threading

from urllib.request import urlopen

import urllib3

over = threading.Event()


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"x")
        over.wait(20)

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
server.handle_error = lambda *_: None  # Connections that are dropped.
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/"


def report(name, response, is_closed):
    for _ in range(2):
        try:
            response.read()
        except Exception as error:
            print(f"{name}: {type(error).__name__}")
    print(f"{name}: {'closed' if is_closed(response) else 'still open'}")


report("urlopen", urlopen(url, timeout=0.5), lambda response: response.isclosed())
pool = urllib3.PoolManager()
report(
    "urllib3",
    pool.request("GET", url, preload_content=False, timeout=0.5),
    lambda response: response.closed,
)
over.set()
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT'
urlopen: TimeoutError
urlopen: OSError
urlopen: still open
urllib3: ReadTimeoutError
urllib3: closed
TXT
