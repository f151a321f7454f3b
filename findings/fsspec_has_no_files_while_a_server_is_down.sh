#!/usr/bin/env bash
# Where a server answers 403 or 503, a file does not exist to fsspec: `exists()` is False,
# `open()` raises FileNotFoundError.
#
# Over HTTP, a server that answers 403 or 503, or closes the connection, is one where the
# file does not exist: `exists()` and a name `in` a mapper are False, `glob()` and
# `getitems(on_error="omit")` are empty, `open()` raises FileNotFoundError. A program that
# skips the files that are not there, or makes them anew, does so while the server is
# restarted. `cat()` raises what happened.
#
# Versions: fsspec 2026.9.0 on aiohttp 3.14.5, CPython 3.11.
#
# Seen:
#   404: exists() False, in False, glob() [], getitems() {}, open() FileNotFoundError, cat() FileNotFoundError
#   403: the same, cat() ClientResponseError
#   503: the same, cat() ClientResponseError
#   closed: the same, cat() ServerDisconnectedError
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'fsspec==2026.9.0' \
  'aiohttp==3.14.5'
cat >"$work/program.py" <<'PY'
import http.server
import os
import threading

import fsspec


class Files(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        status = self.path.lstrip("/")
        if status == "closed":
            self.close_connection = True
            return
        self.send_response(int(status))
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_GET

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"
files, names = fsspec.filesystem("http"), fsspec.get_mapper(url)


def outcome(program):
    try:
        return program()
    except Exception as error:
        return type(error).__name__


for name in ("404", "403", "503", "closed"):
    address = f"{url}/{name}"
    seen = {
        "exists()": files.exists(address),
        "in": name in names,
        "glob()": files.glob(address),
        "getitems()": names.getitems([name], on_error="omit"),
        "open()": outcome(lambda: files.open(address)),
        "cat()": outcome(lambda: files.cat(address)),
    }
    print(f"{name}: {', '.join(f'{what} {result}' for what, result in seen.items())}", flush=True)
os._exit(0)
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
404: exists() False, in False, glob() [], getitems() {}, open() FileNotFoundError, cat() FileNotFoundError
403: exists() False, in False, glob() [], getitems() {}, open() FileNotFoundError, cat() ClientResponseError
503: exists() False, in False, glob() [], getitems() {}, open() FileNotFoundError, cat() ClientResponseError
closed: exists() False, in False, glob() [], getitems() {}, open() FileNotFoundError, cat() ServerDisconnectedError
TXT
