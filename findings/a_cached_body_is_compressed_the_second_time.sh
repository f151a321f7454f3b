#!/usr/bin/env bash
# The `raw` of a streamed answer is decoded by requests-cache the first time, and compressed
# from the cache; and what works with requests may raise the first time alone.
#
# A server sends gzip, and a program reads the answer's `raw`, as tarfile, csv or
# shutil.copyfileobj do. requests gives what it asks for, decoded or as it came. Under
# requests-cache the first answer can only be had decoded, and raises RuntimeError where it
# is read as it came; that of the cache is compressed, whatever is asked for. So a loop over
# `raw` has lines at first and compressed bytes in each run after it, without an error.
# CacheControl is like requests, and `iter_content` and `content` are right under each.
#
# Versions: requests-cache 1.3.3, CacheControl 0.14.4, requests 2.34.2, urllib3 2.8.0,
# CPython 3.11.
#
# Seen (the first answer, then the second):
#   iter_content: requests decoded, decoded; CacheControl decoded, decoded; requests-cache decoded, decoded
#   raw, decode_content=True: requests decoded, decoded; CacheControl decoded, decoded; requests-cache decoded, compressed
#   for line in raw: requests decoded, decoded; CacheControl decoded, decoded; requests-cache decoded, compressed
#   raw.read(): requests compressed, compressed; CacheControl compressed, compressed; requests-cache RuntimeError, compressed
#   copyfileobj(raw, file): requests compressed, compressed; CacheControl compressed, compressed; requests-cache RuntimeError, compressed
#   GzipFile(fileobj=raw): requests decoded, decoded; CacheControl decoded, decoded; requests-cache RuntimeError, decoded
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check \
  'requests-cache==1.3.3' 'CacheControl==0.14.4' 'requests==2.34.2' 'urllib3==2.8.0'
cat >"$work/program.py" <<'PY'
import gzip
import http.server
import io
import shutil
import threading

import cachecontrol
import requests
import requests_cache

BODY = b"one line\n" * 1000
asked = []


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        asked.append(self.path)
        body = gzip.compress(BODY)
        self.send_response(200)
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "max-age=60")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"


def decoded(response):
    response.raw.decode_content = True
    return response.raw.read()


def copied(response):
    file = io.BytesIO()
    shutil.copyfileobj(response.raw, file)
    return file.getvalue()


WAYS = {
    "iter_content": lambda response: b"".join(response.iter_content(100)),
    "raw, decode_content=True": decoded,
    "for line in raw": lambda response: b"".join(response.raw),
    "raw.read()": lambda response: response.raw.read(),
    "copyfileobj(raw, file)": copied,
    "GzipFile(fileobj=raw)": lambda response: gzip.GzipFile(fileobj=response.raw).read(),
}
SESSIONS = {
    "requests": requests.Session,
    "CacheControl": lambda: cachecontrol.CacheControl(requests.Session()),
    "requests-cache": lambda: requests_cache.CachedSession(backend="memory"),
}


def seen(session, read):
    try:
        with session.get(url, stream=True) as response:
            body = read(response)
    except RuntimeError:
        return "RuntimeError"
    return {BODY: "decoded", b"\x1f\x8b": "compressed"}[body if body == BODY else body[:2]]


for way, read in WAYS.items():
    row = []
    for name, make in SESSIONS.items():
        with make() as session:
            asked.clear()
            row.append(f"{name} {seen(session, read)}, {seen(session, read)}")
            assert len(asked) == (2 if name == "requests" else 1), (name, way)
    print(f"{way}: {'; '.join(row)}")
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
iter_content: requests decoded, decoded; CacheControl decoded, decoded; requests-cache decoded, decoded
raw, decode_content=True: requests decoded, decoded; CacheControl decoded, decoded; requests-cache decoded, compressed
for line in raw: requests decoded, decoded; CacheControl decoded, decoded; requests-cache decoded, compressed
raw.read(): requests compressed, compressed; CacheControl compressed, compressed; requests-cache RuntimeError, compressed
copyfileobj(raw, file): requests compressed, compressed; CacheControl compressed, compressed; requests-cache RuntimeError, compressed
GzipFile(fileobj=raw): requests decoded, decoded; CacheControl decoded, decoded; requests-cache RuntimeError, decoded
TXT
