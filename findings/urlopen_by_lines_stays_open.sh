#!/usr/bin/env bash
# A response of `urlopen` that was read by lines is not closed, before CPython 3.13.
#
# A response that was read to its end by iteration, or by `read1`, does not close itself, as
# it does after `read`. Who keeps forty of them keeps forty sockets. That of 3.13.0 closes
# itself. urllib3 2.8.0 lets go of the connection at the end, however it is read.
#
# Versions: urllib.request of CPython 3.10.13, 3.11.7 and 3.12.1.
#
# Seen (sockets of forty responses that are kept, each read to its end):
#   by read(): 0
#   by lines: 40
#   by read1(): 40
#   urllib3 by lines: 1
# With 3.13.0: 0 of urllib.request each time. PYTHON names the interpreter.
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


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "12")
        self.end_headers()
        self.wfile.write(b"hello\nworld\n")

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
server.handle_error = lambda *_: None  # Connections that are dropped.
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/"
pools = urllib3.PoolManager()


def by_read1(response):
    while response.read1(100):
        pass


def of_urllib3(url):
    return pools.request("GET", url, preload_content=False)


def sockets():
    connections = psutil.Process().net_connections("tcp")
    return sum(bool(c.raddr) and c.raddr.port == server.server_port for c in connections)


for name, opened, read in (
    ("by read()", urlopen, lambda response: response.read()),
    ("by lines", urlopen, list),
    ("by read1()", urlopen, by_read1),
    ("urllib3 by lines", of_urllib3, list),
):
    kept = []
    for _ in range(40):
        kept.append(opened(url))
        read(kept[-1])
    print(f"{name}: {sockets()}")
PY
case $("$work/venv/bin/python" -c 'import platform; print(platform.python_version())') in
3.10.13 | 3.11.7 | 3.12.1) stay=40 ;;
3.13.0) stay=0 ;;
*) echo "looked at with CPython 3.10.13, 3.11.7, 3.12.1 and 3.13.0 only"; exit 1 ;;
esac
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<TXT || { echo changed; exit 1; }
by read(): 0
by lines: $stay
by read1(): $stay
urllib3 by lines: 1
TXT
