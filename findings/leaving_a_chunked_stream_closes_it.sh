#!/usr/bin/env bash
# urllib3 1.26.20 and 2.5.0: whoever leaves `for part in response.stream():` and drops
# the response has closed a chunked one, since its generator is closed, and has left one
# with a Content-Length open: the same three lines, and the server decides. In a pool that
# blocks, the slot comes back with the first, and is lost with the second.
#
# Seen with both:
#   chunked: socket open False, slots left 1
#   Content-Length: socket open True, slots left 0
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
for package in 'urllib3==1.26.20' 'urllib3==2.5.0'; do
  venv/bin/python -m pip install -q --disable-pip-version-check "$package" 2>/dev/null
  venv/bin/python - <<'PY'
import http.server
import threading

import urllib3

PARTS = 1000


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        chunked = self.path == "/chunked"
        self.send_response(200)
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(1000 * PARTS))
        self.end_headers()
        try:
            for _ in range(PARTS):
                part = b"x" * 1000
                self.wfile.write(b"3e8\r\n%s\r\n" % part if chunked else part)
            if chunked:
                self.wfile.write(b"0\r\n\r\n")
        except OSError:
            self.close_connection = True

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
print("urllib3", urllib3.__version__)
for path, name, stays, slots in (
    ("/chunked", "chunked", False, 1),
    ("/length", "Content-Length", True, 0),
):
    pool = urllib3.HTTPConnectionPool(
        "127.0.0.1", server.server_port, maxsize=1, block=True
    )
    response = pool.request("GET", path, preload_content=False)
    connection = response._connection
    for part in response.stream(1000):
        break
    is_open = connection.sock is not None
    del response
    print(f"{name}: socket open {is_open}, slots left {pool.pool.qsize()}")
    if is_open != stays or pool.pool.qsize() != slots:
        raise SystemExit("changed")
PY
done
