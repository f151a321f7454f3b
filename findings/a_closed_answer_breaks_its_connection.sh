#!/usr/bin/env bash
# A large answer of http.client that is closed unread leaves its connection unusable: the
# next request is carried out and fails.
#
# An answer is closed before it was read, here by its `with`, and its body is larger than
# the 8 KiB that http.client reads ahead. http.client keeps the connection open then, with
# the rest of the body on it. The next request is sent on that connection and carried out,
# and raises BadStatusLine, since the body comes where the status line should. The one after
# it raises CannotSendRequest, and is not sent. After `close()` of the connection itself the
# next one goes well. urllib3 makes another connection, and fails at none.
#
# Versions: http.client of CPython 3.10.13, 3.11.7 and 3.13.0, urllib3 2.8.0.
#
# Seen (with each of them):
#   http.client, read: 21000 bytes, then 21000 bytes
#   http.client, closed unread: then BadStatusLine, CannotSendRequest
#   http.client, carried out: /four
#   urllib3, read: 21000 bytes, then 21000 bytes
#   urllib3, closed unread: then 21000 bytes, 21000 bytes
#   urllib3, carried out: /four, /five
#   http.client, connection closed: then 21000 bytes
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'urllib3==2.8.0'
cat >"$work/program.py" <<'PY'
import http.client
import http.server
import threading
import time

import urllib3

BODY = b"a body\n" * 3000
carried_out = []


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        carried_out.append(self.path)
        self.send_response(200)
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
server.handle_error = lambda *_: None  # Connections that are closed.
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"
connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
pool = urllib3.PoolManager()


def by_http_client(path):
    connection.request("GET", path)
    return connection.getresponse()


def by_urllib3(path):
    return pool.request("GET", url + path, preload_content=False)


def body(call, path):
    try:
        with call(path) as response:
            return f"{len(response.read())} bytes"
    except http.client.HTTPException as error:
        return type(error).__name__


for name, call in (("http.client", by_http_client), ("urllib3", by_urllib3)):
    print(f"{name}, read: {body(call, '/one')}, then {body(call, '/two')}")
    with call("/three"):
        pass
    carried_out.clear()
    print(f"{name}, closed unread: then {body(call, '/four')}, {body(call, '/five')}")
    time.sleep(0.5)
    print(f"{name}, carried out: {', '.join(carried_out)}")
connection.close()
print(f"http.client, connection closed: then {body(by_http_client, '/six')}")
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
http.client, read: 21000 bytes, then 21000 bytes
http.client, closed unread: then BadStatusLine, CannotSendRequest
http.client, carried out: /four
urllib3, read: 21000 bytes, then 21000 bytes
urllib3, closed unread: then 21000 bytes, 21000 bytes
urllib3, carried out: /four, /five
http.client, connection closed: then 21000 bytes
TXT
