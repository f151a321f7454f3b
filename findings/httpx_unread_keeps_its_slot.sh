#!/usr/bin/env bash
# A response of httpx that was half read and dropped gives its slot back, and one that was
# never read does not.
#
# Of two streamed responses that a program forgets, the half-read one gives its connection
# back, and the one that was never read does not, not even where its body is empty. The pool
# of one connection is then lost for good, and the next request raises a PoolTimeout without
# a word in it.
#
# Versions: httpx 0.28.1, httpcore 1.0.9, CPython 3.11.
#
# Seen:
#   half read, dropped: next request 200
#   unread, dropped: next request PoolTimeout('')
#   empty body, dropped: next request PoolTimeout('')
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'httpx==0.28.1' \
  'httpcore==1.0.9' 'anyio==4.16.0' 'h11==0.16.0'
cat >"$work/forget.py" <<'PY'
import gc
import http.server
import threading

import httpx


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = b"" if self.path == "/empty" else b"x" * 200_000
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:
            pass

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
server.handle_error = lambda *_: None  # Connections that are dropped.
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"


def forget(path, read):
    client = httpx.Client(
        limits=httpx.Limits(max_connections=1), timeout=httpx.Timeout(5, pool=0.5)
    )
    response = client.send(client.build_request("GET", url + path), stream=True)
    if read:
        for _ in response.iter_bytes(1000):
            break
    del response
    gc.collect()
    try:
        return client.get(url + "/empty").status_code
    except httpx.PoolTimeout as error:
        return repr(error)


print("half read, dropped: next request", forget("/body", read=True))
print("unread, dropped: next request", forget("/body", read=False))
print("empty body, dropped: next request", forget("/empty", read=False))
PY
"$work/venv/bin/python" "$work/forget.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
half read, dropped: next request 200
unread, dropped: next request PoolTimeout('')
empty body, dropped: next request PoolTimeout('')
TXT
