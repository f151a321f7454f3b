#!/usr/bin/env bash
# A POST that was carried out and not answered is sent up to eleven times by PyGithub,
# boto3, elasticsearch, opensearch, trino, slack_sdk, httplib2 and xmlrpc.client.
#
# The server does what a POST asks for, and the connection breaks before it has answered.
# These clients send it again, up to eleven times in all, though it may not be safe to
# repeat: each time there is a document, a message, a row or an issue more. requests
# 2.34.2, httpx 0.28.1 and aiohttp 3.14.5 send it once. `max_retries=0` of elasticsearch
# and opensearch, botocore's `retries={"total_max_attempts": 1}`, `retry=None` of PyGithub,
# `retry_handlers=[]` of slack_sdk and `max_attempts=1` of trino switch it off; httplib2's
# variable `RETRIES` does not, and xmlrpc.client has no such thing. (boto3 1.43.117 sent it
# five times.)
#
# Versions: PyGithub 2.10.0, elasticsearch 9.5.1, opensearch-py 3.2.0, boto3 1.44.8, trino
# 0.340.0, slack_sdk 3.48.0, httplib2 0.32.1 and xmlrpc.client of CPython 3.11.
#
# Seen (all of them raise in the end):
#   requests: done 1 times
#   httpx: done 1 times
#   aiohttp: done 1 times
#   xmlrpc.client: done 2 times
#   httplib2: done 2 times
#   httplib2, RETRIES = 1: done 2 times
#   elasticsearch, index(): done 4 times
#   elasticsearch, max_retries=0: done 1 times
#   opensearch, index(): done 4 times
#   opensearch, max_retries=0: done 1 times
#   boto3, send_message(): done 3 times
#   boto3, total_max_attempts=1: done 1 times
#   PyGithub, create_issue(): done 11 times
#   PyGithub, retry=None: done 1 times
#   slack_sdk, chat_postMessage(): done 2 times
#   slack_sdk, retry_handlers=[]: done 1 times
#   trino, INSERT: done 3 times
#   trino, max_attempts=1: done 1 times
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'requests==2.34.2' \
  'httpx==0.28.1' 'aiohttp==3.14.5' 'httplib2==0.32.1' 'elasticsearch==9.5.1' \
  'opensearch-py==3.2.0' 'boto3==1.44.8' 'botocore==1.44.8' 'anyio==4.16.0' \
  'elastic-transport==9.4.2' 'h11==0.16.0' 'httpcore==1.0.9' 's3transfer==0.19.3' \
  'urllib3==2.8.0' 'PyGithub==2.10.0' 'slack_sdk==3.48.0' 'trino==0.340.0'
cat >"$work/program.py" <<'PY'
import asyncio
import http.server
import threading
import time
import xmlrpc.client

import aiohttp
import boto3
import elasticsearch
import github
import httplib2
import httpx
import opensearchpy
import requests
import slack_sdk
import trino
from botocore.config import Config

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
time.sleep = lambda seconds: None  # The pauses between tries.


async def of_a_task():
    async with aiohttp.ClientSession() as session:
        await session.post(url, data=b"x")


def once_by_httplib2():
    httplib2.RETRIES = 1
    httplib2.Http().request(url, "POST", body=b"x")


def elastic(**options):
    elasticsearch.Elasticsearch(url, **options).index(index="i", document={"a": 1})


def opensearch(**options):
    opensearchpy.OpenSearch(url, **options).index(index="i", body={"a": 1})


def send_message(config=None):
    queue = boto3.client(
        "sqs",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="id",
        aws_secret_access_key="key",
        config=config,
    )
    queue.send_message(QueueUrl=f"{url}/queue", MessageBody="x")


def issue(**options):
    hub = github.Github(base_url=url, lazy=True, seconds_between_writes=0, **options)
    hub.get_repo("our/code").create_issue("x")


def chat(**options):
    slack_sdk.WebClient("a token", base_url=url, **options).chat_postMessage(channel="c", text="x")


def insert(**options):
    place = {"host": "127.0.0.1", "port": server.server_port, "user": "u"}
    trino.dbapi.connect(**place, **options).cursor().execute("INSERT INTO t VALUES (1)")


for name, program in {
    "requests": lambda: requests.post(url, data=b"x"),
    "httpx": lambda: httpx.post(url, content=b"x"),
    "aiohttp": lambda: asyncio.run(of_a_task()),
    "xmlrpc.client": lambda: xmlrpc.client.ServerProxy(url).pay(),
    "httplib2": lambda: httplib2.Http().request(url, "POST", body=b"x"),
    "httplib2, RETRIES = 1": once_by_httplib2,
    "elasticsearch, index()": elastic,
    "elasticsearch, max_retries=0": lambda: elastic(max_retries=0),
    "opensearch, index()": opensearch,
    "opensearch, max_retries=0": lambda: opensearch(max_retries=0),
    "boto3, send_message()": send_message,
    "boto3, total_max_attempts=1": lambda: send_message(
        Config(retries={"total_max_attempts": 1})
    ),
    "PyGithub, create_issue()": issue,
    "PyGithub, retry=None": lambda: issue(retry=None),
    "slack_sdk, chat_postMessage()": chat,
    "slack_sdk, retry_handlers=[]": lambda: chat(retry_handlers=[]),
    "trino, INSERT": insert,
    "trino, max_attempts=1": lambda: insert(max_attempts=1),
}.items():
    done.clear()
    try:
        program()
    except Exception:
        print(f"{name}: done {len(done)} times")
    else:
        print(f"{name}: no error")
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
requests: done 1 times
httpx: done 1 times
aiohttp: done 1 times
xmlrpc.client: done 2 times
httplib2: done 2 times
httplib2, RETRIES = 1: done 2 times
elasticsearch, index(): done 4 times
elasticsearch, max_retries=0: done 1 times
opensearch, index(): done 4 times
opensearch, max_retries=0: done 1 times
boto3, send_message(): done 3 times
boto3, total_max_attempts=1: done 1 times
PyGithub, create_issue(): done 11 times
PyGithub, retry=None: done 1 times
slack_sdk, chat_postMessage(): done 2 times
slack_sdk, retry_handlers=[]: done 1 times
trino, INSERT: done 3 times
trino, max_attempts=1: done 1 times
TXT
