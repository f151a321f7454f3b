#!/usr/bin/env bash
# fsspec's `cat_file`, `cat_ranges` and references give the whole file for a part, where a
# server takes no notice of `Range`.
#
# A server that takes no notice of `Range`, as `python -m http.server` of CPython 3.11,
# answers with the whole file, and HTTP allows that. `open()` then refuses to read from the
# middle; `cat_file(url, start, end)` and `cat_ranges()` give the whole file for the part
# and raise nothing, and so does the reference filesystem (kerchunk's), which is built on
# them.
#
# Versions: fsspec 2026.9.0 with aiohttp 3.14.5, CPython 3.11.
#
# Seen (bytes 100 to 109 of 10000):
#   open().seek(100), read(10): ValueError
#   cat_file(100, 110): 10000 bytes, b'000000000\n'...
#   cat_ranges([100], [110]): 10000 bytes, b'000000000\n'...
#   reference: 10000 bytes, b'000000000\n'...
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'fsspec==2026.9.0' \
  'aiohttp==3.14.5'
cat >"$work/program.py" <<'PY'
import http.server
import threading

import fsspec

WHOLE = b"".join(b"%09d\n" % number for number in range(1000))


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_HEAD(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(WHOLE)))
        self.end_headers()

    def do_GET(self):
        self.do_HEAD()
        self.wfile.write(WHOLE)

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
server.handle_error = lambda *_: None  # Connections that are dropped.
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/file"
web = fsspec.filesystem("http")
reference = fsspec.filesystem(
    "reference", fo={"part": [url, 100, 10]}, remote_protocol="http"
)


def by_open():
    with web.open(url) as file:
        file.seek(100)
        return file.read(10)


for name, program in {
    "open().seek(100), read(10)": by_open,
    "cat_file(100, 110)": lambda: web.cat_file(url, 100, 110),
    "cat_ranges([100], [110])": lambda: web.cat_ranges([url], [100], [110])[0],
    "reference": lambda: reference.cat("part"),
}.items():
    try:
        part = program()
    except Exception as error:
        print(f"{name}: {type(error).__name__}")
    else:
        print(f"{name}: {len(part)} bytes, {part[:10]!r}...")
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
open().seek(100), read(10): ValueError
cat_file(100, 110): 10000 bytes, b'000000000\n'...
cat_ranges([100], [110]): 10000 bytes, b'000000000\n'...
reference: 10000 bytes, b'000000000\n'...
TXT
