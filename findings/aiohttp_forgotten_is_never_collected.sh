#!/usr/bin/env bash
# aiohttp 3.12.15, CPython 3.11: a response that a program forgets is collected, and its
# connection is back, only where the whole body has come in. One with more in it than aiohttp
# takes in unasked lives on, whatever the collector does: its transport, which the loop has
# paused, refers to it. Its place among `limit` connections is lost until the session is closed.
# Unless the loop is in debug mode, nobody is told, then and later.
#
# Seen:
#   5 bytes: collected, 0 connection(s) taken
#   5000000 bytes: alive, 1 connection(s) taken
#   warnings: 0, told to the loop: 0
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -q --disable-pip-version-check \
  'aiohttp==3.12.15' 2>/dev/null
cat >"$work/program.py" <<'PY'
import asyncio
import gc
import http.server
import threading
import warnings
import weakref

import aiohttp


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = b"x" * int(self.path[1:])
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


async def main():
    async with aiohttp.ClientSession() as session:
        for size in (5, 5_000_000):
            response = await session.get(f"{url}/{size}")
            reference = weakref.ref(response)
            del response
            await asyncio.sleep(0.3)
            gc.collect()
            state = "collected" if reference() is None else "alive"
            taken = len(session.connector._acquired)
            print(f"{size} bytes: {state}, {taken} connection(s) taken")


told = []
with warnings.catch_warnings(record=True) as seen:
    warnings.simplefilter("always")
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda loop, context: told.append(context))
    loop.run_until_complete(main())
    loop.run_until_complete(asyncio.sleep(0.1))
    loop.close()
    gc.collect()
    print(f"warnings: {len(seen)}, told to the loop: {len(told)}")
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT'
5 bytes: collected, 0 connection(s) taken
5000000 bytes: alive, 1 connection(s) taken
warnings: 0, told to the loop: 0
TXT
