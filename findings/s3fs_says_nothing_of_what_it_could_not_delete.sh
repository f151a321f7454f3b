#!/usr/bin/env bash
# s3fs raises nothing where the store refuses to delete a file: after `rm()` it is still
# there, and after `mv()` it is there twice.
#
# `rm()` deletes by S3's DeleteObjects, also a single file. The store answers 200 with
# the keys that it refuses, and s3fs takes no notice of these: `rm()` returns an empty
# list, as it does where the file is gone. `mv()` copies, deletes in that way, and says
# nothing either. `rm_file()` raises PermissionError. `remove_objects()` of minio, for
# the same request, sends nothing at all until the errors that it returns are asked for.
#
# Versions: s3fs 2026.9.0 on aiobotocore 3.10.0, minio 7.2.20, boto3 1.43.117, CPython
# 3.11.
#
# Seen (the store refuses to delete `kept`; what is there afterwards):
#   s3fs, rm(file): [], 1 asked, folder/kept, folder/other
#   s3fs, rm(the other): [], 1 asked, folder/kept
#   s3fs, rm([both]): [], 1 asked, folder/kept
#   s3fs, rm(folder, recursive): [], 1 asked, folder/kept
#   s3fs, mv(file): NoneType, 1 asked, folder/kept, folder/other, moved
#   s3fs, rm_file(file): PermissionError, 0 asked, folder/kept, folder/other
#   boto3, Errors of delete_objects(both): ['AccessDenied'], 1 asked, folder/kept
#   minio, remove_objects(both): generator, 0 asked, folder/kept, folder/other
#   minio, list(remove_objects(both)): ['AccessDenied'], 1 asked, folder/kept
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 's3fs==2026.9.0' \
  'fsspec==2026.9.0' 'aiobotocore==3.10.0' 'boto3==1.43.117' 'botocore==1.43.117' \
  'aiohttp==3.14.5' 'minio==7.2.20' 'urllib3==2.8.0'
cat >"$work/program.py" <<'PY'
import http.server
import re
import threading
from urllib.parse import parse_qsl, urlsplit

import boto3
import minio
import s3fs
from minio.deleteobjects import DeleteObject

REFUSED = "<Error>{key}<Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
DATE = "Wed, 21 Oct 2015 07:28:00 GMT"
MADE = "<LastModified>2015-10-21T07:28:00.000Z</LastModified><ETag>1</ETag>"
FOUND = f"<Contents><Key>{{key}}</Key>{MADE}<Size>1</Size></Contents>"
there, asked = set(), []


class Store(http.server.BaseHTTPRequestHandler):
    """A store with one bucket, where nobody may delete `folder/kept`."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        begins = dict(parse_qsl(urlsplit(self.path).query)).get("prefix", "")
        keys = [key for key in sorted(there) if key.startswith(begins)]
        found = "".join(FOUND.format(key=key) for key in keys)
        listed = f"<IsTruncated>false</IsTruncated>{found}"
        self.answer(200, f"<ListBucketResult><Name>bucket</Name>{listed}</ListBucketResult>")

    def do_HEAD(self):
        self.answer(*((200, "1") if self.key() in there else (404, "")))

    def do_PUT(self):
        there.add(self.key())
        self.answer(200, f"<CopyObjectResult>{MADE}</CopyObjectResult>")

    def do_DELETE(self):
        if self.key() == "folder/kept":
            return self.answer(403, REFUSED.format(key=""))
        there.discard(self.key())
        self.answer(204)

    def do_POST(self):
        asked.append(self.path)
        told = ""
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        for key in re.findall("<Key>(.*?)</Key>", body):
            if key == "folder/kept":
                told += REFUSED.format(key=f"<Key>{key}</Key>")
                continue
            there.discard(key)
            if "<Quiet>true</Quiet>" not in body:
                told += f"<Deleted><Key>{key}</Key></Deleted>"
        self.answer(200, f"<DeleteResult>{told}</DeleteResult>")

    def key(self):
        return self.path.partition("?")[0].removeprefix("/bucket/")

    def answer(self, status, body=""):
        self.send_response(status)
        self.send_header("Content-Type", "application/xml")
        self.send_header("ETag", '"1"')
        self.send_header("Last-Modified", DATE)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body.encode())

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Store)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
host = f"127.0.0.1:{server.server_port}"
files = s3fs.S3FileSystem(key="an id", secret="a key", endpoint_url=f"http://{host}")
keys = {"aws_access_key_id": "an id", "aws_secret_access_key": "a key"}
client = boto3.client("s3", endpoint_url=f"http://{host}", region_name="us-east-1", **keys)
store = minio.Minio(host, "an id", "a key of it", secure=False, region="us-east-1")
BOTH = ["folder/kept", "folder/other"]


def by_boto3():
    objects = [{"Key": key} for key in BOTH]
    found = client.delete_objects(Bucket="bucket", Delete={"Objects": objects})
    return [error["Code"] for error in found["Errors"]]


def by_minio():
    return store.remove_objects("bucket", [DeleteObject(key) for key in BOTH])


def seen(name, call):
    there.clear()
    there.update(BOTH)
    asked.clear()
    files.invalidate_cache()
    try:
        said = call()
        said = said if isinstance(said, list) else type(said).__name__
    except PermissionError as error:
        said = type(error).__name__
    print(f"{name}: {said}, {len(asked)} asked, {', '.join(sorted(there))}")


seen("s3fs, rm(file)", lambda: files.rm("bucket/folder/kept"))
seen("s3fs, rm(the other)", lambda: files.rm("bucket/folder/other"))
seen("s3fs, rm([both])", lambda: files.rm(["bucket/" + key for key in BOTH]))
seen("s3fs, rm(folder, recursive)", lambda: files.rm("bucket/folder", recursive=True))
seen("s3fs, mv(file)", lambda: files.mv("bucket/folder/kept", "bucket/moved"))
seen("s3fs, rm_file(file)", lambda: files.rm_file("bucket/folder/kept"))
seen("boto3, Errors of delete_objects(both)", by_boto3)
seen("minio, remove_objects(both)", by_minio)
seen("minio, list(remove_objects(both))", lambda: [error.code for error in by_minio()])
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
s3fs, rm(file): [], 1 asked, folder/kept, folder/other
s3fs, rm(the other): [], 1 asked, folder/kept
s3fs, rm([both]): [], 1 asked, folder/kept
s3fs, rm(folder, recursive): [], 1 asked, folder/kept
s3fs, mv(file): NoneType, 1 asked, folder/kept, folder/other, moved
s3fs, rm_file(file): PermissionError, 0 asked, folder/kept, folder/other
boto3, Errors of delete_objects(both): ['AccessDenied'], 1 asked, folder/kept
minio, remove_objects(both): generator, 0 asked, folder/kept, folder/other
minio, list(remove_objects(both)): ['AccessDenied'], 1 asked, folder/kept
TXT
