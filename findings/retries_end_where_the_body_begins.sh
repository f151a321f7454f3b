#!/usr/bin/env bash
# The same `Retry` covers a body that is cut under urllib3, and not under requests;
# azure-core and openai ask again, httpx-retries and aiohttp-retry do not.
#
# The server cuts each body, and each client has been told to try three times more. The same
# `urllib3.Retry` asks four times where urllib3 is called, and once under requests, which
# reads the body after the retries are over; httpx-retries and aiohttp-retry are like it.
# openai and azure-core read within their retries and ask four times, a POST that was
# carried out included. boto3 asks for an object once.
#
# Versions: requests 2.34.2, urllib3 2.8.0, httpx 0.28.1, httpx-retries 0.6.0, aiohttp
# 3.14.5, aiohttp-retry 2.9.1, openai 3.57.0, boto3 1.44.8, azure-core 1.41.0, CPython 3.11.
#
# Seen (requests that reached the server):
#   urllib3, Retry(3): 4, MaxRetryError
#   urllib3, Retry(3), unread: 1, ProtocolError
#   requests, Retry(3): 1, ChunkedEncodingError
#   httpx-retries, Retry(3): 1, RemoteProtocolError
#   aiohttp-retry, 4 attempts: 1, ClientPayloadError
#   openai, a POST: 4, APIConnectionError
#   azure-core: 4, IncompleteReadError
#   boto3, get_object: 1, ResponseStreamingError
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'requests==2.34.2' \
  'urllib3==2.8.0' 'httpx==0.28.1' 'httpx-retries==0.6.0' 'aiohttp==3.14.5' \
  'aiohttp-retry==2.9.1' 'openai==3.57.0' 'boto3==1.44.8' 'botocore==1.44.8' \
  'azure-core==1.41.0' 'anyio==4.16.0' 'h11==0.16.0' 'httpcore==1.0.9' 'httpcore2==2.16.2' \
  'httpx2==2.16.2' 's3transfer==0.19.3'
cat >"$work/program.py" <<'PY'
import asyncio
import http.server
import logging
import threading

import aiohttp_retry
import boto3
import httpx
import httpx_retries
import openai
import requests
import urllib3
from azure.core import PipelineClient
from azure.core.pipeline.policies import RetryPolicy
from azure.core.rest import HttpRequest
from botocore.config import Config

logging.disable(logging.CRITICAL)
asked = []


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        asked.append(self.path)
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"x" * 500)
        self.close_connection = True

    do_POST = do_GET

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
server.handle_error = lambda *_: None  # Connections that are dropped.
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"
retry = urllib3.Retry(3, backoff_factor=0.01)
store = boto3.client(
    "s3",
    endpoint_url=url,
    region_name="us-east-1",
    aws_access_key_id="an id",
    aws_secret_access_key="a key",
    config=Config(retries={"max_attempts": 3, "mode": "standard"}),
)


def by_urllib3(**options):
    return urllib3.PoolManager(retries=retry).request("GET", url, **options).data


def by_requests():
    session = requests.Session()
    session.mount("http://", requests.adapters.HTTPAdapter(max_retries=retry))
    return session.get(url).content


def by_httpx():
    again = httpx_retries.Retry(total=3, backoff_factor=0.01)
    return httpx.Client(transport=httpx_retries.RetryTransport(retry=again)).get(url).content


async def by_aiohttp():
    again = aiohttp_retry.ListRetry([0.01] * 4)
    async with aiohttp_retry.RetryClient(retry_options=again) as client:
        async with client.get(url) as response:
            return await response.read()


def by_openai():
    client = openai.OpenAI(base_url=url, api_key="a key", max_retries=3)
    return client.chat.completions.create(model="m", messages=[])


def by_azure():
    again = RetryPolicy(retry_total=3, retry_backoff_factor=0.01)
    return PipelineClient(url, policies=[again]).send_request(HttpRequest("GET", url)).content


for name, ask in (
    ("urllib3, Retry(3)", by_urllib3),
    ("urllib3, Retry(3), unread", lambda: by_urllib3(preload_content=False)),
    ("requests, Retry(3)", by_requests),
    ("httpx-retries, Retry(3)", by_httpx),
    ("aiohttp-retry, 4 attempts", lambda: asyncio.run(by_aiohttp())),
    ("openai, a POST", by_openai),
    ("azure-core", by_azure),
    ("boto3, get_object", lambda: store.get_object(Bucket="b", Key="k")["Body"].read()),
):
    asked.clear()
    try:
        ask()
    except Exception as error:
        print(f"{name}: {len(asked)}, {type(error).__name__}")
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
urllib3, Retry(3): 4, MaxRetryError
urllib3, Retry(3), unread: 1, ProtocolError
requests, Retry(3): 1, ChunkedEncodingError
httpx-retries, Retry(3): 1, RemoteProtocolError
aiohttp-retry, 4 attempts: 1, ClientPayloadError
openai, a POST: 4, APIConnectionError
azure-core: 4, IncompleteReadError
boto3, get_object: 1, ResponseStreamingError
TXT
