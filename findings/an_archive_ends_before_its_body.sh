#!/usr/bin/env bash
# tarfile and pickle read a response to the end of their own format, and leave a chunked one
# open.
#
# A program reads five answers, one after the other, from `raw`, by what knows the end of
# its own format. tarfile and pickle stop there, and do not see that a chunked body ends as
# well: each response stays open with its connection, though nothing is left to read, and
# the next request needs another one. With a Content-Length there is one connection. json,
# gzip, XML and CSV read one time more, and so do tar archives that are compressed.
#
# Versions: requests 2.34.2, urllib3 2.8.0, CPython 3.11.
#
# Seen (connections for five answers, and responses still open):
#   tarfile, r|: with a length 1, 0 open; chunked 5, 5 open
#   tarfile, r|gz: with a length 1, 0 open; chunked 1, 0 open
#   pickle.load: with a length 1, 0 open; chunked 5, 5 open
#   json.load: with a length 1, 0 open; chunked 1, 0 open
#   gzip: with a length 1, 0 open; chunked 1, 0 open
#   iterparse: with a length 1, 0 open; chunked 1, 0 open
#   csv.reader: with a length 1, 0 open; chunked 1, 0 open
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'requests==2.34.2' \
  'urllib3==2.8.0'
cat >"$work/program.py" <<'PY'
import csv
import gzip
import http.server
import io
import json
import pickle
import tarfile
import threading
import xml.etree.ElementTree as ElementTree

import requests

connections = []


def archive(mode):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as tar:
        for name in "abc":
            member = tarfile.TarInfo(name)
            member.size = 30_000
            tar.addfile(member, io.BytesIO(bytes(member.size)))
    return file.getvalue()


def members(mode):
    def read(raw):
        with tarfile.open(fileobj=raw, mode=mode) as tar:
            return sum(len(tar.extractfile(member).read()) for member in tar)

    return read


def rows(raw):
    raw.auto_close = False  # As urllib3 says, or csv meets a closed file.
    return sum(int(row[1]) for row in csv.reader(io.TextIOWrapper(raw)))


numbers = list(range(30_000))
KINDS = {
    "tarfile, r|": (archive("w"), members("r|"), 90_000),
    "tarfile, r|gz": (archive("w:gz"), members("r|gz"), 90_000),
    "pickle.load": (pickle.dumps(numbers), pickle.load, numbers),
    "json.load": (json.dumps(numbers).encode(), json.load, numbers),
    "gzip": (
        gzip.compress(b"x" * 500_000, 0),
        lambda raw: len(gzip.GzipFile(fileobj=raw).read()),
        500_000,
    ),
    "iterparse": (
        b"<rows>" + b"<row>text</row>" * 9_000 + b"</rows>",
        lambda raw: len(list(ElementTree.iterparse(raw))),
        9_001,
    ),
    "csv.reader": (b"text,3\r\n" * 9_000, rows, 27_000),
}


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        connections.append(self.client_address)
        _, way, number = self.path.split("/")
        body = list(KINDS.values())[int(number)][0]
        self.send_response(200)
        if way == "length":
            self.send_header("Content-Length", str(len(body)))
        else:
            self.send_header("Transfer-Encoding", "chunked")
            chunks = [body[at : at + 8_000] for at in range(0, len(body), 8_000)]
            body = b"".join(b"%x\r\n%b\r\n" % (len(one), one) for one in [*chunks, b""])
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()


def five(way, number, read, result):
    url = f"http://127.0.0.1:{server.server_port}/{way}/{number}"
    connections.clear()
    with requests.Session() as session:
        kept = [session.get(url, stream=True)]
        assert read(kept[0].raw) == result
        for _ in range(4):
            kept.append(session.get(url, stream=True))
            assert read(kept[-1].raw) == result
        still = sum(response.raw.connection is not None for response in kept)
        for response in kept:
            response.close()
    return f"{len(set(connections))}, {still} open"


for number, (name, (_, read, result)) in enumerate(KINDS.items()):
    fixed = five("length", number, read, result)
    chunked = five("chunked", number, read, result)
    print(f"{name}: with a length {fixed}; chunked {chunked}")
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
tarfile, r|: with a length 1, 0 open; chunked 5, 5 open
tarfile, r|gz: with a length 1, 0 open; chunked 1, 0 open
pickle.load: with a length 1, 0 open; chunked 5, 5 open
json.load: with a length 1, 0 open; chunked 1, 0 open
gzip: with a length 1, 0 open; chunked 1, 0 open
iterparse: with a length 1, 0 open; chunked 1, 0 open
csv.reader: with a length 1, 0 open; chunked 1, 0 open
TXT
