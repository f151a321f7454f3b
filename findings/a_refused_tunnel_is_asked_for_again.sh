#!/usr/bin/env bash
# A proxy that refuses by 407 is asked up to four times by urllib3 and requests, with the
# same password, and ten times by boto3 for DynamoDB.
#
# A proxy refuses to connect to a host by 407, since the password has run out. That is an
# answer, and urllib3, boto3 and openai take it for a failed connection: they ask again,
# with the same password. urllib3, and requests with `max_retries=3`, ask four times in all,
# openai three, boto3's client of DynamoDB ten. httpx, aiohttp and plain requests ask once.
#
# Versions: requests 2.34.2, urllib3 2.8.0, boto3 and botocore 1.43.117, openai 3.57.0 on
# httpx2 2.16.2, httpx 0.28.1, aiohttp 3.14.5, CPython 3.11.7.
#
# Seen (times that the proxy was asked, and the error):
#   requests: 1, ProxyError
#   requests, max_retries=3: 4, ProxyError
#   urllib3: 4, MaxRetryError
#   urllib3, POST: 4, MaxRetryError
#   boto3: 10, ProxyConnectionError
#   openai: 3, APIConnectionError
#   httpx: 1, ProxyError
#   aiohttp: 1, ClientHttpProxyError
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'requests==2.34.2' \
  'urllib3==2.8.0' 'boto3==1.43.117' 'botocore==1.43.117' 'openai==3.57.0' \
  'httpx2==2.16.2' 'httpcore2==2.16.2' 'anyio==4.16.0' 'h11==0.16.0' \
  'opentelemetry-api==1.45.2' 'httpx==0.28.1' 'httpcore==1.0.9' 'aiohttp==3.14.5'
cat >"$work/program.py" <<'PY'
import asyncio
import base64
import socket
import threading

import aiohttp
import boto3
import httpx
import openai
import requests
import urllib3
from botocore.config import Config
from botocore.exceptions import ProxyConnectionError

PASSWORD = b"Basic " + base64.b64encode(b"user:old")
asked = []


def serve(listening):
    while True:
        link, _ = listening.accept()
        with link:
            asked.append(link.recv(65536))
            link.sendall(
                b"HTTP/1.1 407 Proxy Authentication Required\r\n"
                b'Proxy-Authenticate: Basic realm="proxy"\r\n'
                b"Content-Length: 0\r\nConnection: close\r\n\r\n"
            )


listening = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=serve, args=(listening,), daemon=True).start()
proxy = f"http://user:old@127.0.0.1:{listening.getsockname()[1]}"
url = "https://service.invalid/"


def by_requests(retries):
    session = requests.Session()
    session.proxies = {"https": proxy}
    session.mount("https://", requests.adapters.HTTPAdapter(max_retries=retries))
    session.get(url)


def by_urllib3(method):
    headers = urllib3.make_headers(proxy_basic_auth="user:old")
    urllib3.ProxyManager(proxy, proxy_headers=headers).request(method, url)


def by_boto3():
    keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
    settings = Config(proxies={"https": proxy})
    boto3.client("dynamodb", "eu-west-1", config=settings, **keys).list_tables()


def by_openai():
    inner = openai.DefaultHttpxClient(proxy=proxy)
    openai.OpenAI(base_url=url, api_key="k", http_client=inner).models.list()


def by_aiohttp():
    async def main():
        async with aiohttp.ClientSession() as session:
            await session.get(url, proxy=proxy)

    asyncio.run(main())


for name, call in (
    ("requests", lambda: by_requests(0)),
    ("requests, max_retries=3", lambda: by_requests(3)),
    ("urllib3", lambda: by_urllib3("GET")),
    ("urllib3, POST", lambda: by_urllib3("POST")),
    ("boto3", by_boto3),
    ("openai", by_openai),
    ("httpx", lambda: httpx.Client(proxy=proxy).get(url)),
    ("aiohttp", by_aiohttp),
):
    asked.clear()
    try:
        call()
    except (
        requests.exceptions.ProxyError,
        urllib3.exceptions.MaxRetryError,
        ProxyConnectionError,
        openai.APIConnectionError,
        httpx.ProxyError,
        aiohttp.ClientHttpProxyError,
    ) as error:
        assert all(PASSWORD in request for request in asked)
        print(f"{name}: {len(asked)}, {type(error).__name__}")
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
requests: 1, ProxyError
requests, max_retries=3: 4, ProxyError
urllib3: 4, MaxRetryError
urllib3, POST: 4, MaxRetryError
boto3: 10, ProxyConnectionError
openai: 3, APIConnectionError
httpx: 1, ProxyError
aiohttp: 1, ClientHttpProxyError
TXT
