#!/usr/bin/env bash
# requests is another where niquests is installed beside it: urllib3-future is in the place
# of urllib3, also after urllib3 is installed again.
#
# Where niquests 3.21.2 is installed beside requests, also by another package that asks for
# it, its urllib3-future 2.25.904 takes the place of urllib3's files. pip still names
# urllib3 2.8.0, `import urllib3` is another library, and so requests behaves otherwise:
# here in what it decodes, in lines that come at once, and in status 103. To install urllib3
# again brings nothing back: a `.pth` file copies the other over it, as the interpreter
# starts. It says how to keep both: install urllib3-future from its source, with
# `URLLIB3_NO_OVERRIDE=1`. What one sees in production, and not in a test of requests alone,
# may be that.
#
# Versions: requests 2.34.2 and urllib3 2.8.0, CPython 3.11.
#
# Seen (x-gzip: is it decoded; line: does a first one come before the second of a body
# without chunks; hint: what a server answers that sends 103 before 200):
#   requests alone: pip has 2.8.0, import 2.8.0; x-gzip True, line late, hint 103
#   beside niquests: pip has 2.8.0, import 2.25.904; x-gzip False, line at once, hint 200
#   urllib3 installed again: pip has 2.8.0, import 2.25.904; x-gzip False, line at once, hint 200
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'requests==2.34.2' \
  'urllib3==2.8.0'
cat >"$work/program.py" <<'PY'
import gzip
import http.server
import importlib.metadata
import sys
import threading
import time

import requests
import urllib3

came = threading.Event()
in_time = []


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        getattr(self, self.path.lstrip("/"))()
        self.close_connection = True

    def answer(self, name, value, *parts):
        self.send_response(200)
        self.send_header(name, value)
        self.send_header("Content-Length", str(sum(map(len, parts))))
        self.end_headers()
        for part in parts:
            self.wfile.write(part)
            if len(parts) > 1 and part is parts[0]:
                in_time.append(came.wait(2))

    def encoded(self):
        self.answer("Content-Encoding", "x-gzip", gzip.compress(b"a line"))

    def lines(self):
        self.answer("X-None", "", b"first\n", b"second\n")

    def hint(self):
        self.wfile.write(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        time.sleep(0.1)
        self.answer("X-None", "", b"a page")

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
server.handle_error = lambda *_: None  # Connections that are dropped.
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/"

decoded = requests.get(url + "encoded").content == b"a line"
for _ in requests.get(url + "lines", stream=True).iter_lines():
    came.set()
print(
    f"{sys.argv[1]}: pip has {importlib.metadata.version('urllib3')},"
    f" import {urllib3.__version__}; x-gzip {decoded},"
    f" line {'at once' if in_time[0] else 'late'},"
    f" hint {requests.get(url + 'hint').status_code}"
)
PY
"$work/venv/bin/python" "$work/program.py" 'requests alone' | tee "$work/seen"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'niquests==3.21.2' \
  'urllib3-future==2.25.904'
"$work/venv/bin/python" "$work/program.py" 'beside niquests' | tee -a "$work/seen"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check --force-reinstall \
  --no-deps 'urllib3==2.8.0'
"$work/venv/bin/python" "$work/program.py" 'urllib3 installed again' | tee -a "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
requests alone: pip has 2.8.0, import 2.8.0; x-gzip True, line late, hint 103
beside niquests: pip has 2.8.0, import 2.25.904; x-gzip False, line at once, hint 200
urllib3 installed again: pip has 2.8.0, import 2.25.904; x-gzip False, line at once, hint 200
TXT
