#!/usr/bin/env bash
# urllib3 2.5.0: a pool that was made before urllib3 was imported anew, as a test does
# that takes modules out of `sys.modules`, gives responses of the new import's class from
# then on: `HTTPConnection.getresponse` imports the class by name at each call.
# `isinstance(response, HTTPResponse)` is False in modules that were imported before, and
# what was patched into the old class is not called. urllib3 1.26.20 gives its own.
#
# Seen:
#   urllib3 2.5.0: of the pool's own class False
#   urllib3 1.26.20: of the pool's own class True
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
for package in 'urllib3==2.5.0' 'urllib3==1.26.20'; do
  venv/bin/python -m pip install -q --disable-pip-version-check "$package" 2>/dev/null
  venv/bin/python - <<'PY'
import http.server
import sys
import threading

import urllib3


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/"
first = urllib3
pool = first.PoolManager()
if not isinstance(pool.request("GET", url), first.HTTPResponse):
    sys.exit("changed: not even before")
for name in [name for name in sys.modules if name.split(".")[0] == "urllib3"]:
    del sys.modules[name]
import urllib3

own = isinstance(pool.request("GET", url), first.HTTPResponse)
print(f"urllib3 {urllib3.__version__}: of the pool's own class {own}")
if own != urllib3.__version__.startswith("1."):
    sys.exit("changed")
PY
done
