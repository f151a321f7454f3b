#!/usr/bin/env bash
# A download that broke off is the whole file to fsspec's simplecache and filecache from the
# next call on; and one missing file leaves halves of the others.
#
# fsspec writes a download under its last name, and takes nothing away where it fails. The
# connection ends in the middle of a file: `simplecache::` and `filecache::` raise, and the
# next call finds the half in their folder, asks the server for nothing, and hands it out
# with no error. filecache does so until the process ends, also with `check_files=True`,
# which is to ask the server whether the file has changed; simplecache in the next process
# too. `fs.get()` of several files, of s3fs as well, stops the others where one is missing:
# their halves stay, though no connection broke, and `open_local()` with simplecache hands
# such halves out. pooch begins anew.
#
# Versions: fsspec and s3fs 2026.9.0 with aiohttp 3.14.5, pooch 1.9.0 with requests 2.34.2,
# CPython 3.11.
#
# Seen (20000 lines; the connection ends early in the first call, and in no other):
#   simplecache: ClientPayloadError, then 10000 by 0 requests, in the next process 10000
#   filecache: ClientPayloadError, then 10000 by 0 requests, in the next process 20000
#   filecache, check_files: ClientPayloadError, then 10000 by 0 requests, in the next process 20000
#   pooch: ChunkedEncodingError, then 20000 by 1 requests, in the next process 20000
#   get_file of one that breaks off: ClientPayloadError, part of a
#   get of a, b, c and a missing one: FileNotFoundError, part of a, part of b, part of c
#   s3fs, get of their folder: FileNotFoundError, part of a, part of b, part of c
#   simplecache, open_local of the four: FileNotFoundError, part of a, part of b, part of c
#   simplecache, open_local of a, b, c, later: no error, part of a, part of b, part of c
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 's3fs==2026.9.0' \
  'fsspec==2026.9.0' 'aiobotocore==3.10.0' 'botocore==1.43.117' 'aiohttp==3.14.5' \
  'pooch==1.9.0' 'requests==2.34.2' 'urllib3==2.8.0'
cat >"$work/program.py" <<'PY'
import http.server
import logging
import os
import subprocess
import sys
import threading
import time

import fsspec
import pooch
import s3fs

logging.disable(logging.CRITICAL)
BODY = b"a line\n" * 20_000
HALF = len(BODY) // 2
ENTRY = f"<Contents><Key>folder/%s</Key><Size>{len(BODY)}</Size></Contents>"
LIST = "".join(ENTRY % key for key in ("a", "b", "c", "missing"))
LIST = f"<ListBucketResult><IsTruncated>false</IsTruncated>{LIST}</ListBucketResult>"
asked = []
broken = threading.Event()
raised = threading.Event()


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        asked.append(self.path)
        if "list-type" in self.path:
            self.answer(200, LIST.encode())
        elif self.path.endswith("missing"):
            until_all_have_begun()
            self.answer(404)
        elif broken.is_set():
            self.close_connection = True
            self.answer(200, BODY, HALF)
        elif self.path.endswith(".csv"):
            self.answer(200, BODY)
        else:
            self.answer(200, BODY, HALF)
            if self.command == "GET":
                raised.wait(10)
                self.wfile.write(BODY[HALF:])

    do_HEAD = do_GET

    def answer(self, status, body=b"", end=None):
        self.send_response(status)
        self.send_header("ETag", '"one"')
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body[:end])

    def log_message(self, *args):
        pass


def cached(kind, **options):
    def by_cache(url, place):
        return fsspec.open(f"{kind}::{url}", **{kind: {"cache_storage": place, **options}})

    return by_cache


WAYS = {
    "simplecache": cached("simplecache"),
    "filecache": cached("filecache"),
    "filecache, check_files": cached("filecache", check_files=True),
    "pooch": lambda url, place: open(pooch.retrieve(url, None, path=place), "rb"),
}


def lines(name, url, folder):
    asked.clear()
    try:
        with WAYS[name](url, os.path.join(folder, name)) as file:
            return sum(1 for _ in file)
    except Exception as error:
        return type(error).__name__


def sizes():
    return {name: os.path.getsize(os.path.join(place, name)) for name in os.listdir(place)}


def until_all_have_begun():
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and sum(map(bool, sizes().values())) < 3:
        time.sleep(0.01)


def tried(name, get):
    raised.clear()
    error = "no error"
    try:
        get()
    except Exception as found:
        error = type(found).__name__
    raised.set()
    parts = [f"part of {key}" for key, size in sorted(sizes().items()) if 0 < size < len(BODY)]
    print(", ".join([f"{name}: {error}", *parts]))


def new(name):
    made = os.path.join(folder, name)
    os.mkdir(made)
    return made


if sys.argv[3:]:
    print(lines(*sys.argv[1:]))
    sys.exit()
folder = sys.argv[1]
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
server.handle_error = lambda *_: None  # Connections that are dropped.
threading.Thread(target=server.serve_forever, daemon=True).start()
root = f"http://127.0.0.1:{server.server_port}/"
for name in WAYS:
    url = root + "table.csv"
    broken.set()
    first = lines(name, url, folder)
    broken.clear()
    second = f"{lines(name, url, folder)} by {len(asked)} requests"
    command = [sys.executable, __file__, name, url, folder]
    third = subprocess.check_output(command, text=True).strip()
    print(f"{name}: {first}, then {second}, in the next process {third}")

web = fsspec.filesystem("http")
s3 = s3fs.S3FileSystem(key="an id", secret="a key", endpoint_url=root)
KEYS = ["a", "b", "c", "missing"]


def local(*keys):
    options = {"cache_storage": place, "same_names": True}
    fsspec.open_local([f"simplecache::{root}{key}" for key in keys], simplecache=options)


place = new("one")
broken.set()
tried("get_file of one that breaks off", lambda: web.get_file(root + "a", place + "/a"))
broken.clear()
place = new("web")
there = [os.path.join(place, key) for key in KEYS]
tried("get of a, b, c and a missing one", lambda: web.get([root + key for key in KEYS], there))
place = new("s3")
tried("s3fs, get of their folder", lambda: s3.get("b/folder/", place + "/", recursive=True))
place = new("local")
tried("simplecache, open_local of the four", lambda: local(*KEYS))
tried("simplecache, open_local of a, b, c, later", lambda: local("a", "b", "c"))
PY
"$work/venv/bin/python" "$work/program.py" "$work" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
simplecache: ClientPayloadError, then 10000 by 0 requests, in the next process 10000
filecache: ClientPayloadError, then 10000 by 0 requests, in the next process 20000
filecache, check_files: ClientPayloadError, then 10000 by 0 requests, in the next process 20000
pooch: ChunkedEncodingError, then 20000 by 1 requests, in the next process 20000
get_file of one that breaks off: ClientPayloadError, part of a
get of a, b, c and a missing one: FileNotFoundError, part of a, part of b, part of c
s3fs, get of their folder: FileNotFoundError, part of a, part of b, part of c
simplecache, open_local of the four: FileNotFoundError, part of a, part of b, part of c
simplecache, open_local of a, b, c, later: no error, part of a, part of b, part of c
TXT
