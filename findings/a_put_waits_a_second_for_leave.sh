#!/usr/bin/env bash
# boto3 waits a second with each object where no `100 Continue` comes.
#
# For each object that it puts, boto3 asks by `Expect: 100-continue` whether it may. A
# server of HTTP/1.1 has to answer that; one of HTTP/1.0, as the one here, or as a proxy may
# be, knows no such answer. boto3 waits for a second then, and sends the object. It does not
# wait with an empty object, or with what has no body. minio does not wait.
#
# Versions: boto3 and botocore 1.43.117 with urllib3 2.8.0, minio 7.2.20, CPython 3.11.7.
#
# Seen (seconds of two calls, at a server of HTTP/1.0):
#   boto3, put_object: 2
#   boto3, upload_fileobj: 2
#   boto3, put_object of nothing: 0
#   boto3, delete_object: 0
#   minio, put_object: 0
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'boto3==1.43.117' \
  'botocore==1.43.117' 's3transfer==0.19.3' 'urllib3==2.8.0' 'minio==7.2.20'
cat >"$work/program.py" <<'PY'
import io
import socket
import threading
import time

import boto3
import minio


def serve(listening):
    while True:
        link, _ = listening.accept()
        threading.Thread(target=answer, args=(link,), daemon=True).start()


def answer(link):
    file = link.makefile("rb")
    while file.readline():
        size = 0
        while (line := file.readline().strip().lower()):
            if line.startswith(b"content-length:"):
                size = int(line.partition(b":")[2])
        file.read(size)
        link.sendall(
            b'HTTP/1.0 200 OK\r\nETag: "1"\r\nContent-Length: 0\r\n'
            b"Connection: keep-alive\r\n\r\n"
        )


listening = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=serve, args=(listening,), daemon=True).start()
address = f"127.0.0.1:{listening.getsockname()[1]}"
keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
client = boto3.client("s3", "eu-west-1", endpoint_url=f"http://{address}", **keys)
store = minio.Minio(address, "a", "b", secure=False, region="eu-west-1")
where = {"Bucket": "bucket", "Key": "key"}


def by_minio():
    store.put_object(
        bucket_name="bucket", object_name="key", data=io.BytesIO(b"text"), length=4
    )


for name, call in (
    ("boto3, put_object", lambda: client.put_object(**where, Body=b"text")),
    ("boto3, upload_fileobj", lambda: client.upload_fileobj(io.BytesIO(b"text"), *where.values())),
    ("boto3, put_object of nothing", lambda: client.put_object(**where, Body=b"")),
    ("boto3, delete_object", lambda: client.delete_object(**where)),
    ("minio, put_object", by_minio),
):
    started = time.monotonic()
    call()
    call()
    print(f"{name}: {int(time.monotonic() - started)}")
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
boto3, put_object: 2
boto3, upload_fileobj: 2
boto3, put_object of nothing: 0
boto3, delete_object: 0
minio, put_object: 0
TXT
