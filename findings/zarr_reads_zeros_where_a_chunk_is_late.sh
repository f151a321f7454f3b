#!/usr/bin/env bash
# zarr 2 reads zeros over HTTP where a chunk times out or its connection is reset, and
# raises nothing.
#
# A chunk that is not there is one of zeros, and zarr 2 takes each OSError for that. A
# time-out is one since CPython 3.11, and a connection that is reset is one too: an array
# read over HTTP has zeros where the network failed, and nothing is raised. A 503, or a body
# that is cut, raises. zarr 3.1.6 raises for all of these.
#
# Versions: zarr 2.18.7 on fsspec 2026.9.0 and aiohttp 3.14.5, CPython 3.11.
#
# Seen (of [1, 2, 3, 4, 5, 6], the chunk of 3 and 4 fails):
#   zarr 2.18.7, late: [1, 2, 0, 0, 5, 6]
#   zarr 2.18.7, reset: [1, 2, 0, 0, 5, 6]
#   zarr 2.18.7, cut: ClientPayloadError
#   zarr 2.18.7, busy: ClientResponseError
#   zarr 3.1.6, late: TimeoutError
#   zarr 3.1.6, reset: ClientOSError
#   zarr 3.1.6, cut: ClientPayloadError
#   zarr 3.1.6, busy: ClientResponseError
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'zarr==2.18.7' \
  'numcodecs==0.15.2' 'numpy==2.4.6' 'fsspec==2026.9.0' 'aiohttp==3.14.5'
cat >"$work/program.py" <<'PY'
import http.server
import json
import os
import socket
import struct
import threading
import time

import aiohttp
import zarr

# An array of the second format, which both read: three chunks that are not compressed.
META = {
    "zarr_format": 2,
    "shape": [6],
    "chunks": [2],
    "dtype": "<i4",
    "compressor": None,
    "fill_value": 0,
    "order": "C",
    "filters": None,
}
FILES = {"/.zarray": json.dumps(META).encode(), "/.zattrs": b"{}"}
FILES |= {f"/{chunk}": struct.pack("<2i", 2 * chunk + 1, 2 * chunk + 2) for chunk in range(3)}


class Files(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        _, how, *rest = self.path.split("/")
        name = "/" + "/".join(rest)
        if name == "/1":
            return getattr(self, how)()
        self.answer(200 if name in FILES else 404, FILES.get(name, b""))

    def answer(self, status, body, length=None):
        self.send_response(status)
        self.send_header("Content-Length", str(length or len(body)))
        self.end_headers()
        self.wfile.write(body)

    def late(self):
        time.sleep(4)
        self.close_connection = True

    def reset(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def cut(self):
        self.close_connection = True
        self.answer(200, b"\0", length=8)

    def busy(self):
        self.answer(503, b"busy")

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files)
server.daemon_threads = True
server.handle_error = lambda *_: None  # Connections that were closed here.
threading.Thread(target=server.serve_forever, daemon=True).start()
OPTIONS = {"client_kwargs": {"timeout": aiohttp.ClientTimeout(total=2)}}
for how in ("late", "reset", "cut", "busy"):
    url = f"http://127.0.0.1:{server.server_port}/{how}"
    try:
        seen = zarr.open_array(url, mode="r", storage_options=OPTIONS)[:].tolist()
    except Exception as error:
        seen = type(error).__name__
    print(f"zarr {zarr.__version__}, {how}: {seen}", flush=True)
os._exit(0)
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'zarr==3.1.6'
"$work/venv/bin/python" "$work/program.py" | tee -a "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
zarr 2.18.7, late: [1, 2, 0, 0, 5, 6]
zarr 2.18.7, reset: [1, 2, 0, 0, 5, 6]
zarr 2.18.7, cut: ClientPayloadError
zarr 2.18.7, busy: ClientResponseError
zarr 3.1.6, late: TimeoutError
zarr 3.1.6, reset: ClientOSError
zarr 3.1.6, cut: ClientPayloadError
zarr 3.1.6, busy: ClientResponseError
TXT
