#!/usr/bin/env bash
# What azure-storage-blob appends is there twice, and nothing is raised, where the
# answer to the first try is lost; a message of azure-storage-queue too.
#
# The service appends what it was sent, and the connection breaks before it has
# answered. azure tries again of itself, also where it is not safe to repeat:
# `append_block()`, `upload_blob(blob_type="AppendBlob")`, a file that adlfs has opened
# with `"ab"` and `send_message()` return as if all were well, and the line or the
# message is there once more. With `retry_total=0` the error is raised, and the line is
# there once.
#
# Versions: azure-storage-blob 12.31.1, azure-storage-queue 12.18.1, adlfs 2026.8.0,
# CPython 3.11.
#
# Seen (the first answer to each call is lost; how often it was sent, what is there):
#   append_block: no error, sent 2, there 2
#   upload_blob, AppendBlob: no error, sent 2, there 2
#   adlfs, "ab": no error, sent 2, there 2
#   send_message: no error, sent 2, there 2
#   append_block, retry_total=0: ServiceResponseError, sent 1, there 1
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check \
  'azure-storage-blob==12.31.1' 'azure-storage-queue==12.18.1' 'azure-core==1.41.0' \
  'adlfs==2026.8.0' 'fsspec==2026.9.0' 'azure-identity==1.27.0' 'aiohttp==3.14.5' \
  'requests==2.34.2' 'urllib3==2.8.0'
cat >"$work/program.py" <<'PY'
import http.server
import logging
import threading

import fsspec
from azure.storage.blob import BlobClient
from azure.storage.queue import QueueClient

logging.disable(logging.CRITICAL)
DATE = "Wed, 21 Oct 2015 07:28:00 GMT"
MESSAGE = "".join(
    f"<{name}>{value}</{name}>"
    for name, value in (
        ("MessageId", "1"),
        ("InsertionTime", DATE),
        ("ExpirationTime", DATE),
        ("PopReceipt", "a receipt"),
        ("TimeNextVisible", DATE),
    )
)
MESSAGE = f"<QueueMessagesList><QueueMessage>{MESSAGE}</QueueMessage></QueueMessagesList>"
there, sent = [], []


class Store(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_PUT(self):
        body = self.body()
        if "comp=appendblock" not in self.path:  # The blob is made.
            self.answer(201)
        else:
            self.append(body, ("x-ms-blob-append-offset", str(len(b"".join(there)))))

    def do_POST(self):
        self.append(self.body(), answered=MESSAGE)

    def do_HEAD(self):
        self.answer(200, ("x-ms-blob-type", "AppendBlob"))

    def append(self, body, *fields, answered=""):
        there.append(body)
        sent.append(self.path)
        if len(sent) == 1:
            self.close_connection = True
        else:
            self.answer(201, *fields, answered=answered)

    def body(self):
        return self.rfile.read(int(self.headers["Content-Length"]))

    def answer(self, status, *fields, answered=""):
        self.send_response(status)
        for field in (("ETag", '"1"'), ("Last-Modified", DATE), *fields):
            self.send_header(*field)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(answered)))
        self.end_headers()
        self.wfile.write(answered.encode())

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Store)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/account"
ACCOUNT = f"AccountName=account;AccountKey=a2V5;BlobEndpoint={url};QueueEndpoint={url}"
LINE = b"a line\n"


def blob(**options):
    return BlobClient.from_connection_string(ACCOUNT, "logs", "log", **options)


def by_adlfs():
    files = fsspec.filesystem("abfs", connection_string=ACCOUNT)
    with files.open("logs/log", "ab") as file:
        file.write(LINE)


def message():
    QueueClient.from_connection_string(ACCOUNT, "queue").send_message("a message")


for name, call in (
    ("append_block", lambda: blob().append_block(LINE)),
    ("upload_blob, AppendBlob", lambda: blob().upload_blob(LINE, blob_type="AppendBlob")),
    ('adlfs, "ab"', by_adlfs),
    ("send_message", message),
    ("append_block, retry_total=0", lambda: blob(retry_total=0).append_block(LINE)),
):
    there.clear()
    sent.clear()
    try:
        call()
        error = "no error"
    except Exception as found:
        error = type(found).__name__
    print(f"{name}: {error}, sent {len(sent)}, there {len(there)}")
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
append_block: no error, sent 2, there 2
upload_blob, AppendBlob: no error, sent 2, there 2
adlfs, "ab": no error, sent 2, there 2
send_message: no error, sent 2, there 2
append_block, retry_total=0: ServiceResponseError, sent 1, there 1
TXT
