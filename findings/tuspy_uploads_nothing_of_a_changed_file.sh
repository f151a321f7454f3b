#!/usr/bin/env bash
# tuspy with `store_url=True` uploads nothing of a file that begins as one before and is
# as long, and raises nothing.
#
# To resume an upload that broke off, tuspy keeps its URL under a fingerprint of the
# file, which is the file's length and the hash of its first 64 KiB; the URL stays there
# when the upload is whole. A file that was changed after these 64 KiB and is as long as
# before has the same fingerprint: `upload()` asks the server what is there, hears that
# all is, sends nothing, and `url` is that of the old file. Where the old upload broke
# off, the rest comes from the new file: the server has a half of each.
# `upload_checksum=True` changes nothing of it; a fingerprint of the whole file does, and
# so does a new store of URLs. Each file here has 100000 bytes, of which the last 30000
# differ.
#
# Versions: tuspy 1.1.0 with requests 2.34.2, CPython 3.11.
#
# Seen (the requests of each call, and what is at its `url` then):
#   the old file: POST, PATCH, PATCH: the old file
#   the new file: HEAD: the old file
#   the new file, with checksums: HEAD: the old file
#   the new file, async: HEAD: the old file
#   the new file after a half of the old: HEAD, PATCH: a half of each
#   the new file, hashed whole: POST, PATCH, PATCH: the new file
#   the new file, with a new store: POST, PATCH, PATCH: the new file
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'tuspy==1.1.0' \
  'requests==2.34.2' 'urllib3==2.8.0' 'tinydb==4.9.0' 'aiohttp==3.14.5'
cat >"$work/program.py" <<'PY'
import asyncio
import hashlib
import http.server
import os
import tempfile
import threading

from tusclient.client import TusClient
from tusclient.fingerprint.interface import Fingerprint
from tusclient.storage.filestorage import FileStorage

OLD = b"h" * 70_000 + b"o" * 30_000
NEW = b"h" * 70_000 + b"n" * 30_000
uploads, asked = [], []


class Tus(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        uploads.append(bytearray())
        self.answer(201, ("Location", f"/{len(uploads) - 1}"))

    def do_HEAD(self):
        there = str(len(uploads[int(self.path[1:])]))
        length = ("Upload-Length", str(len(OLD)))
        self.answer(200, ("Upload-Offset", there), length, ("Cache-Control", "no-store"))

    def do_PATCH(self):
        upload = uploads[int(self.path[1:])]
        assert int(self.headers["Upload-Offset"]) == len(upload)
        upload += self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(204, ("Upload-Offset", str(len(upload))))

    def answer(self, status, *fields):
        asked.append(self.command)
        self.send_response(status)
        for field in (("Tus-Resumable", "1.0.0"), *fields):
            self.send_header(*field)
        if status != 204:
            self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


class OfTheWholeFile(Fingerprint):
    def get_fingerprint(self, fs):
        return hashlib.sha256(fs.read()).hexdigest()


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Tus)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
client = TusClient(f"http://127.0.0.1:{server.server_port}/")
folder = tempfile.TemporaryDirectory()
path = os.path.join(folder.name, "disk.img")


def uploaded(content, store, until=None, make=client.uploader, **options):
    asked.clear()
    with open(path, "wb") as file:
        file.write(content)
    store = FileStorage(os.path.join(folder.name, store))
    uploader = make(
        path, chunk_size=85_000, retries=0, store_url=True, url_storage=store, **options
    )
    done = uploader.upload(stop_at=until)
    if asyncio.iscoroutine(done):
        asyncio.run(done)
    store.close()
    there = bytes(uploads[int(uploader.url.rsplit("/", 1)[1])])
    whose = {OLD: "the old file", NEW: "the new file"}.get(there, "a half of each")
    return f"{', '.join(asked)}: {whose}"


print("the old file:", uploaded(OLD, "one"))
print("the new file:", uploaded(NEW, "one"))
print("the new file, with checksums:", uploaded(NEW, "one", upload_checksum=True))
print("the new file, async:", uploaded(NEW, "one", make=client.async_uploader))
uploaded(OLD, "two", until=85_000)
print("the new file after a half of the old:", uploaded(NEW, "two"))
uploaded(OLD, "three", fingerprinter=OfTheWholeFile())
print("the new file, hashed whole:", uploaded(NEW, "three", fingerprinter=OfTheWholeFile()))
print("the new file, with a new store:", uploaded(NEW, "four"))
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
the old file: POST, PATCH, PATCH: the old file
the new file: HEAD: the old file
the new file, with checksums: HEAD: the old file
the new file, async: HEAD: the old file
the new file after a half of the old: HEAD, PATCH: a half of each
the new file, hashed whole: POST, PATCH, PATCH: the new file
the new file, with a new store: POST, PATCH, PATCH: the new file
TXT
