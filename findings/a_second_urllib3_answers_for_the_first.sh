#!/usr/bin/env bash
# Once urllib3 2.x was imported anew, the pools there were give responses of the new
# import's class.
#
# A pool that was made before urllib3 was imported anew, as by a test that takes modules out
# of `sys.modules`, gives responses of the new import's class from then on:
# `HTTPConnection.getresponse` imports the class by name at each call. `isinstance(response,
# HTTPResponse)` is False in modules that were imported before, and what was patched into
# the old class is not called. urllib3 1.26.20 gives its own.
#
# Versions: urllib3 2.8.0, CPython 3.11.
#
# Seen (is the response of the pool's own class, and is a method patched there called):
#   urllib3 2.8.0, before: own class True, patch called True
#   urllib3 2.8.0, imported anew: own class False, patch called False
#   urllib3 1.26.20, before: own class True, patch called True
#   urllib3 1.26.20, imported anew: own class True, patch called True
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
cat >"$work/program.py" <<'PY'
import http.server
import sys
import threading

import urllib3


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/"
first, called = urllib3, []
read = first.HTTPResponse.read


def counted(self, *args, **options):
    called.append(self)
    return read(self, *args, **options)


first.HTTPResponse.read = counted
pool = first.PoolManager()


def say(when):
    called.clear()
    response = pool.request("GET", url)
    own = isinstance(response, first.HTTPResponse)
    print(
        f"urllib3 {first.__version__}, {when}: own class {own},"
        f" patch called {bool(called)}"
    )


say("before")
for name in [name for name in sys.modules if name.split(".")[0] == "urllib3"]:
    del sys.modules[name]
import urllib3  # noqa: E402

assert urllib3 is not first
say("imported anew")
PY
for package in 'urllib3==2.8.0' 'urllib3==1.26.20'; do
  "$work/venv/bin/python" -m pip install -qq --disable-pip-version-check "$package"
  "$work/venv/bin/python" "$work/program.py" | tee -a "$work/seen"
done
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
urllib3 2.8.0, before: own class True, patch called True
urllib3 2.8.0, imported anew: own class False, patch called False
urllib3 1.26.20, before: own class True, patch called True
urllib3 1.26.20, imported anew: own class True, patch called True
TXT
