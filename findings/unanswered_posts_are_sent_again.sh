#!/usr/bin/env bash
# elasticsearch 9.5.1, opensearch-py 3.2.0, boto3 1.43.117, httplib2 0.32.1 and
# xmlrpc.client of CPython 3.11: the server does what a POST asks for, and the connection
# breaks before it has answered. These send it again, up to five times in all, though it
# may not be safe to repeat: each time a document or a message more. requests 2.34.2,
# httpx 0.28.1 and aiohttp 3.14.5 send it once. `max_retries=0`, `retries={"total_max_attempts": 1}`
# switch it off in the SDKs; httplib2 and xmlrpc.client have no such argument.
#
# Seen (all of them raise in the end):
#   requests: done 1 times
#   httpx: done 1 times
#   aiohttp: done 1 times
#   xmlrpc.client: done 2 times
#   httplib2: done 2 times
#   elasticsearch, index(): done 4 times
#   opensearch, index(): done 4 times
#   boto3, send_message(): done 5 times
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -q --disable-pip-version-check 'requests==2.34.2' \
  'httpx==0.28.1' 'aiohttp==3.14.5' 'httplib2==0.32.1' 'elasticsearch==9.5.1' \
  'opensearch-py==3.2.0' 'boto3==1.43.117' 'botocore==1.43.117' 2>/dev/null
cat >"$work/program.py" <<'PY'
import asyncio
import http.server
import threading
import time
import xmlrpc.client

import aiohttp
import boto3
import elasticsearch
import httplib2
import httpx
import opensearchpy
import requests

done = []


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        done.append(self.path)
        self.close_connection = True  # It is done, and nobody is told.

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"
time.sleep = lambda seconds: None  # botocore's pauses between tries.


async def of_a_task():
    async with aiohttp.ClientSession() as session:
        await session.post(url, data=b"x")


def send_message():
    queue = boto3.client(
        "sqs",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="id",
        aws_secret_access_key="key",
    )
    queue.send_message(QueueUrl=f"{url}/queue", MessageBody="x")


for name, program in {
    "requests": lambda: requests.post(url, data=b"x"),
    "httpx": lambda: httpx.post(url, content=b"x"),
    "aiohttp": lambda: asyncio.run(of_a_task()),
    "xmlrpc.client": lambda: xmlrpc.client.ServerProxy(url).pay(),
    "httplib2": lambda: httplib2.Http().request(url, "POST", body=b"x"),
    "elasticsearch, index()": lambda: elasticsearch.Elasticsearch(url).index(
        index="i", document={"a": 1}
    ),
    "opensearch, index()": lambda: opensearchpy.OpenSearch(url).index(
        index="i", body={"a": 1}
    ),
    "boto3, send_message()": send_message,
}.items():
    done.clear()
    try:
        program()
    except Exception:
        print(f"{name}: done {len(done)} times")
    else:
        print(f"{name}: no error")
PY
"$work/venv/bin/python" "$work/program.py" 2>/dev/null | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
requests: done 1 times
httpx: done 1 times
aiohttp: done 1 times
xmlrpc.client: done 2 times
httplib2: done 2 times
elasticsearch, index(): done 4 times
opensearch, index(): done 4 times
boto3, send_message(): done 5 times
TXT
