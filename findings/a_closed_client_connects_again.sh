#!/usr/bin/env bash
# A closed client of requests, urllib3, boto3, docker, kubernetes or google-cloud-storage
# takes the next call, on a new connection.
#
# A client is closed, and a program that still has it calls it once more. Those of requests,
# urllib3, boto3, docker, kubernetes and google-cloud-storage do so as though nothing had
# happened, on a new connection, which stays open until they are closed a second time.
# httpx, openai, aiohttp, and azure-core, though it stands on requests too, raise. What
# closes urllib3's PoolManager is its `clear()`.
#
# Versions: requests 2.34.2, urllib3 2.8.0, boto3 1.43.117, docker 7.2.0, kubernetes 37.0.1,
# google-cloud-storage 3.17.1, httpx 0.28.1, openai 3.57.0 on httpx2 2.16.2, azure-core
# 1.41.0, aiohttp 3.14.5, CPython 3.11.7.
#
# Seen (connections that the server has open before `close()`, after it, and after one more
# call):
#   requests: 1, 0, 1; the call works
#   urllib3: 1, 0, 1; the call works
#   boto3: 1, 0, 1; the call works
#   docker: 1, 0, 1; the call works
#   kubernetes: 1, 0, 1; the call works
#   google-cloud-storage: 1, 0, 1; the call works
#   httpx: 1, 0, 0; the call RuntimeError
#   openai: 1, 0, 0; the call RuntimeError
#   azure-core: 1, 0, 0; the call ValueError
#   aiohttp: 1, 0, 0; the call RuntimeError
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'requests==2.34.2' \
  'urllib3==2.8.0' 'boto3==1.43.117' 'botocore==1.43.117' 's3transfer==0.19.3' \
  'docker==7.2.0' 'kubernetes==37.0.1' 'google-cloud-storage==3.17.1' \
  'google-cloud-core==2.8.0' 'google-api-core==2.44.0' 'google-auth==2.63.0' \
  'google-resumable-media==2.11.0' 'google-crc32c==1.9.0' 'httpx==0.28.1' \
  'httpcore==1.0.9' 'openai==3.57.0' 'httpx2==2.16.2' 'httpcore2==2.16.2' 'anyio==4.16.0' \
  'h11==0.16.0' 'opentelemetry-api==1.45.2' 'azure-core==1.41.0' 'aiohttp==3.14.5'
cat >"$work/program.py" <<'PY'
import asyncio
import http.server
import threading
import time

import aiohttp
import boto3
import docker
import httpx
import kubernetes.client
import openai
import requests
import urllib3
from azure.core import PipelineClient
from azure.core.rest import HttpRequest
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage

served = []


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self):
        super().setup()
        served.append(self)

    def finish(self):
        super().finish()
        served.remove(self)

    def do_GET(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b'{"items": [], "data": [], "object": "list", "metadata": {}}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
server.handle_error = lambda *_: None  # Connections that are closed.
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"
address = url.removeprefix("http://")


def of_kubernetes():
    settings = kubernetes.client.Configuration()
    settings.host = url
    return kubernetes.client.ApiClient(settings)


def of_boto3():
    keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
    return boto3.client("dynamodb", "eu-west-1", endpoint_url=url, **keys)


def of_google():
    options = {"api_endpoint": url}
    return storage.Client("p", AnonymousCredentials(), client_options=options)


class OfAiohttp:
    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self.session = self.loop.run_until_complete(self.make())

    async def make(self):
        return aiohttp.ClientSession()

    async def ask(self):
        async with self.session.get(url) as response:
            await response.read()

    def get(self):
        self.loop.run_until_complete(self.ask())

    def close(self):
        self.loop.run_until_complete(self.session.close())


CLIENTS = {
    "requests": (requests.Session, lambda client: client.get(url)),
    "urllib3": (urllib3.PoolManager, lambda client: client.request("GET", url)),
    "boto3": (of_boto3, lambda client: client.list_tables()),
    "docker": (
        lambda: docker.APIClient(f"tcp://{address}", version="1.41"),
        lambda client: client.info(),
    ),
    "kubernetes": (
        of_kubernetes,
        lambda client: kubernetes.client.CoreV1Api(client).list_node(),
    ),
    "google-cloud-storage": (of_google, lambda client: list(client.list_buckets())),
    "httpx": (httpx.Client, lambda client: client.get(url)),
    "openai": (
        lambda: openai.OpenAI(base_url=url, api_key="k"),
        lambda client: client.models.list(),
    ),
    "azure-core": (
        lambda: PipelineClient(url),
        lambda client: client.send_request(HttpRequest("GET", url)),
    ),
    "aiohttp": (OfAiohttp, lambda client: client.get()),
}


def open_now():
    time.sleep(0.3)
    return len(served)


for name, (make, call) in CLIENTS.items():
    client = make()
    call(client)
    before = open_now()
    (client.clear if name == "urllib3" else client.close)()
    closed = open_now()
    try:
        call(client)
        again = "works"
    except (RuntimeError, ValueError) as error:
        again = type(error).__name__
    print(f"{name}: {before}, {closed}, {open_now()}; the call {again}")
    (client.clear if name == "urllib3" else client.close)()
    assert open_now() == 0
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
requests: 1, 0, 1; the call works
urllib3: 1, 0, 1; the call works
boto3: 1, 0, 1; the call works
docker: 1, 0, 1; the call works
kubernetes: 1, 0, 1; the call works
google-cloud-storage: 1, 0, 1; the call works
httpx: 1, 0, 0; the call RuntimeError
openai: 1, 0, 0; the call RuntimeError
azure-core: 1, 0, 0; the call ValueError
aiohttp: 1, 0, 0; the call RuntimeError
TXT
