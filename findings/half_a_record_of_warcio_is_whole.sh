#!/usr/bin/env bash
# A record of warcio that is a part of an answer, or of a file that was cut, is read as
# a whole one, and nothing is raised.
#
# `capture_http()` writes down as much of a body as the program reads: where a streamed
# answer was closed early, its record has the `Content-Length` of the whole, a part of
# the body or none, and no `WARC-Truncated`, which is there to say so. And a WARC file
# that breaks off ends in a record that is shorter than it says; ArchiveIterator hands
# it out as it does each other, compressed or not.
#
# Versions: warcio 1.8.1 with requests 2.34.2, CPython 3.11.
#
# Seen (what each record has of its body):
#   read whole: all of Content-Length 500000, WARC-Truncated None
#   closed after 1000: a part of Content-Length 500000, WARC-Truncated None
#   closed unread: nothing of Content-Length 500000, WARC-Truncated None
#   a file cut, plain: a part of Content-Length 500000, WARC-Truncated None
#   a file cut, compressed: a part of Content-Length 500000, WARC-Truncated None
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'warcio==1.8.1' \
  'requests==2.34.2' 'urllib3==2.8.0'
cat >"$work/program.py" <<'PY'
import http.server
import io
import random
import threading

from warcio.capture_http import capture_http  # First: it takes the place of http.client's.

import requests
from warcio.archiveiterator import ArchiveIterator
from warcio.warcwriter import WARCWriter

BODY = random.Random(1).randbytes(500_000)


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
server.handle_error = lambda *_: None  # Connections that are closed early.
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/"


def captured(size):
    with capture_http() as writer, requests.get(url, stream=True) as response:
        response.raw.read(size)
    return writer.get_contents()


def written(archive, *, gzip):
    file = io.BytesIO()
    writer = WARCWriter(file, gzip=gzip)
    for record in ArchiveIterator(io.BytesIO(archive)):
        if record.rec_type == "response":
            writer.write_record(record)
    return file.getvalue()


def seen(name, archive):
    records = ArchiveIterator(io.BytesIO(archive))
    record = next(record for record in records if record.rec_type == "response")
    told = record.http_headers.get_header("Content-Length")
    truncated = record.rec_headers.get_header("WARC-Truncated")
    size = len(record.content_stream().read())
    part = "all" if size == len(BODY) else "a part" if size else "nothing"
    print(f"{name}: {part} of Content-Length {told}, WARC-Truncated {truncated}")


whole = captured(len(BODY))
seen("read whole", whole)
seen("closed after 1000", captured(1000))
seen("closed unread", captured(0))
plain = written(whole, gzip=False)
packed = written(whole, gzip=True)
seen("a file cut, plain", plain[: len(plain) // 2])
seen("a file cut, compressed", packed[: len(packed) // 2])
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
read whole: all of Content-Length 500000, WARC-Truncated None
closed after 1000: a part of Content-Length 500000, WARC-Truncated None
closed unread: nothing of Content-Length 500000, WARC-Truncated None
a file cut, plain: a part of Content-Length 500000, WARC-Truncated None
a file cut, compressed: a part of Content-Length 500000, WARC-Truncated None
TXT
