#!/usr/bin/env bash
# A response of `urlopen` whose body times out keeps its socket, of which it can read no
# more.
#
# A body stalls, and the read times out. urllib3 closes the connection as it raises; the
# response of `urlopen` keeps its socket, and cannot read from it any more. It is closed
# only by `close()` or with its last reference, which a list of failed downloads, or the
# traceback of a kept error, may be.
#
# Versions: urllib3 2.8.0, urllib.request of CPython 3.11.7 and 3.13.0.
#
# Seen (two reads, and the sockets that are open after them):
#   urlopen: TimeoutError, OSError, 1 open
#   urlopen, closed: 0 open
#   urllib3: ReadTimeoutError, b'', 0 open
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'urllib3==2.8.0' \
  'psutil==7.2.2'
cat >"$work/program.py" <<'PY'
import http.server
import threading
from urllib.request import urlopen

import psutil
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


def sockets():
    connections = psutil.Process().net_connections("tcp")
    count = sum(bool(c.raddr) and c.raddr.port == server.server_port for c in connections)
    return f"{count} open"


def outcome(response):
    try:
        return repr(response.read())
    except Exception as error:
        return type(error).__name__


response = urlopen(url, timeout=1)
print(f"urlopen: {outcome(response)}, {outcome(response)}, {sockets()}")
response.close()
print(f"urlopen, closed: {sockets()}")
pools = urllib3.PoolManager()
response = pools.request("GET", url, preload_content=False, timeout=1)
print(f"urllib3: {outcome(response)}, {outcome(response)}, {sockets()}")
over.set()
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
urlopen: TimeoutError, OSError, 1 open
urlopen, closed: 0 open
urllib3: ReadTimeoutError, b'', 0 open
TXT
