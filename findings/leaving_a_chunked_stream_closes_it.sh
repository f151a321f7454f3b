#!/usr/bin/env bash
# To leave a loop over urllib3's `stream()` closes a chunked response, and leaks one with a
# length.
#
# Whoever leaves `for part in response.stream():` and drops the response has closed a
# chunked one, since its generator is closed, and has left one with a Content-Length open:
# the same three lines, and the server decides. In a pool that blocks, the slot comes back
# with the first, and is lost with the second.
#
# Versions: urllib3 1.26.20 and 2.8.0, CPython 3.11.
#
# Seen with both:
#   chunked: socket open False, the next request 200
#   Content-Length: socket open True, the next request EmptyPoolError
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
cat >"$work/program.py" <<'PY'
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
        part = b"x" * 1000
        for _ in range(PARTS):
            self.wfile.write(b"3e8\r\n%s\r\n" % part if chunked else part)
        if chunked:
            self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
server.handle_error = lambda *_: None  # Connections that are dropped.
threading.Thread(target=server.serve_forever, daemon=True).start()
print("urllib3", urllib3.__version__)
for path, name in (("/chunked", "chunked"), ("/length", "Content-Length")):
    pool = urllib3.HTTPConnectionPool("127.0.0.1", server.server_port, maxsize=1, block=True)
    response = pool.request("GET", path, preload_content=False)
    connection = response.connection
    for part in response.stream(1000):
        break
    is_open = connection.sock is not None
    del response
    try:
        following = pool.urlopen("GET", path, pool_timeout=0.5).status
    except urllib3.exceptions.EmptyPoolError as error:
        following = type(error).__name__
    print(f"{name}: socket open {is_open}, the next request {following}")
PY
for package in 'urllib3==1.26.20' 'urllib3==2.8.0'; do
  "$work/venv/bin/python" -m pip install -qq --disable-pip-version-check "$package"
  "$work/venv/bin/python" "$work/program.py" | tee -a "$work/seen"
done
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
urllib3 1.26.20
chunked: socket open False, the next request 200
Content-Length: socket open True, the next request EmptyPoolError
urllib3 2.8.0
chunked: socket open False, the next request 200
Content-Length: socket open True, the next request EmptyPoolError
TXT
