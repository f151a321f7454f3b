#!/usr/bin/env bash
# urllib3 1.26, and requests on it, take a body that the server has cut for whole; 2.x
# raises.
#
# The server announces 1000 bytes, sends 400 and hangs up. With urllib3 1.26, `stream()`,
# `read(amt)`, `requests.get().content` and `iter_content()` give the 400 as if they were
# all, and only `read()` raises; with 2.x each raises.
#
# Versions: urllib3 1.26.20 and 2.8.0, requests 2.34.2, CPython 3.11.
#
# Seen:
#   urllib3 1.26.20
#   read(): ProtocolError
#   read(100) until empty: 400 bytes
#   stream(): 400 bytes
#   requests' content: 400 bytes
#   urllib3 2.8.0
#   read(): ProtocolError
#   read(100) until empty: ProtocolError
#   stream(): ProtocolError
#   requests' content: ChunkedEncodingError
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'requests==2.34.2' \
  'urllib3==1.26.20'
cat >"$work/program.py" <<'PY'
import http.server
import threading

import requests
import urllib3


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"x" * 400)
        self.close_connection = True

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
server.handle_error = lambda *_: None  # Connections that are dropped.
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/"


def open_one():
    return urllib3.PoolManager(retries=False).request("GET", url, preload_content=False)


def by_parts():
    response = open_one()
    return b"".join(iter(lambda: response.read(100), b""))


def result(fetch):
    try:
        return f"{len(fetch())} bytes"
    except Exception as error:
        return type(error).__name__


print("urllib3", urllib3.__version__)
print("read():", result(lambda: open_one().read()))
print("read(100) until empty:", result(by_parts))
print("stream():", result(lambda: b"".join(open_one().stream())))
print("requests' content:", result(lambda: requests.get(url).content))
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check \
  'urllib3==2.8.0'
"$work/venv/bin/python" "$work/program.py" | tee -a "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
urllib3 1.26.20
read(): ProtocolError
read(100) until empty: 400 bytes
stream(): 400 bytes
requests' content: 400 bytes
urllib3 2.8.0
read(): ProtocolError
read(100) until empty: ProtocolError
stream(): ProtocolError
requests' content: ChunkedEncodingError
TXT
