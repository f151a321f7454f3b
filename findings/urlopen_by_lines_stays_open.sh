#!/usr/bin/env bash
# CPython 3.10.13, 3.11.7 and 3.12.1: a response of urllib.request that was read to its
# end by iteration, or by `read1`, does not close itself, as it does after `read`. Who
# keeps forty of them keeps forty sockets. 3.13.0 closes them. urllib3 2.5.0 lets go of
# the connection at the end, however it is read.
#
# Seen with 3.11.7:
#   by read(): 0 of 40 open
#   by lines: 40 of 40 open
#   by read1(): 40 of 40 open
#   urllib3 by lines: 0 of 40 open
# With 3.13.0: 0 of 40 each time. PYTHON names another interpreter.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/python -m pip install -q --disable-pip-version-check 'urllib3==2.5.0' 2>/dev/null
venv/bin/python - <<'PY'
import http.server
import sys
import threading
from urllib.request import urlopen

import urllib3


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "12")
        self.end_headers()
        self.wfile.write(b"hello\nworld\n")

    def log_message(self, *args):
        pass


def by_read1(response):
    while response.read1(100):
        pass


version = "%d.%d.%d" % sys.version_info[:3]
seen = {"3.10.13": 40, "3.11.7": 40, "3.12.1": 40, "3.13.0": 0}
if version not in seen:
    sys.exit(f"CPython {version} was not looked at, only {', '.join(seen)}")
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/"
for name, read in (
    ("by read()", lambda response: response.read()),
    ("by lines", list),
    ("by read1()", by_read1),
):
    kept = [urlopen(url) for _ in range(40)]
    for response in kept:
        read(response)
    still = sum(not response.isclosed() for response in kept)
    print(f"{name}: {still} of {len(kept)} open")
    expected = 0 if name == "by read()" else seen[version]
    if still != expected:
        sys.exit(f"changed: CPython {version} had {expected} open")

manager = urllib3.PoolManager()
kept = [manager.request("GET", url, preload_content=False) for _ in range(40)]
for response in kept:
    list(response)
still = sum(response.connection is not None for response in kept)
print(f"urllib3 by lines: {still} of {len(kept)} open")
if still:
    sys.exit("changed: urllib3 2.5.0 had 0 open")
PY
