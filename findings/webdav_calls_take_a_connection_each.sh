#!/usr/bin/env bash
# webdavclient3 streams each answer and forgets it unread: each `check()` takes a new
# connection.
#
# Each call of webdavclient3 is a request with `stream=True`, and where it needs the status
# alone, it forgets the answer unread. That answer's connection goes with it, though the
# client has a session: ten calls of `check()`, whose answers to HEAD have no body at all,
# are ten connections, and `clean()`, `mkdir()` and `upload_to()` are like it. `list()`
# reads its answer.
#
# Versions: webdavclient3 3.14.7 with requests 2.34.2 and urllib3 2.8.0, CPython 3.11.
#
# Seen (ten calls of each):
#   list: 10 requests, 1 connection(s)
#   check: 10 requests, 10 connection(s)
#   clean: 10 requests, 10 connection(s)
#   mkdir: 20 requests, 20 connection(s)
#   upload_to: 20 requests, 20 connection(s)
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check \
  'webdavclient3==3.14.7' 'requests==2.34.2' 'urllib3==2.8.0' 'lxml==6.1.3'
cat >"$work/program.py" <<'PY'
import contextlib
import http.server
import io
import threading

from webdav3.client import Client

FOUND = b"""<?xml version="1.0"?><d:multistatus xmlns:d="DAV:"><d:response>
<d:href>/file</d:href><d:propstat><d:status>HTTP/1.1 200 OK</d:status></d:propstat>
</d:response></d:multistatus>"""
connections = []


class Store(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_PROPFIND(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        connections.append(self.client_address)
        self.send_response({"PROPFIND": 207, "HEAD": 200}.get(self.command, 201))
        self.send_header("Content-Length", str(len(FOUND)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(FOUND)

    do_HEAD = do_PUT = do_MKCOL = do_DELETE = do_PROPFIND

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Store)
server.daemon_threads = True
server.handle_error = lambda *_: None  # Connections that are dropped.
threading.Thread(target=server.serve_forever, daemon=True).start()
client = Client({"webdav_hostname": f"http://127.0.0.1:{server.server_port}"})
for name, call in (
    ("list", lambda: client.list("/")),
    ("check", lambda: client.check("file")),
    ("clean", lambda: client.clean("file")),
    ("mkdir", lambda: client.mkdir("folder")),
    ("upload_to", lambda: client.upload_to(io.BytesIO(b"a body"), "file")),
):
    connections.clear()
    with contextlib.redirect_stdout(io.StringIO()):
        for _ in range(10):
            call()
    print(f"{name}: {len(connections)} requests, {len(set(connections))} connection(s)")
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
list: 10 requests, 1 connection(s)
check: 10 requests, 10 connection(s)
clean: 10 requests, 10 connection(s)
mkdir: 20 requests, 20 connection(s)
upload_to: 20 requests, 20 connection(s)
TXT
