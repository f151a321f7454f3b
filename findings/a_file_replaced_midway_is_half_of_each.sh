#!/usr/bin/env bash
# A file that is replaced while fsspec, google's `blob.open()` or smart-open read it is a
# half of the old one and a half of the new; downloads of azure and boto3 raise.
#
# A file is read in parts, and replaced by one of the same length in between. Each answer
# has an ETag that tells. azure and boto3's downloads send it with the next part (If-Match)
# and raise. fsspec's `open()` of HTTP, google's `blob.open()`, and smart-open after a seek
# in an object of S3 ask for the next part without it, and hand out a file that never was: a
# half of the old and a half of the new, with no error.
#
# Versions: fsspec 2026.9.0 with aiohttp 3.14.5, google-cloud-storage 3.17.1, smart-open
# 9.0.2, boto3 1.44.8, azure-storage-blob 12.31.1, CPython 3.11.
#
# Seen (parts of the old one, and of the new one, in what was read):
#   fsspec, open: 50 % old, 50 % new
#   google, blob.open: 50 % old, 50 % new
#   smart-open, seek in s3://: 50 % old, 50 % new
#   azure, download_blob: ResourceModifiedError
#   boto3, download_fileobj: ClientError
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'fsspec==2026.9.0' \
  'aiohttp==3.14.5' 'google-cloud-storage==3.17.1' 'google-resumable-media==2.11.0' \
  'smart-open==9.0.2' 'boto3==1.44.8' 'botocore==1.44.8' 'azure-storage-blob==12.31.1' \
  'azure-core==1.41.0' 'requests==2.34.2' 'urllib3==2.8.0' 'google-api-core==2.44.0' \
  'google-auth==2.63.0' 'google-cloud-core==2.8.0' 'google-crc32c==1.9.0' \
  'opentelemetry-api==1.45.2' 's3transfer==0.19.3'
cat >"$work/program.py" <<'PY'
import http.server
import io
import threading

import boto3
import fsspec
import smart_open
from azure.storage.blob import BlobClient
from boto3.s3.transfer import TransferConfig
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage

SIZE = 40 << 20
HALF = SIZE // 2
replaced = threading.Event()


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if "/download/" not in self.path and self.path.startswith("/storage/"):
            self.send_error(404)  # google's client looks at the bucket meanwhile.
            return
        letter = b"n" if replaced.is_set() else b"o"
        tag = f'"{letter.decode()}"'
        part = self.headers.get("Range") or self.headers.get("x-ms-range")
        first, last = 0, SIZE - 1
        if self.headers.get("If-Match", tag) != tag:
            self.send_response(412)
            self.send_header("x-ms-error-code", "ConditionNotMet")
            length = 0
        else:
            self.send_response(206 if part else 200)
            if part:
                first, _, end = part.removeprefix("bytes=").partition("-")
                first, last = int(first), min(int(end or last), last)
                self.send_header("Content-Range", f"bytes {first}-{last}/{SIZE}")
            length = last - first + 1
        self.send_header("ETag", tag)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("x-ms-blob-type", "BlockBlob")
        self.send_header("Content-Length", str(length))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(letter * length)

    do_HEAD = do_GET

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
server.handle_error = lambda *_: None  # Connections that are dropped.
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"
google = storage.Client(
    project="p",
    credentials=AnonymousCredentials(),
    client_options={"api_endpoint": url},
)
s3 = boto3.client(
    "s3",
    endpoint_url=url,
    region_name="us-east-1",
    aws_access_key_id="an id",
    aws_secret_access_key="a key",
)


def in_halves(file):
    first = file.read(HALF)
    replaced.set()
    return first + file.read()


def by_fsspec():
    with fsspec.open(url + "/file", block_size=1 << 20) as file:
        return in_halves(file)


def by_google():
    with google.bucket("b").blob("k", chunk_size=1 << 20).open("rb") as file:
        return in_halves(file)


def by_smart_open():
    with smart_open.open("s3://b/k", "rb", transport_params={"client": s3}) as file:
        first = file.read(HALF)
        replaced.set()
        file.seek(0)
        file.seek(HALF)
        return first + file.read()


def by_azure():
    return in_halves(BlobClient(url, "c", "k").download_blob())


class Halves(io.BytesIO):
    def write(self, part):
        if self.tell() + len(part) >= HALF:
            replaced.set()
        return super().write(part)


def by_boto3():
    file = Halves()
    s3.download_fileobj("b", "k", file, Config=TransferConfig(use_threads=False))
    return file.getvalue()


for name, program in (
    ("fsspec, open", by_fsspec),
    ("google, blob.open", by_google),
    ("smart-open, seek in s3://", by_smart_open),
    ("azure, download_blob", by_azure),
    ("boto3, download_fileobj", by_boto3),
):
    replaced.clear()
    try:
        whole = program()
    except Exception as error:
        print(f"{name}: {type(error).__name__}")
    else:
        old, new = (round(100 * whole.count(letter) / SIZE) for letter in (b"o", b"n"))
        print(f"{name}: {old} % old, {new} % new")
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
fsspec, open: 50 % old, 50 % new
google, blob.open: 50 % old, 50 % new
smart-open, seek in s3://: 50 % old, 50 % new
azure, download_blob: ResourceModifiedError
boto3, download_fileobj: ClientError
TXT
