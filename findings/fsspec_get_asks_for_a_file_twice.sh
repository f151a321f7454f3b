#!/usr/bin/env bash
# `fs.get(url, path)` of fsspec asks for a file twice over HTTP, with all of its body
# where it may be a page: a link that is good for once is spent.
#
# To see whether the file is a folder, `get()` and `download()` ask for it first. An
# answer of `text/html`, or without a type, is read to its end; one of `text/csv` is left
# unread, which costs a large one its connection. Then comes the GET for the file itself.
# A server counts two downloads, and a link that is good for one request raises
# FileNotFoundError. With `recursive=True` there are four. `isdir()` asks in the same way.
# `get_file()`, `cat()`, and `get()` of a list, ask once.
#
# Versions: fsspec 2026.9.0 with aiohttp 3.14.5, CPython 3.11.
#
# Seen (a file of 28 MB; GETs, connections, bodies sent to their end):
#   text/csv, get(url, path): 2, 2, 1
#   text/csv, download(url, path): 2, 2, 1
#   text/csv, get_file(url, path): 1, 1, 1
#   text/csv, get([url], [path]): 1, 1, 1
#   no type, get(url, path): 2, 1, 2
#   no type, download(url, path): 2, 1, 2
#   no type, get_file(url, path): 1, 1, 1
#   no type, get([url], [path]): 1, 1, 1
#   text/html, get(url, path): 2, 1, 2
#   text/html, download(url, path): 2, 1, 2
#   text/html, get_file(url, path): 1, 1, 1
#   text/html, get([url], [path]): 1, 1, 1
#   good for once, get(url, path): 2, 2, 0, FileNotFoundError
#   good for once, download(url, path): 2, 2, 0, FileNotFoundError
#   good for once, get_file(url, path): 1, 1, 1
#   good for once, get([url], [path]): 1, 1, 1
#   text/csv, get, recursive: 4, 4, 1
#   text/csv, isdir(url): 1, 1, 0
#   no type, isdir(url): 1, 1, 1
#   no type, cat(url): 1, 1, 1
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'fsspec==2026.9.0' \
  'aiohttp==3.14.5'
cat >"$work/program.py" <<'PY'
import http.server
import os
import tempfile
import threading

import fsspec

BODY = b"a line\n" * 4_000_000
asked, connections, whole, spent = [], set(), [], set()
served = threading.Semaphore(0)


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        asked.append(self.command)
        connections.add(self.client_address)
        there = not (self.path == "/once.csv" and spent)
        spent.add(self.path)
        body = BODY if there else b""
        self.send_response(200 if there else 404)
        if self.path != "/page":
            kind = "html" if self.path == "/page.html" else "csv"
            self.send_header("Content-Type", f"text/{kind}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(body)
            whole.append(len(body))
        except OSError:
            self.close_connection = True
        served.release()

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
root = f"http://127.0.0.1:{server.server_port}"
folder = tempfile.TemporaryDirectory()
fs = fsspec.filesystem("http")


def seen(name, path, call):
    for kept in (asked, connections, whole, spent):
        kept.clear()
    error = ""
    try:
        call(root + path, os.path.join(folder.name, "file"))
    except FileNotFoundError as found:
        error = f", {type(found).__name__}"
    for _ in list(asked):
        assert served.acquire(timeout=30)
    counts = f"{len(asked)}, {len(connections)}, {len([size for size in whole if size])}"
    print(f"{name}: {counts}{error}")


for name, path in (
    ("text/csv", "/file.csv"),
    ("no type", "/page"),
    ("text/html", "/page.html"),
    ("good for once", "/once.csv"),
):
    seen(f"{name}, get(url, path)", path, fs.get)
    seen(f"{name}, download(url, path)", path, fs.download)
    seen(f"{name}, get_file(url, path)", path, fs.get_file)
    seen(f"{name}, get([url], [path])", path, lambda url, path: fs.get([url], [path]))
seen("text/csv, get, recursive", "/file.csv", lambda url, path: fs.get(url, path, recursive=True))
seen("text/csv, isdir(url)", "/file.csv", lambda url, path: fs.isdir(url))
seen("no type, isdir(url)", "/page", lambda url, path: fs.isdir(url))
seen("no type, cat(url)", "/page", lambda url, path: fs.cat(url))
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
text/csv, get(url, path): 2, 2, 1
text/csv, download(url, path): 2, 2, 1
text/csv, get_file(url, path): 1, 1, 1
text/csv, get([url], [path]): 1, 1, 1
no type, get(url, path): 2, 1, 2
no type, download(url, path): 2, 1, 2
no type, get_file(url, path): 1, 1, 1
no type, get([url], [path]): 1, 1, 1
text/html, get(url, path): 2, 1, 2
text/html, download(url, path): 2, 1, 2
text/html, get_file(url, path): 1, 1, 1
text/html, get([url], [path]): 1, 1, 1
good for once, get(url, path): 2, 2, 0, FileNotFoundError
good for once, download(url, path): 2, 2, 0, FileNotFoundError
good for once, get_file(url, path): 1, 1, 1
good for once, get([url], [path]): 1, 1, 1
text/csv, get, recursive: 4, 4, 1
text/csv, isdir(url): 1, 1, 0
no type, isdir(url): 1, 1, 1
no type, cat(url): 1, 1, 1
TXT
