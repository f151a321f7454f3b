#!/usr/bin/env bash
# CacheControl caches nothing of a chunked body that was read to its last byte and not once
# more.
#
# An answer is put into the cache as its body ends. Of a chunked body the end comes after
# its last byte: who streams it and stops when all bytes are there, as by `raw.read(size)`
# or the first part of `iter_content(size)`, has read the whole and cached nothing, and asks
# the server again the next time. With a Content-Length the same program has its answer from
# the cache.
#
# Versions: CacheControl 0.14.4 with requests 2.34.2 and urllib3 2.8.0, CPython 3.11.7.
#
# Seen (requests that came for two calls):
#   length, content: 1
#   length, iter_content, to its end: 1
#   length, iter_content, one part: 1
#   length, raw.read: 1
#   chunked, content: 1
#   chunked, iter_content, to its end: 1
#   chunked, iter_content, one part: 2
#   chunked, raw.read: 2
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check \
  'CacheControl==0.14.4' 'requests==2.34.2' 'urllib3==2.8.0' 'msgpack==1.2.4'
cat >"$work/program.py" <<'PY'
import http.server
import threading

import cachecontrol
import requests

BODY = b"x" * 200_000
came = []


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        came.append(self.path)
        self.send_response(200)
        self.send_header("Cache-Control", "max-age=3600")
        body = BODY
        if self.path == "/chunked":
            self.send_header("Transfer-Encoding", "chunked")
            body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)
        else:
            self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
server.handle_error = lambda *_: None  # Connections that are closed.
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"
for path in ("/length", "/chunked"):
    for name, read in (
        ("content", lambda response: response.content),
        ("iter_content, to its end", lambda response: b"".join(response.iter_content(9999))),
        ("iter_content, one part", lambda response: next(response.iter_content(len(BODY)))),
        ("raw.read", lambda response: response.raw.read(len(BODY))),
    ):
        came.clear()
        session = cachecontrol.CacheControl(requests.Session())
        for _ in range(2):
            with session.get(url + path, stream=True) as response:
                assert read(response) == BODY
        print(f"{path[1:]}, {name}: {len(came)}")
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
length, content: 1
length, iter_content, to its end: 1
length, iter_content, one part: 1
length, raw.read: 1
chunked, content: 1
chunked, iter_content, to its end: 1
chunked, iter_content, one part: 2
chunked, raw.read: 2
TXT
