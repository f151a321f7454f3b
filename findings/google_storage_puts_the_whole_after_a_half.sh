#!/usr/bin/env bash
# A download of google-cloud-storage that breaks off has the half and then the whole, where
# a server takes no notice of `Range`.
#
# A download that breaks off is asked for again from the byte where it broke. Where the
# server takes no notice of `Range` (HTTP allows it, and proxies and emulators do so), its
# answer is 200 with the whole object, and that is written after the half that came before,
# and nothing is raised. With a crc32c in the headers the first two raise DataCorruption;
# the others do not look at it.
#
# Versions: google-cloud-storage 3.17.1 and google-resumable-media 2.11.0 with requests
# 2.34.2 and urllib3 2.8.0, CPython 3.11.
#
# Seen (of 1024000 bytes):
#   download_as_bytes(): 1523712 bytes, right: False; with a crc32c DataCorruption
#   download_to_filename(): 1523712 bytes, right: False; with a crc32c DataCorruption
#   resumable media's Download: 1523712 bytes, right: False; with a crc32c the same
#   blob.open(): 1523712 bytes, right: False; with a crc32c the same
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check \
  'google-cloud-storage==3.17.1' 'google-resumable-media==2.11.0' 'google-crc32c==1.9.0' \
  'requests==2.34.2' 'urllib3==2.8.0' 'google-api-core==2.44.0' 'google-auth==2.63.0' \
  'google-cloud-core==2.8.0' 'opentelemetry-api==1.45.2'
cat >"$work/program.py" <<'PY'
import base64
import http.server
import io
import pathlib
import sys
import threading

import google_crc32c
import requests
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage
from google.resumable_media.requests import Download

WHOLE = bytes(range(256)) * 4000
CRC = base64.b64encode(google_crc32c.value(WHOLE).to_bytes(4, "big")).decode()
downloads, checksum = [], []


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if "alt=media" not in self.path:  # The client looks at the bucket meanwhile.
            self.send_error(404)
            return
        downloads.append(self.headers["Range"])
        self.send_response(200)
        self.send_header("Content-Length", str(len(WHOLE)))
        if checksum:
            self.send_header("X-Goog-Hash", f"crc32c={CRC}")
        self.end_headers()
        if len(downloads) == 1:
            self.wfile.write(WHOLE[:500_000])
            self.close_connection = True
        else:
            self.wfile.write(WHOLE)

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
server.handle_error = lambda *_: None  # Connections that are dropped.
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"
client = storage.Client(
    project="p",
    credentials=AnonymousCredentials(),
    client_options={"api_endpoint": url},
)
blob = client.bucket("bucket").blob("name")


def to_filename():
    path = pathlib.Path(sys.argv[1])
    blob.download_to_filename(str(path))
    return path.read_bytes()


def by_media():
    stream = io.BytesIO()
    Download(url + "/?alt=media", stream=stream).consume(requests.Session())
    return stream.getvalue()


def by_open():
    with blob.open("rb") as file:
        return file.read()


def outcome(program):
    downloads.clear()
    try:
        got = program()
    except Exception as error:
        return type(error).__name__
    return f"{len(got)} bytes, right: {got == WHOLE}"


for name, program in {
    "download_as_bytes()": blob.download_as_bytes,
    "download_to_filename()": to_filename,
    "resumable media's Download": by_media,
    "blob.open()": by_open,
}.items():
    checksum.clear()
    without = outcome(program)
    checksum.append(True)
    checked = outcome(program)
    print(f"{name}: {without}; with a crc32c {'the same' if checked == without else checked}")
PY
"$work/venv/bin/python" "$work/program.py" "$work/file" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
download_as_bytes(): 1523712 bytes, right: False; with a crc32c DataCorruption
download_to_filename(): 1523712 bytes, right: False; with a crc32c DataCorruption
resumable media's Download: 1523712 bytes, right: False; with a crc32c the same
blob.open(): 1523712 bytes, right: False; with a crc32c the same
TXT
