#!/usr/bin/env bash
# CPython 3.11.7 and 3.13.0, http.client: `close()` of a response that was not read, and the
# end of its `with`, leave the connection open and the body in it. The next request takes
# what is left for its status line, and fails; where the whole body had come along with the
# headers, as short ones do, it went with the response's buffer, and all seems well. Closing
# the connection, or reading, is what helps.
#
# Seen:
#   /short close(): b'hello\n'
#   /short end of its with: b'hello\n'
#   /short read(): b'hello\n'
#   /short connection.close(): b'hello\n'
#   /long close(): BadStatusLine
#   /long end of its with: BadStatusLine
#   /long read(): b'hello\n'
#   /long connection.close(): b'hello\n'
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/program.py" <<'PY'
import http.client
import http.server
import threading


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = b"hello\n" * (100_000 if self.path == "/long" else 1)
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
        self.wfile.write(head + body)

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
server.handle_error = lambda *_: None  # Connections that are dropped.
threading.Thread(target=server.serve_forever, daemon=True).start()


def after(path, end):
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=5)
    connection.request("GET", path)
    end(connection, connection.getresponse())
    connection.request("GET", "/short")
    try:
        return connection.getresponse().read()
    except http.client.BadStatusLine as error:
        return type(error).__name__


def leave(connection, response):
    with response:
        pass


for path in ("/short", "/long"):
    print(path, "close():", after(path, lambda connection, response: response.close()))
    print(path, "end of its with:", after(path, leave))
    print(path, "read():", after(path, lambda connection, response: response.read()))
    print(path, "connection.close():", after(path, lambda connection, _: connection.close()))
PY
"${PYTHON:-python3}" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT'
/short close(): b'hello\n'
/short end of its with: b'hello\n'
/short read(): b'hello\n'
/short connection.close(): b'hello\n'
/long close(): BadStatusLine
/long end of its with: BadStatusLine
/long read(): b'hello\n'
/long connection.close(): b'hello\n'
TXT
