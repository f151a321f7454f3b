#!/usr/bin/env bash
# A download that broke off is the whole file to fsspec's simplecache and filecache from the
# next call on.
#
# The connection ends in the middle of a file. `simplecache::` and `filecache::` raise for
# it, and leave the half in their folder. The next call finds it there, asks the server for
# nothing, and hands the half out as the file, with no error. filecache does so until the
# process ends, also with `check_files=True`, which is to ask the server whether the file
# has changed; simplecache in each process after it too. `fs.get()` takes the half away
# again, and pooch begins anew, so that the second call of these has the whole.
#
# Versions: fsspec 2026.9.0 with aiohttp 3.14.5, pooch 1.9.0 with requests 2.34.2, CPython
# 3.11.
#
# Seen (lines of 20000; the connection ends early in the first call, and in no other):
#   simplecache: ClientPayloadError, then 10000, in the next process 10000
#   filecache: ClientPayloadError, then 10000, in the next process 20000
#   filecache, check_files: ClientPayloadError, then 10000, in the next process 20000
#   fs.get: ClientPayloadError, then 20000, in the next process 20000
#   pooch: ChunkedEncodingError, then 20000, in the next process 20000
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'fsspec==2026.9.0' \
  'aiohttp==3.14.5' 'pooch==1.9.0' 'requests==2.34.2' 'urllib3==2.8.0'
cat >"$work/program.py" <<'PY'
import http.server
import logging
import os
import subprocess
import sys
import threading

import fsspec
import pooch

logging.disable(logging.CRITICAL)
BODY = b"a line\n" * 20_000
broken = threading.Event()


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("ETag", '"one"')
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        if self.command == "GET":
            self.close_connection = broken.is_set()
            self.wfile.write(BODY[: len(BODY) // 2] if broken.is_set() else BODY)

    do_HEAD = do_GET

    def log_message(self, *args):
        pass


def by_pooch(url, place):
    return open(pooch.retrieve(url, None, path=place), "rb")


def by_get(url, place):
    if not os.path.exists(place):
        fsspec.filesystem("http").get(url, place)
    return open(place, "rb")


def cached(kind, **options):
    def by_cache(url, place):
        return fsspec.open(f"{kind}::{url}", **{kind: {"cache_storage": place, **options}})

    return by_cache


WAYS = {
    "simplecache": cached("simplecache"),
    "filecache": cached("filecache"),
    "filecache, check_files": cached("filecache", check_files=True),
    "fs.get": by_get,
    "pooch": by_pooch,
}


def lines(name, url, folder):
    try:
        with WAYS[name](url, os.path.join(folder, name)) as file:
            return sum(1 for _ in file)
    except Exception as error:
        return type(error).__name__


def main(folder):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # Connections that are dropped.
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/table.csv"
    for name in WAYS:
        broken.set()
        first = lines(name, url, folder)
        broken.clear()
        second = lines(name, url, folder)
        command = [sys.executable, __file__, name, url, folder]
        third = subprocess.check_output(command, text=True).strip()
        print(f"{name}: {first}, then {second}, in the next process {third}")


if sys.argv[2:]:
    print(lines(*sys.argv[1:]))
else:
    main(sys.argv[1])
PY
"$work/venv/bin/python" "$work/program.py" "$work" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
simplecache: ClientPayloadError, then 10000, in the next process 10000
filecache: ClientPayloadError, then 10000, in the next process 20000
filecache, check_files: ClientPayloadError, then 10000, in the next process 20000
fs.get: ClientPayloadError, then 20000, in the next process 20000
pooch: ChunkedEncodingError, then 20000, in the next process 20000
TXT
