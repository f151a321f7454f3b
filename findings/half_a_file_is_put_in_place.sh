#!/usr/bin/env bash
# Where a `with` that writes a file to a store ends in an error, s3fs, adlfs, webdav4 and
# google's text files put the half in place; smart-open and google's `open("wb")` do not.
#
# A store has a new file only when its upload is finished, so that the old one could stay
# where the program fails as it writes. s3fs, adlfs and webdav4 close their file as the error
# leaves the `with`, and to close it is to finish the upload. fsspec's `with fs.transaction:`
# is to discard such a file: it does so in s3fs, and not in adlfs and webdav4, which
# accept it all the same. Google's `blob.open("wb")` lets the upload go, but `blob.open("w")`,
# and an io.TextIOWrapper around the former, finish it. smart-open finishes none, in either
# mode. The error itself comes out of each `with`.
#
# Versions: s3fs and fsspec 2026.9.0, adlfs 2026.8.0, webdav4 0.11.0, google-cloud-storage
# 3.17.1, smart-open 9.0.2 with boto3 1.43.117, CPython 3.11.
#
# Seen (after an error behind the first 1000 bytes of a new file):
#   s3fs, wb: 1000 bytes are the file
#   s3fs, w: 1000 bytes are the file
#   adlfs, wb: 1000 bytes are the file
#   webdav4, wb: 1000 bytes are the file
#   s3fs, wb in a transaction: the old file stays
#   adlfs, wb in a transaction: 1000 bytes are the file
#   webdav4, wb in a transaction: 1000 bytes are the file
#   google, wb: the old file stays
#   google, w: 1000 bytes are the file
#   google, wb in TextIOWrapper: 1000 bytes are the file
#   smart-open, wb: the old file stays
#   smart-open, w: the old file stays
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 's3fs==2026.9.0' \
  'fsspec==2026.9.0' 'aiobotocore==3.10.0' 'aiohttp==3.14.5' 'adlfs==2026.8.0' \
  'azure-storage-blob==12.31.1' 'azure-core==1.41.0' 'webdav4==0.11.0' 'httpx==0.28.1' \
  'httpcore==1.0.9' 'google-cloud-storage==3.17.1' 'google-api-core==2.44.0' \
  'google-auth==2.63.0' 'google-resumable-media==2.11.0' 'google-crc32c==1.9.0' \
  'smart-open==9.0.2' 'boto3==1.43.117' 'botocore==1.43.117' 'requests==2.34.2' \
  'urllib3==2.8.0'
cat >"$work/program.py" <<'PY'
import base64
import contextlib
import http.server
import io
import json
import threading

import adlfs
import boto3
import google_crc32c
import s3fs
import smart_open
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage
from webdav4.fsspec import WebdavFileSystem

blocks, stored = [], []  # Azure's blocks, and what took the old file's place.
STARTED = b"<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"


class Store(http.server.BaseHTTPRequestHandler):
    """As much of S3, Azure, Google's storage and WebDAV as an upload needs."""

    protocol_version = "HTTP/1.1"

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        self.send_header("ETag", '"1"')
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_PUT(self):
        body = self.body()
        if "comp=block&" in self.path:
            blocks.append(len(body))
            return self.answer(201)
        if "partNumber" in self.path:
            return self.answer(200)
        stored.append(sum(blocks) if "comp=blocklist" in self.path else len(body))
        if self.path == "/session":
            crc = base64.b64encode(google_crc32c.Checksum(body).digest()).decode()
            known = json.dumps({"name": "k", "bucket": "b", "crc32c": crc}).encode()
            return self.answer(200, known, Content_Type="application/json")
        self.answer(201 if "/azure/" in self.path else 200)

    def do_POST(self):
        self.body()
        if "?uploads" in self.path:  # S3's upload in parts begins.
            return self.answer(200, STARTED, Content_Type="application/xml")
        self.answer(200, b"{}", Location=url + "/session")

    def do_DELETE(self):  # S3's upload in parts is called off.
        self.answer(204)

    def do_GET(self):
        self.answer(404)

    do_HEAD = do_GET

    def body(self):
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Store)
server.daemon_threads = True
server.handle_error = lambda *_: None  # Connections that are dropped.
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"
keys = {"aws_access_key_id": "an id", "aws_secret_access_key": "a key"}
s3 = s3fs.S3FileSystem(key="an id", secret="a key", endpoint_url=url)
client = boto3.client("s3", endpoint_url=url, region_name="us-east-1", **keys)
azure = adlfs.AzureBlobFileSystem(
    connection_string="DefaultEndpointsProtocol=http;AccountName=azure;"
    f"AccountKey=YSBrZXk=;BlobEndpoint={url}/azure;"
)
google = storage.Client(
    project="p", credentials=AnonymousCredentials(), client_options={"api_endpoint": url}
)
blob = google.bucket("b").blob("k")
webdav = WebdavFileSystem(url)
options = {"transport_params": {"client": client}}


@contextlib.contextmanager
def in_transaction(fs, path):
    with fs.transaction, fs.open(path, "wb") as file:
        yield file


for name, open_it in (
    ("s3fs, wb", lambda: s3.open("b/k", "wb")),
    ("s3fs, w", lambda: s3.open("b/k", "w")),
    ("adlfs, wb", lambda: azure.open("b/k", "wb")),
    ("webdav4, wb", lambda: webdav.open("k", "wb")),
    ("s3fs, wb in a transaction", lambda: in_transaction(s3, "b/k")),
    ("adlfs, wb in a transaction", lambda: in_transaction(azure, "b/k")),
    ("webdav4, wb in a transaction", lambda: in_transaction(webdav, "k")),
    ("google, wb", lambda: blob.open("wb")),
    ("google, w", lambda: blob.open("w")),
    (
        "google, wb in TextIOWrapper",
        lambda: io.TextIOWrapper(blob.open("wb", ignore_flush=True)),
    ),
    ("smart-open, wb", lambda: smart_open.open("s3://b/k", "wb", **options)),
    ("smart-open, w", lambda: smart_open.open("s3://b/k", "w", **options)),
):
    blocks.clear()
    stored.clear()
    try:
        with open_it() as file:
            file.write(b"x" * 1000 if "wb" in name and "Text" not in name else "x" * 1000)
            raise ZeroDivisionError
    except ZeroDivisionError:
        print(f"{name}: {f'{stored[-1]} bytes are the file' if stored else 'the old file stays'}")
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
s3fs, wb: 1000 bytes are the file
s3fs, w: 1000 bytes are the file
adlfs, wb: 1000 bytes are the file
webdav4, wb: 1000 bytes are the file
s3fs, wb in a transaction: the old file stays
adlfs, wb in a transaction: 1000 bytes are the file
webdav4, wb in a transaction: 1000 bytes are the file
google, wb: the old file stays
google, w: 1000 bytes are the file
google, wb in TextIOWrapper: 1000 bytes are the file
smart-open, wb: the old file stays
smart-open, w: the old file stays
TXT
