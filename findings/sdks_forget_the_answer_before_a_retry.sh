#!/usr/bin/env bash
# azure-core, python-gitlab, keystoneauth1, google-auth, google-resumable-media and
# aiohttp-retry forget a refused answer unread before they try again.
#
# A streamed request is refused once (503, 429 or 401, with a body of 2,000,000 bytes), and
# the SDK asks again by itself. It forgets the refused answer unread, and its connection
# with it: the second try needs another one. urllib3's own retries read the refused answer,
# and so does jira 3.10.5: one connection. Under aiohttp nothing takes the forgotten one
# back before the session is closed.
#
# Versions: azure-core 1.41.0, python-gitlab 8.6.0, keystoneauth1 5.18.1, google-auth
# 2.63.0, google-resumable-media 2.11.0 (requests 2.34.2, urllib3 2.8.0) and aiohttp-retry
# 2.9.1 (aiohttp 3.14.5), CPython 3.11.
#
# Seen:
#   urllib3's Retry: 2 requests, 1 connection(s)
#   jira: 2 requests, 1 connection(s)
#   azure-core: 2 requests, 2 connection(s)
#   python-gitlab: 2 requests, 2 connection(s)
#   keystoneauth1: 2 requests, 2 connection(s)
#   google-auth: 2 requests, 2 connection(s)
#   google-resumable-media: 2 requests, 2 connection(s)
#   aiohttp-retry: 1 connection(s) still taken
#   aiohttp-retry: 2 requests, 2 connection(s)
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'requests==2.34.2' \
  'urllib3==2.8.0' 'azure-core==1.41.0' 'python-gitlab==8.6.0' 'keystoneauth1==5.18.1' \
  'google-auth==2.63.0' 'google-resumable-media==2.11.0' 'jira==3.10.5' 'aiohttp==3.14.5' \
  'aiohttp-retry==2.9.1' 'google-crc32c==1.9.0' 'requests-toolbelt==1.0.0'
cat >"$work/program.py" <<'PY'
import asyncio
import gc
import http.server
import io
import logging
import threading

import aiohttp
import aiohttp_retry
import gitlab
import google.auth.credentials
import requests
from azure.core import PipelineClient
from azure.core.pipeline.policies import RetryPolicy
from azure.core.rest import HttpRequest
from google.auth.transport.requests import AuthorizedSession
from google.resumable_media.requests import Download
from jira.resilientsession import ResilientSession
from keystoneauth1 import session as keystone
from urllib3.util import Retry

logging.disable(logging.CRITICAL)
connections = []
refuse = []


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        connections.append(self.client_address)
        status = refuse.pop() if refuse else 200
        self.send_response(status)
        if status == 401:
            self.send_header("WWW-Authenticate", "Bearer")
        self.send_header("Content-Length", "2000000")
        self.send_header("Retry-After", "0")
        self.end_headers()
        try:
            self.wfile.write(b"x" * 2_000_000)
        except OSError:
            pass

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
server.handle_error = lambda *_: None  # Connections that are dropped.
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"


class Token(google.auth.credentials.Credentials):
    valid, expired = True, False

    def __init__(self):
        super().__init__()
        self.token = "a token"

    def refresh(self, request):
        self.token = "another token"


def by_urllib3():
    session = requests.Session()
    retries = Retry(1, status_forcelist=[503])
    session.mount(url, requests.adapters.HTTPAdapter(max_retries=retries))
    return session.get(url, stream=True).content


def by_jira():
    return ResilientSession(max_retry_delay=0.01).get(url, stream=True).content


def by_azure():
    client = PipelineClient(url, policies=[RetryPolicy(retry_backoff_factor=0.01)])
    return b"".join(client.send_request(HttpRequest("GET", url), stream=True).iter_bytes())


def by_gitlab():
    return gitlab.Gitlab(url).http_request("get", "/export", streamed=True).content


def by_keystone():
    options = {"status_code_retries": 1, "status_code_retry_delay": 0.01}
    return keystone.Session().get(url, stream=True, authenticated=False, **options).content


def by_google_auth():
    return AuthorizedSession(Token()).get(url, stream=True).content


def by_resumable():
    body = io.BytesIO()
    Download(url, stream=body).consume(requests.Session())
    return body.getvalue()


async def by_aiohttp():
    async with aiohttp.ClientSession() as session:
        options = aiohttp_retry.ListRetry([0.01, 0.01], statuses={503})
        client = aiohttp_retry.RetryClient(session, retry_options=options)
        async with client.get(url) as response:
            body = await response.read()
        gc.collect()
        await asyncio.sleep(0.2)
        print(f"aiohttp-retry: {len(session.connector._acquired)} connection(s) still taken")
        return body


for name, status, ask in (
    ("urllib3's Retry", 503, by_urllib3),
    ("jira", 503, by_jira),
    ("azure-core", 503, by_azure),
    ("python-gitlab", 429, by_gitlab),
    ("keystoneauth1", 503, by_keystone),
    ("google-auth", 401, by_google_auth),
    ("google-resumable-media", 503, by_resumable),
    ("aiohttp-retry", 503, lambda: asyncio.run(by_aiohttp())),
):
    connections.clear()
    refuse.append(status)
    assert len(ask()) == 2_000_000
    print(f"{name}: {len(connections)} requests, {len(set(connections))} connection(s)")
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
urllib3's Retry: 2 requests, 1 connection(s)
jira: 2 requests, 1 connection(s)
azure-core: 2 requests, 2 connection(s)
python-gitlab: 2 requests, 2 connection(s)
keystoneauth1: 2 requests, 2 connection(s)
google-auth: 2 requests, 2 connection(s)
google-resumable-media: 2 requests, 2 connection(s)
aiohttp-retry: 1 connection(s) still taken
aiohttp-retry: 2 requests, 2 connection(s)
TXT
