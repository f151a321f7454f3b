#!/usr/bin/env bash
# Where one file of several is missing, `fs.get()` of fsspec and s3fs leaves halves of the
# others; `open_local("simplecache::...")` then has these for whole.
#
# fsspec downloads several files at once. Where one of them does not exist, or fails, the
# call raises for it and stops the others where they are: their halves stay under the names
# that they were to have, as though they had come whole. (A single file that fails is taken
# away again.) A second run that asks only for what is not there takes them for whole, and
# so does simplecache of itself: `open_local()` of the files that do exist hands the halves
# out, and raises nothing. s3fs's `get()` is like it, of a folder too.
#
# Versions: fsspec and s3fs 2026.9.0 with aiohttp 3.14.5, CPython 3.11.
#
# Seen (a, b and c are there, and one more is not):
#   fs.get of four: FileNotFoundError, then a half, b half, c half
#   s3fs, get of four: FileNotFoundError, then a half, b half, c half
#   s3fs, get of a folder: FileNotFoundError, then a half, b half, c half
#   fs.get of one that breaks off: ClientPayloadError, then nothing
#   simplecache, open_local of four: FileNotFoundError, then a half, b half, c half
#   simplecache, open_local of three, later: a half, b half, c half
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 's3fs==2026.9.0' \
  'fsspec==2026.9.0' 'aiobotocore==3.10.0' 'botocore==1.43.117' 'aiohttp==3.14.5'
cat >"$work/program.py" <<'PY'
import http.server
import os
import sys
import threading
import time

import fsspec
import s3fs

HALF = b"a line\n" * 10_000
KEYS = ("a", "b", "c", "missing")
ENTRY = "<Contents><Key>folder/%s</Key><Size>140000</Size></Contents>"
LIST = "<ListBucketResult>" + "".join(ENTRY % key for key in KEYS) + "</ListBucketResult>"
refused = threading.Event()  # It was said that the one is missing.


class Store(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body=b"", length=None):
        self.send_response(status)
        self.send_header("ETag", '"1"')
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def do_GET(self):
        if "list-type" in self.path:
            return self.answer(200, LIST.encode())
        if "missing" in self.path:
            time.sleep(0.5)  # The others are on their way.
            refused.set()
            return self.answer(404)
        self.answer(200, HALF, 2 * len(HALF))
        if self.command == "HEAD":
            return
        self.close_connection = "breaks" in self.path
        if not self.close_connection:
            refused.wait(10)
            time.sleep(0.5)  # What stops them has the time to do so.
            self.wfile.write(HALF)

    do_HEAD = do_GET

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Store)
server.daemon_threads = True
server.handle_error = lambda *_: None  # Connections that are dropped.
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"
web = fsspec.filesystem("http")
s3 = s3fs.S3FileSystem(key="an id", secret="a key", endpoint_url=url)


def found(folder):
    words = {len(HALF): "half", 2 * len(HALF): "whole"}
    sizes = {name: os.path.getsize(os.path.join(folder, name)) for name in os.listdir(folder)}
    seen = [f"{name} {words[size]}" for name, size in sorted(sizes.items()) if size]
    return ", ".join(seen) or "nothing"


def cached(folder, *keys):
    options = {"cache_storage": folder, "same_names": True}
    fsspec.open_local([f"simplecache::{url}/{key}" for key in keys], simplecache=options)


def tried(name, get):
    folder = os.path.join(sys.argv[1], name.replace(" ", "-"))
    os.mkdir(folder)
    refused.clear()
    try:
        get(folder)
    except Exception as error:
        print(f"{name}: {type(error).__name__}, then {found(folder)}")
    return folder


def several(fs, start):
    return lambda folder: fs.get(
        [start + key for key in KEYS], [os.path.join(folder, key) for key in KEYS]
    )


tried("fs.get of four", several(web, url + "/"))
tried("s3fs, get of four", several(s3, "bucket/folder/"))
tried("s3fs, get of a folder", lambda at: s3.get("bucket/folder/", at + "/", recursive=True))
tried("fs.get of one that breaks off", lambda at: web.get(url + "/breaks", at + "/breaks"))
place = tried("simplecache, open_local of four", lambda at: cached(at, *KEYS))
cached(place, "a", "b", "c")
print(f"simplecache, open_local of three, later: {found(place)}")
PY
"$work/venv/bin/python" "$work/program.py" "$work" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
fs.get of four: FileNotFoundError, then a half, b half, c half
s3fs, get of four: FileNotFoundError, then a half, b half, c half
s3fs, get of a folder: FileNotFoundError, then a half, b half, c half
fs.get of one that breaks off: ClientPayloadError, then nothing
simplecache, open_local of four: FileNotFoundError, then a half, b half, c half
simplecache, open_local of three, later: a half, b half, c half
TXT
