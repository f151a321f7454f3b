#!/usr/bin/env bash
# aiohttp's `DigestAuthMiddleware` forgets the answer that it was refused by, and a large
# one keeps its connection taken.
#
# The middleware asks again where a server answers 401, and forgets that answer unread, open
# as it is. Where its body is large the connection stays taken, a collection does not change
# that, and the program has nothing that would close it. With `limit=2` the second call has
# no connection to ask again by, and raises TimeoutError, and so does the third. After a
# small body the connection comes back by itself.
#
# Versions: aiohttp 3.14.5, CPython 3.11.7.
#
# Seen (three calls, each by a middleware of its own, and the connections still taken):
#   401 of 1000 bytes: fine, fine, fine; taken 0
#   401 of 2000000 bytes: fine, TimeoutError, TimeoutError; taken 2
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

import aiohttp

CHALLENGE = 'Digest realm="r", nonce="n", qop="auth", algorithm=MD5'


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        known = "Authorization" in self.headers
        body = b"fine" if known else b"x" * int(self.path[1:])
        self.send_response(200 if known else 401)
        self.send_header("WWW-Authenticate", CHALLENGE)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
server.handle_error = lambda *_: None  # Connections that are closed.
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"


async def call(session, size):
    digest = aiohttp.DigestAuthMiddleware("user", "password")
    try:
        async with session.get(f"{url}/{size}", middlewares=(digest,)) as response:
            return await response.text()
    except asyncio.TimeoutError as error:
        return type(error).__name__


async def main():
    limit = aiohttp.ClientTimeout(total=3)
    for size in (1000, 2_000_000):
        connector = aiohttp.TCPConnector(limit=2)
        async with aiohttp.ClientSession(connector=connector, timeout=limit) as session:
            seen = [await call(session, size) for _ in range(3)]
            gc.collect()
            await asyncio.sleep(0.1)
            print(f"401 of {size} bytes: {', '.join(seen)}; taken {len(connector._acquired)}")


asyncio.run(main())
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
401 of 1000 bytes: fine, fine, fine; taken 0
401 of 2000000 bytes: fine, TimeoutError, TimeoutError; taken 2
TXT
