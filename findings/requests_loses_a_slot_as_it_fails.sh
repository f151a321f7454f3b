#!/usr/bin/env bash
# A plain call of requests that cannot decode a body, or read where a redirect leads, loses
# the slot of a pool that blocks.
#
# A server is at fault, and a call without `stream=True` raises: for a body that is not what
# its Content-Encoding says, or for a redirect whose Location is no UTF-8. It closes
# nothing, and nobody else has the response. The slot of a pool that blocks is gone for
# good: the next request finds the pool empty. A body that is cut, or a redirect to nowhere,
# gives it back.
#
# Versions: requests 2.34.2, urllib3 2.8.0 and 1.26.20, CPython 3.11.
#
# Seen:
#   urllib3 2.8.0
#   not gzip: ContentDecodingError, next request EmptyPoolError
#   not UTF-8: UnicodeDecodeError, next request EmptyPoolError
#   cut: ChunkedEncodingError, next request 200
#   redirect to nowhere: InvalidSchema, next request 200
#   urllib3 1.26.20
#   the same, but for `cut: 200`: it takes a cut body for whole
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'requests==2.34.2' \
  'urllib3==2.8.0'
cat >"$work/program.py" <<'PY'
import gc
import http.server
import threading

import requests
import urllib3

BODY = b"x" * 200_000
ANSWERS = {
    "/not-gzip": (200, "Content-Encoding: gzip"),
    "/not-utf-8": (302, "Location: /caf\xe9"),
    "/cut": (200, "X-Cut: yes"),
    "/nowhere": (302, "Location: gopher://nowhere/"),
    "/": (200, "X-Fine: yes"),
}


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        status, header = ANSWERS[self.path]
        self.send_response(status)
        self.send_header(*header.split(": "))
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        if self.path == "/cut":
            self.close_connection = True
        self.wfile.write(BODY[:1000] if self.path == "/cut" else BODY)

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
server.handle_error = lambda *_: None  # Connections that are dropped.
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"


def after(path):
    session = requests.Session()
    adapter = requests.adapters.HTTPAdapter(pool_maxsize=1, pool_block=True)
    session.mount("http://", adapter)
    try:
        seen = session.get(url + path).status_code
    except (requests.RequestException, UnicodeError) as error:
        seen = type(error).__name__
    gc.collect()
    (key,) = adapter.poolmanager.pools.keys()
    pool = adapter.poolmanager.pools[key]
    try:
        return f"{seen}, next request {pool.urlopen('GET', '/', pool_timeout=0.5).status}"
    except urllib3.exceptions.EmptyPoolError:
        return f"{seen}, next request EmptyPoolError"


print("urllib3", urllib3.__version__)
print("not gzip:", after("/not-gzip"))
print("not UTF-8:", after("/not-utf-8"))
print("cut:", after("/cut"))
print("redirect to nowhere:", after("/nowhere"))
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check \
  'urllib3==1.26.20'
"$work/venv/bin/python" "$work/program.py" | tee -a "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
urllib3 2.8.0
not gzip: ContentDecodingError, next request EmptyPoolError
not UTF-8: UnicodeDecodeError, next request EmptyPoolError
cut: ChunkedEncodingError, next request 200
redirect to nowhere: InvalidSchema, next request 200
urllib3 1.26.20
not gzip: ContentDecodingError, next request EmptyPoolError
not UTF-8: UnicodeDecodeError, next request EmptyPoolError
cut: 200, next request 200
redirect to nowhere: InvalidSchema, next request 200
TXT
