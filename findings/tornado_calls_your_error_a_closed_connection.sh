#!/usr/bin/env bash
# An error in the program's own `streaming_callback` is "Connection closed" of tornado.
#
# A program streams a body through `streaming_callback`, and its callback raises. `fetch`
# does not raise that error, nor one that it caused: it raises HTTPStreamClosedError,
# "Connection closed", which a body that the server has cut raises too, so that a retry
# takes it for the network's fault. The program's error is in the log alone.
# `header_callback` is like it.
#
# Versions: tornado 6.6.1, CPython 3.11.
#
# Seen:
#   streaming_callback raises KeyError: HTTPStreamClosedError, Connection closed
#   header_callback raises KeyError: HTTPStreamClosedError, Connection closed
#   the server cuts the body: HTTPStreamClosedError, Connection closed
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'tornado==6.6.1'
cat >"$work/program.py" <<'PY'
import asyncio
import http.server
import logging
import threading

from tornado.simple_httpclient import SimpleAsyncHTTPClient

logging.disable(logging.CRITICAL)


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"x" * (500 if self.path == "/cut" else 1000))
        self.close_connection = self.path == "/cut"

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
server.handle_error = lambda *_: None  # Connections that are dropped.
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"


def fails(part):
    raise KeyError("the program's own")


async def main():
    for name, path, options in (
        ("streaming_callback raises KeyError", "/whole", {"streaming_callback": fails}),
        ("header_callback raises KeyError", "/whole", {"header_callback": fails}),
        ("the server cuts the body", "/cut", {}),
    ):
        try:
            await SimpleAsyncHTTPClient(force_instance=True).fetch(url + path, **options)
        except Exception as error:
            print(f"{name}: {type(error).__name__}, {error}")
        else:
            print(f"{name}: well")


asyncio.run(main())
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
streaming_callback raises KeyError: HTTPStreamClosedError, Connection closed
header_callback raises KeyError: HTTPStreamClosedError, Connection closed
the server cuts the body: HTTPStreamClosedError, Connection closed
TXT
