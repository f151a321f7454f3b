#!/usr/bin/env bash
# `with gzip.open(response.raw)`, and that of bz2, lzma, tarfile and tqdm, leaves the
# response open; io's wrappers close it even where they are dropped.
#
# A body is read in part, through what knows its format, in a `with`. gzip, bz2, lzma,
# tarfile and tqdm leave the response open at the end of the block. io's wrappers and those
# of codecs close it; io's close it too where they are dropped alone, so that a function
# that reads some text through a TextIOWrapper has closed its caller's response.
#
# Versions: requests 2.34.2, urllib3 2.8.0, tqdm 4.70.1, urllib.request of CPython 3.11.7.
#
# Seen (with responses of requests, urllib3 and urllib.request alike):
#   io.TextIOWrapper: after its with closed, dropped closed
#   io.BufferedReader: after its with closed, dropped closed
#   codecs.getreader: after its with closed, dropped open
#   gzip.open: after its with open, dropped open
#   bz2.open: after its with open, dropped open
#   lzma.open: after its with open, dropped open
#   tarfile.open: after its with open, dropped open
#   tqdm.wrapattr: after its with open, dropped not tried
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'requests==2.34.2' \
  'urllib3==2.8.0' 'tqdm==4.70.1'
cat >"$work/program.py" <<'PY'
import bz2
import codecs
import gzip
import http.server
import io
import lzma
import os
import tarfile
import threading
import urllib.request

import requests
import urllib3
from tqdm import tqdm

NOISE = os.urandom(1_000_000)


def archive():
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for name in ("one", "two"):
            member = tarfile.TarInfo(name)
            member.size = len(NOISE)
            tar.addfile(member, io.BytesIO(NOISE))
    return file.getvalue()


BODIES = {
    "/text": b"a line\n" * 200_000,
    "/gz": gzip.compress(NOISE),
    "/bz2": bz2.compress(NOISE),
    "/xz": lzma.compress(NOISE),
    "/tar": archive(),
}


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = BODIES[self.path]
        self.send_response(200)
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


def open_by_requests(path):
    return requests.get(url + path, stream=True).raw


def open_by_urllib3(path):
    return urllib3.request("GET", url + path, preload_content=False)


def open_by_urllib(path):
    return urllib.request.urlopen(url + path)


OPENERS = (open_by_requests, open_by_urllib3, open_by_urllib)


def some(file):
    file.read(10)


def member(file):
    file.next()


def after_its_with(path, wrap, read, opened):
    response = opened(path)
    with wrap(response) as file:
        read(file)
    return "closed" if response.closed else "open"


def after_its_end(path, wrap, read, opened):
    response = opened(path)
    read(wrap(response))
    return "closed" if response.closed else "open"


for name, path, wrap, read in (
    ("io.TextIOWrapper", "/text", io.TextIOWrapper, some),
    ("io.BufferedReader", "/text", io.BufferedReader, some),
    ("codecs.getreader", "/text", codecs.getreader("utf-8"), some),
    ("gzip.open", "/gz", gzip.open, some),
    ("bz2.open", "/bz2", bz2.open, some),
    ("lzma.open", "/xz", lzma.open, some),
    ("tarfile.open", "/tar", lambda body: tarfile.open(fileobj=body, mode="r|"), member),
    ("tqdm.wrapattr", "/text", lambda body: tqdm.wrapattr(body, "read", disable=True), some),
):
    (left,) = {after_its_with(path, wrap, read, opened) for opened in OPENERS}
    dropped = "not tried"
    if name != "tqdm.wrapattr":  # A block, and nothing else.
        (dropped,) = {after_its_end(path, wrap, read, opened) for opened in OPENERS}
    print(f"{name}: after its with {left}, dropped {dropped}")
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
io.TextIOWrapper: after its with closed, dropped closed
io.BufferedReader: after its with closed, dropped closed
codecs.getreader: after its with closed, dropped open
gzip.open: after its with open, dropped open
bz2.open: after its with open, dropped open
lzma.open: after its with open, dropped open
tarfile.open: after its with open, dropped open
tqdm.wrapattr: after its with open, dropped not tried
TXT
