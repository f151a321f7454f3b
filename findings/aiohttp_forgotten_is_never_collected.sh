#!/usr/bin/env bash
# A response of aiohttp that is forgotten unread is collected where its body is small, and
# never where it is large; nobody is told.
#
# A response that a program forgets is collected, and its connection is back, only where the
# whole body has come in. One with more in it than aiohttp takes in unasked lives on,
# whatever the collector does: its transport, which the loop has paused, refers to it. Its
# place among `limit` connections is lost until the session is closed. Unless the loop is in
# debug mode, nobody is told, then and later.
#
# Versions: aiohttp 3.14.5, CPython 3.11.
#
# Seen:
#   5 bytes: collected, the next request 200
#   5000000 bytes: alive, the next request ConnectionTimeoutError
#   warnings: 0, told to the loop: 0
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'aiohttp==3.14.5'
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


async def another(session):
    """The one place of its pool is free, or not."""
    timeout = aiohttp.ClientTimeout(connect=1)
    try:
        async with session.get(f"{url}/5", timeout=timeout) as response:
            return response.status
    except aiohttp.ConnectionTimeoutError as error:
        return type(error).__name__


async def main():
    for size in (5, 5_000_000):
        connector = aiohttp.TCPConnector(limit=1)
        async with aiohttp.ClientSession(connector=connector) as session:
            response = await session.get(f"{url}/{size}")
            reference = weakref.ref(response)
            del response
            await asyncio.sleep(0.3)
            gc.collect()
            state = "collected" if reference() is None else "alive"
            print(f"{size} bytes: {state}, the next request {await another(session)}")


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
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
5 bytes: collected, the next request 200
5000000 bytes: alive, the next request ConnectionTimeoutError
warnings: 0, told to the loop: 0
TXT
