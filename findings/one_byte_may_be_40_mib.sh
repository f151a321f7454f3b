#!/usr/bin/env bash
# One byte of google's `blob.open()` is 40 MiB, and azure's `download_blob()` has 32 MiB
# before anything is read.
#
# A program opens an object of 100 MiB, reads one byte and closes it, or reads nothing.
# google's `blob.open()` downloads 40 MiB for the byte, through smart-open too, and azure's
# `download_blob()` 32 MiB before it returns, for programs that read nothing or look at the
# size alone. fsspec takes 5 MiB. A stream of boto3 that is closed after its byte has
# brought what was under way, a few MiB at most.
#
# Versions: google-cloud-storage 3.17.1, azure-storage-blob 12.31.1, smart-open 9.0.2,
# fsspec 2026.9.0 with aiohttp 3.14.5, boto3 1.44.8, CPython 3.11.
#
# Seen (what was asked for):
#   google, open and read(1): 40 MiB
#   smart-open of gs://, read(1): 40 MiB
#   azure, download_blob alone: 32 MiB
#   azure, download_blob and its size: 32 MiB
#   smart-open of azure://, read(1): 4 MiB
#   fsspec of http://, read(1): 5 MiB
#   boto3, get_object alone: a stream, broken off
#   boto3, get_object and read(1): a stream, broken off
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
import threading

import boto3
import fsspec
import smart_open
from azure.storage.blob import BlobClient, BlobServiceClient
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage

SIZE = 100 << 20
asked, broken = [], threading.Event()


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path.startswith("/storage/"):  # What google's client asks of the bucket.
            self.answer(200, 2)
            self.wfile.write(b"{}")
            return
        part = self.headers.get("Range") or self.headers.get("x-ms-range")
        if not part:
            self.answer(200, SIZE)
            self.body(SIZE)
            return
        first, _, end = part.removeprefix("bytes=").partition("-")
        first, last = int(first), min(int(end or SIZE), SIZE - 1)
        length = last - first + 1
        if self.command == "GET":
            asked.append(length)
        self.answer(206, length, f"bytes {first}-{last}/{SIZE}")
        self.body(length)

    do_HEAD = do_GET

    def answer(self, status, length, part=""):
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        self.send_header("ETag", '"a tag"')
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("x-ms-blob-type", "BlockBlob")
        if part:
            self.send_header("Content-Range", part)
        self.end_headers()

    def body(self, length):
        if self.command == "HEAD":
            return
        try:
            for at in range(0, length, 1 << 16):
                self.wfile.write(bytes(min(1 << 16, length - at)))
        except OSError:
            self.close_connection = True
            broken.set()

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"
google = storage.Client(
    project="p",
    credentials=AnonymousCredentials(),
    client_options={"api_endpoint": url},
)
azure = BlobServiceClient(url)
s3 = boto3.client(
    "s3",
    endpoint_url=url,
    region_name="us-east-1",
    aws_access_key_id="an id",
    aws_secret_access_key="a key",
)


def one_byte(file):
    with file:
        assert len(file.read(1)) == 1


def by_smart_open(uri, client):
    one_byte(smart_open.open(uri, "rb", transport_params={"client": client}))


def by_fsspec():
    with fsspec.open(url + "/k") as file:
        assert len(file.read(1)) == 1


def by_azure():
    return BlobClient(url, "c", "k").download_blob()


def stream():
    return s3.get_object(Bucket="b", Key="k")["Body"]


for name, program in (
    ("google, open and read(1)", lambda: one_byte(google.bucket("b").blob("k").open("rb"))),
    ("smart-open of gs://, read(1)", lambda: by_smart_open("gs://b/k", google)),
    ("azure, download_blob alone", by_azure),
    ("azure, download_blob and its size", lambda: by_azure().size),
    ("smart-open of azure://, read(1)", lambda: by_smart_open("azure://c/k", azure)),
    ("fsspec of http://, read(1)", by_fsspec),
    ("boto3, get_object alone", lambda: stream().close()),
    ("boto3, get_object and read(1)", lambda: one_byte(stream())),
):
    asked.clear()
    broken.clear()
    program()
    if asked:
        print(f"{name}: {round(sum(asked) / 2**20)} MiB")
    else:
        print(f"{name}: a stream, {'broken off' if broken.wait(10) else 'whole'}")
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
google, open and read(1): 40 MiB
smart-open of gs://, read(1): 40 MiB
azure, download_blob alone: 32 MiB
azure, download_blob and its size: 32 MiB
smart-open of azure://, read(1): 4 MiB
fsspec of http://, read(1): 5 MiB
boto3, get_object alone: a stream, broken off
boto3, get_object and read(1): a stream, broken off
TXT
